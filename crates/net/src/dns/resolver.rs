//! A stub resolver, without sockets: A and AAAA at once, servers in turn, search domains, TCP where an answer is long.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use weft_core::{Instant, Rng, Transport};

use super::config::DnsConfig;
use super::message::{self, Family, Verdict};

/// Names being resolved at a time.
const MAX_LOOKUPS: usize = 64;
/// The first round gives each server so long; each further round twice as long.
const FIRST_TIMEOUT: Duration = Duration::from_secs(1);
const MIN_ROUNDS: usize = 3;
/// How long addresses of one family wait for those of the other.
const GRACE: Duration = Duration::from_millis(250);
/// RFC 1035 section 2.3.4.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// Names what is being resolved.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LookupId(u64);

/// Why a name has no addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DnsError {
    /// It is no host name: at most 253 letters, digits, hyphens and underscores, in labels of 1 to 63 between dots.
    #[error("not a host name")]
    Name,
    /// No DNS server is known.
    #[error("no DNS server is known")]
    NoServers,
    /// As many names are being resolved as may be: 64.
    #[error("too many names at a time")]
    TooMany,
    /// There is no such name, or it has no address.
    #[error("there is no such name, or it has no address")]
    NotFound,
    /// All servers refused to answer or failed.
    #[error("the DNS servers refused to answer")]
    Refused,
    /// No server answered in time.
    #[error("no DNS server answered")]
    TimedOut,
}

/// What became of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DnsEvent {
    /// Its addresses, at least one.
    Resolved(LookupId, Vec<IpAddr>),
    /// None.
    Failed(LookupId, DnsError),
}

/// A message to a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DnsTransmit {
    /// Over UDP, or TCP with two bytes of length in front (RFC 1035 section 4.2.2).
    pub transport: Transport,
    /// The server.
    pub server: SocketAddr,
    /// The message.
    pub bytes: Vec<u8>,
}

/// One of the two questions for a name.
#[derive(Debug)]
struct Ask {
    family: Family,
    id: u16,
    transport: Transport,
    state: AskState,
}

#[derive(PartialEq, Eq, Debug)]
enum AskState {
    /// Sent to the server of this try.
    Open,
    /// The server of this try does not tell.
    Refused,
    /// No addresses: of this family, or at all.
    Nothing,
    Found(Vec<IpAddr>),
}

#[derive(Debug)]
struct Lookup {
    id: LookupId,
    /// The name in question, and those to be tried after it.
    name: String,
    next: VecDeque<String>,
    asks: [Ask; 2],
    /// Which server is asked first.
    first: usize,
    tries: usize,
    deadline: Instant,
    /// A server has refused, so that the name may exist all the same.
    refused: bool,
}

impl Lookup {
    fn is_open(&self) -> bool {
        self.asks.iter().any(|ask| ask.state == AskState::Open)
    }

    fn found(&self) -> Vec<IpAddr> {
        let of = |ask: &Ask| if let AskState::Found(all) = &ask.state { all.clone() } else { Vec::new() };
        self.asks.iter().flat_map(of).collect()
    }
}

/// A stub resolver as a value: names, messages and time go in, messages and events come out.
///
/// ```
/// use weft_core::{Instant, Rng};
/// use weft_net::{DnsConfig, DnsEvent, Hosts, Resolver};
///
/// let config = DnsConfig { hosts: Hosts::parse("192.0.2.1 turn.example"), ..DnsConfig::default() };
/// let mut resolver = Resolver::new(config, Rng::from_test_seed(1));
/// let id = resolver.resolve(Instant::ORIGIN, "turn.example")?;
/// assert_eq!(resolver.poll_event(), Some(DnsEvent::Resolved(id, vec!["192.0.2.1".parse()?])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Resolver {
    config: DnsConfig,
    rng: Rng,
    lookups: Vec<Lookup>,
    out: VecDeque<DnsTransmit>,
    events: VecDeque<DnsEvent>,
    made: u64,
}

impl Resolver {
    /// One that asks the servers of `config`. `rng` must be seeded from the system's entropy: ids of messages are drawn from it,
    /// and who guesses one may answer in the server's place (RFC 5452 section 9.2).
    pub fn new(config: DnsConfig, rng: Rng) -> Self {
        Self { config, rng, lookups: Vec::new(), out: VecDeque::new(), events: VecDeque::new(), made: 0 }
    }

    /// Looks for the addresses of a name, IPv4 and IPv6 at once. Addresses and names of the hosts file are known at once; the
    /// rest comes as an event.
    ///
    /// # Errors
    /// [`DnsError::Name`], [`DnsError::NoServers`], [`DnsError::TooMany`].
    pub fn resolve(&mut self, now: Instant, name: &str) -> Result<LookupId, DnsError> {
        let id = LookupId(self.made);
        let known = name.parse::<IpAddr>().ok().map(|ip| vec![ip]).or_else(|| self.config.hosts.lookup(name));
        if let Some(known) = known {
            self.made += 1;
            self.events.push_back(DnsEvent::Resolved(id, known));
            return Ok(id);
        }
        if !is_name(name) {
            return Err(DnsError::Name);
        }
        if self.config.servers.is_empty() {
            return Err(DnsError::NoServers);
        }
        if self.lookups.len() >= MAX_LOOKUPS {
            return Err(DnsError::TooMany);
        }
        self.made += 1;
        let mut names: VecDeque<String> =
            self.config.candidates(&name.to_ascii_lowercase()).into_iter().filter(|name| is_name(name)).collect();
        let Some(name) = names.pop_front() else { return Err(DnsError::Name) };
        let first = if self.config.rotate { id.0 as usize } else { 0 };
        let ask = |family| Ask { family, id: 0, transport: Transport::Udp, state: AskState::Open };
        let mut lookup = Lookup {
            id,
            name,
            next: names,
            asks: [Family::V4, Family::V6].map(ask),
            first,
            tries: 0,
            deadline: now,
            refused: false,
        };
        self.ask(now, &mut lookup);
        self.lookups.push(lookup);
        Ok(id)
    }

    /// Nobody waits for it any more.
    pub fn cancel(&mut self, id: LookupId) {
        self.lookups.retain(|lookup| lookup.id != id);
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.lookups.is_empty() && self.out.is_empty()
    }

    fn server(&self, lookup: &Lookup) -> Option<SocketAddr> {
        let at = (lookup.first + lookup.tries).checked_rem(self.config.servers.len())?;
        self.config.servers.get(at).copied()
    }

    /// Sends what is open to the server whose turn it is.
    fn ask(&mut self, now: Instant, lookup: &mut Lookup) {
        let Some(server) = self.server(lookup) else { return };
        let round = u32::try_from(lookup.tries / self.config.servers.len().max(1)).unwrap_or(u32::MAX);
        let patience = FIRST_TIMEOUT.saturating_mul(1 << round.min(6));
        lookup.deadline = now + patience.min(self.config.timeout);
        for ask in lookup.asks.iter_mut().filter(|ask| matches!(ask.state, AskState::Open | AskState::Refused)) {
            ask.id = self.rng.u32() as u16;
            ask.state = AskState::Open;
            ask.transport = Transport::Udp;
            let bytes = message::query(ask.id, &lookup.name, ask.family);
            self.out.extend(bytes.map(|bytes| DnsTransmit { transport: Transport::Udp, server, bytes }));
        }
    }

    /// A message came from `server`. What answers no question of ours is dropped: the server, the id and the question have to be
    /// those that were asked (RFC 5452 section 9.1).
    pub fn handle_input(&mut self, now: Instant, server: SocketAddr, transport: Transport, bytes: &[u8]) {
        let Some(answer) = message::parse(bytes) else { return };
        let asked = |lookup: &Lookup, ask: &Ask| {
            (ask.state == AskState::Open && ask.id == answer.id && ask.family == answer.family)
                && (ask.transport == transport && lookup.name == answer.name && self.server(lookup) == Some(server))
        };
        let place =
            self.lookups.iter().enumerate().find_map(|(at, lookup)| {
                lookup.asks.iter().position(|ask| asked(lookup, ask)).map(|which| (at, which))
            });
        let Some((at, which)) = place else { return };
        let mut lookup = self.lookups.remove(at);
        let Some(ask) = lookup.asks.get_mut(which) else { return };
        match answer.verdict {
            Verdict::Truncated if transport == Transport::Udp => {
                ask.transport = Transport::Tcp;
                ask.id = self.rng.u32() as u16;
                let bytes = message::query(ask.id, &lookup.name, ask.family);
                self.out.extend(bytes.map(|bytes| DnsTransmit { transport: Transport::Tcp, server, bytes }));
            }
            Verdict::Addresses(all) if !all.is_empty() => {
                ask.state = AskState::Found(all);
                lookup.deadline = lookup.deadline.min(now + GRACE);
            }
            Verdict::Addresses(_) => ask.state = AskState::Nothing,
            Verdict::NoName => {
                // Of either family.
                for ask in &mut lookup.asks {
                    ask.state = AskState::Nothing;
                }
            }
            Verdict::Truncated | Verdict::Refused => ask.state = AskState::Refused,
        }
        self.go_on(now, lookup);
    }

    /// A TCP connection to `server` failed, or ended before it had answered.
    pub fn stream_failed(&mut self, now: Instant, server: SocketAddr) {
        for at in (0..self.lookups.len()).rev() {
            if self.lookups.get(at).and_then(|lookup| self.server(lookup)) != Some(server) {
                continue;
            }
            let mut lookup = self.lookups.remove(at);
            for ask in
                lookup.asks.iter_mut().filter(|ask| ask.transport == Transport::Tcp && ask.state == AskState::Open)
            {
                ask.state = AskState::Refused;
            }
            self.go_on(now, lookup);
        }
    }

    /// Something is known that was not: what follows of it?
    fn go_on(&mut self, now: Instant, mut lookup: Lookup) {
        if lookup.is_open() {
            self.lookups.push(lookup);
            return;
        }
        let found = lookup.found();
        if !found.is_empty() {
            self.events.push_back(DnsEvent::Resolved(lookup.id, found));
        } else if lookup.asks.iter().any(|ask| ask.state == AskState::Refused) {
            lookup.refused = true;
            self.try_next_server(now, lookup);
        } else {
            self.try_next_name(now, lookup, DnsError::NotFound);
        }
    }

    fn try_next_server(&mut self, now: Instant, mut lookup: Lookup) {
        lookup.tries += 1;
        if lookup.tries < self.config.servers.len() * self.config.attempts.max(MIN_ROUNDS) {
            self.ask(now, &mut lookup);
            self.lookups.push(lookup);
            return;
        }
        let error = if lookup.refused { DnsError::Refused } else { DnsError::TimedOut };
        // Servers that do not answer for one name may for another; those that are silent are silent.
        if lookup.refused {
            self.try_next_name(now, lookup, error);
        } else {
            self.events.push_back(DnsEvent::Failed(lookup.id, error));
        }
    }

    fn try_next_name(&mut self, now: Instant, mut lookup: Lookup, error: DnsError) {
        let Some(name) = lookup.next.pop_front() else {
            self.events.push_back(DnsEvent::Failed(lookup.id, error));
            return;
        };
        lookup.name = name;
        (lookup.tries, lookup.refused) = (0, false);
        for ask in &mut lookup.asks {
            ask.state = AskState::Open;
        }
        self.ask(now, &mut lookup);
        self.lookups.push(lookup);
    }

    /// Asks the next server where one is silent, and gives up.
    pub fn handle_timeout(&mut self, now: Instant) {
        for at in (0..self.lookups.len()).rev() {
            if self.lookups.get(at).is_none_or(|lookup| lookup.deadline > now) {
                continue;
            }
            let lookup = self.lookups.remove(at);
            let found = lookup.found();
            if found.is_empty() {
                self.try_next_server(now, lookup);
            } else {
                self.events.push_back(DnsEvent::Resolved(lookup.id, found));
            }
        }
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<DnsTransmit> {
        self.out.pop_front()
    }

    /// What became of names.
    pub fn poll_event(&mut self) -> Option<DnsEvent> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lookups.iter().map(|lookup| lookup.deadline).min()
    }
}

fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(sound);
    name.len() <= MAX_NAME && name.split('.').all(label)
}
