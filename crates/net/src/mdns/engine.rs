//! The responder and the resolver, without sockets.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use weft_core::{Instant, Rng};

use super::message::{self, Incoming};

/// Where multicast DNS is spoken over IPv4 (RFC 6762 section 3).
pub const GROUP_V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251)), PORT);
const PORT: u16 = 5353;

/// Names of ours, and names being resolved, at most.
const MAX_NAMES: usize = 256;
/// When a question is asked, after the name was given: successive ones at least a second apart, the interval doubled
/// (RFC 6762 section 5.2).
const ASK_AFTER: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];
/// Then it is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);
/// A record is multicast no more often (RFC 6762 section 6).
const MULTICAST_PERIOD: Duration = Duration::from_secs(1);
/// Unicast answers in a second.
const UNICAST_RATE: u32 = 20;
/// Life of a record with a host's address, in seconds (RFC 6762 section 10), and of one for a legacy resolver (section 6.7).
const TTL: u32 = 120;
const LEGACY_TTL: u32 = 10;

/// What became of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MdnsEvent {
    /// An address of the name. There may be another one of the other family.
    Resolved(String, IpAddr),
    /// Nobody answers for the name.
    Unresolved(String),
}

/// Why a name is not resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MdnsError {
    /// It is not one label and `.local`: others are ignored, as the draft asks for.
    #[error("not a name of the form label.local")]
    Name,
    /// As many are being resolved as may be.
    #[error("too many names at a time")]
    TooMany,
}

/// By which socket a datagram leaves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outlet {
    /// The one bound to port 5353, as all of multicast DNS but one-shot queries is.
    Multicast,
    /// One with a port of its own, for one-shot queries (RFC 6762 section 5.1): answers come straight to it.
    OneShot,
}

/// What was seen and dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct MdnsStats {
    /// Datagrams that are no DNS messages, or not of a kind that matters.
    pub ignored: u64,
    /// Questions not answered, because an answer was just given or too many were asked.
    pub limited: u64,
    /// Answers given.
    pub answered: u64,
}

/// One of our names.
#[derive(Debug)]
struct Own {
    ip: IpAddr,
    multicast_at: Option<Instant>,
    announce_again: Option<Instant>,
}

/// A name being resolved.
#[derive(Debug)]
struct Search {
    name: String,
    since: Instant,
    asked: usize,
    found: Vec<IpAddr>,
}

/// Multicast DNS for names that stand for addresses, as a value: datagrams and time go in, datagrams and events come out.
///
/// ```
/// use weft_core::{Instant, Rng};
/// use weft_net::{Mdns, MdnsEvent};
///
/// let now = Instant::ORIGIN;
/// let (mut ours, mut theirs) = (Mdns::new(Rng::from_test_seed(1)), Mdns::new(Rng::from_test_seed(2)));
/// let name = ours.hide(now, "192.0.2.1".parse()?).ok_or("too many names")?;
/// theirs.resolve(now, &name)?;
/// let (_, to, query) = theirs.poll_transmit(now).ok_or("asks at once")?;
/// ours.handle_input(now, "192.0.2.2:5353".parse()?, to, &query);
/// while let Some((_, to, answer)) = ours.poll_transmit(now) {
///     theirs.handle_input(now, "192.0.2.1:5353".parse()?, to, &answer);
/// }
/// assert_eq!(theirs.poll_event(), Some(MdnsEvent::Resolved(name, "192.0.2.1".parse()?)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Mdns {
    rng: Rng,
    own: HashMap<String, Own>,
    searches: Vec<Search>,
    out: VecDeque<(Outlet, SocketAddr, Vec<u8>)>,
    events: VecDeque<MdnsEvent>,
    unicast: (Instant, u32),
    stats: MdnsStats,
}

impl Mdns {
    /// One that knows no names. `rng` must be seeded from the system's entropy: names are to tell nothing.
    pub fn new(rng: Rng) -> Self {
        Self {
            rng,
            own: HashMap::new(),
            searches: Vec::new(),
            out: VecDeque::new(),
            events: VecDeque::new(),
            unicast: (Instant::ORIGIN, 0),
            stats: MdnsStats::default(),
        }
    }

    /// A name that stands for `ip` from now on: a random UUID (RFC 9562 section 5.4) and `.local`. It is announced, and answered
    /// for until it is forgotten. The same address has one name; a new page, call or whatever must not be linked to an older
    /// one takes a new `Mdns`. `None` if there are 256 names already.
    pub fn hide(&mut self, now: Instant, ip: IpAddr) -> Option<String> {
        if let Some((name, _)) = self.own.iter().find(|(_, own)| own.ip == ip) {
            return Some(name.clone());
        }
        if self.own.len() >= MAX_NAMES {
            return None;
        }
        let name = self.uuid_name();
        let announce_again = Some(now + MULTICAST_PERIOD);
        self.own.insert(name.clone(), Own { ip, multicast_at: Some(now), announce_again });
        self.multicast(&name, ip, TTL);
        Some(name)
    }

    /// The name is ours no more: those who know it are told (RFC 6762 section 10.1).
    pub fn forget(&mut self, name: &str) {
        if let Some(own) = self.own.remove(&name.to_ascii_lowercase()) {
            self.multicast(name, own.ip, 0);
        }
    }

    /// Finds the addresses of a peer's name. What is found, or that nothing is, comes as events; nothing waits for it.
    ///
    /// # Errors
    /// [`MdnsError`] if the name is not of the local link, or too many are looked for.
    pub fn resolve(&mut self, now: Instant, name: &str) -> Result<(), MdnsError> {
        let name = name.to_ascii_lowercase();
        let label = name.strip_suffix(".local").ok_or(MdnsError::Name)?;
        let sound = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        if label.is_empty() || label.len() > 63 || !label.bytes().all(sound) {
            return Err(MdnsError::Name);
        }
        if let Some(own) = self.own.get(&name) {
            // A peer on this very host.
            self.events.push_back(MdnsEvent::Resolved(name, own.ip));
            return Ok(());
        }
        if self.searches.iter().any(|search| search.name == name) {
            return Ok(());
        }
        if self.searches.len() >= MAX_NAMES {
            return Err(MdnsError::TooMany);
        }
        self.searches.push(Search { name, since: now, asked: 0, found: Vec::new() });
        Ok(())
    }

    /// A datagram came from `from` to `to`, the group or an address of ours. The caller drops what does not come from the local
    /// link (RFC 6762 section 11).
    pub fn handle_input(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        match message::parse(bytes) {
            Some(Incoming::Query { id, asked }) => {
                for asked in asked {
                    self.answer(now, from, to, id, &asked);
                }
            }
            // Others than responders do not answer (RFC 6762 section 6).
            Some(Incoming::Response(_)) if from.port() != PORT => self.stats.ignored += 1,
            Some(Incoming::Response(answers)) => {
                for answer in answers {
                    self.found(&answer.name, answer.ip);
                }
            }
            None => self.stats.ignored += 1,
        }
    }

    fn answer(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, id: u16, asked: &message::Asked) {
        let Some(own) = self.own.get_mut(&asked.name) else { return };
        let ip = own.ip;
        if !(if ip.is_ipv4() { asked.v4 } else { asked.v6 }) {
            return;
        }
        let legacy = from.port() != PORT;
        if legacy || asked.unicast || to.ip() != GROUP_V4.ip() {
            if now - self.unicast.0 >= Duration::from_secs(1) {
                self.unicast = (now, 0);
            }
            if self.unicast.1 >= UNICAST_RATE {
                self.stats.limited += 1;
                return;
            }
            self.unicast.1 += 1;
            let (ttl, id) = if legacy { (LEGACY_TTL, Some(id)) } else { (TTL, None) };
            self.stats.answered += 1;
            self.out.extend(message::response(&asked.name, ip, ttl, id).map(|bytes| (Outlet::Multicast, from, bytes)));
            return;
        }
        if own.multicast_at.is_some_and(|at| now - at < MULTICAST_PERIOD) {
            // Who asks so soon has heard the last one, or hears the announcement that follows.
            let again = own.multicast_at.unwrap_or(now) + MULTICAST_PERIOD;
            own.announce_again = Some(own.announce_again.map_or(again, |at| at.min(again)));
            self.stats.limited += 1;
            return;
        }
        own.multicast_at = Some(now);
        self.stats.answered += 1;
        self.multicast(&asked.name, ip, TTL);
    }

    fn found(&mut self, name: &str, ip: IpAddr) {
        let Some(search) = self.searches.iter_mut().find(|search| search.name == name) else { return };
        if search.found.len() < 2 && !search.found.contains(&ip) && !ip.is_unspecified() && !ip.is_multicast() {
            search.found.push(ip);
            self.events.push_back(MdnsEvent::Resolved(name.to_owned(), ip));
        }
    }

    fn multicast(&mut self, name: &str, ip: IpAddr, ttl: u32) {
        self.out.extend(message::response(name, ip, ttl, None).map(|bytes| (Outlet::Multicast, GROUP_V4, bytes)));
    }

    /// The next datagram to send: by which socket, and where to.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<(Outlet, SocketAddr, Vec<u8>)> {
        if let Some(out) = self.out.pop_front() {
            return Some(out);
        }
        for search in &mut self.searches {
            let due = ASK_AFTER.get(search.asked).is_some_and(|after| search.since + *after <= now);
            if due && search.found.is_empty() {
                // The first by multicast DNS proper, then as a resolver that cannot hear the group.
                let outlet = if search.asked == 0 { Outlet::Multicast } else { Outlet::OneShot };
                search.asked += 1;
                let id = if outlet == Outlet::OneShot { self.rng.u32() as u16 } else { 0 };
                return message::query(id, &search.name).map(|bytes| (outlet, GROUP_V4, bytes));
            }
        }
        None
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let mut announce = Vec::new();
        for (name, own) in &mut self.own {
            if own.announce_again.take_if(|at| *at <= now).is_some() {
                own.multicast_at = Some(now);
                announce.push((name.clone(), own.ip));
            }
        }
        for (name, ip) in announce {
            self.multicast(&name, ip, TTL);
        }
        let events = &mut self.events;
        self.searches.retain(|search| {
            let over = search.since + GIVE_UP_AFTER <= now;
            if over && search.found.is_empty() {
                events.push_back(MdnsEvent::Unresolved(search.name.clone()));
            }
            !over
        });
    }

    /// What became of names.
    pub fn poll_event(&mut self) -> Option<MdnsEvent> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) and [`poll_transmit`](Self::poll_transmit) want to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.out.is_empty() {
            return Some(Instant::ORIGIN);
        }
        let searches = self.searches.iter().map(|search| {
            let ask = ASK_AFTER.get(search.asked).filter(|_| search.found.is_empty());
            search.since + ask.copied().unwrap_or(GIVE_UP_AFTER)
        });
        searches.chain(self.own.values().filter_map(|own| own.announce_again)).min()
    }

    /// The counters.
    pub fn stats(&self) -> MdnsStats {
        self.stats
    }

    fn uuid_name(&mut self) -> String {
        let mut bytes = [0; 16];
        self.rng.fill(&mut bytes);
        let mut name = String::with_capacity(42);
        for (n, byte) in bytes.iter().enumerate() {
            let byte = match n {
                6 => byte & 0x0F | 0x40,
                8 => byte & 0x3F | 0x80,
                _ => *byte,
            };
            let dash = if matches!(n, 4 | 6 | 8 | 10) { "-" } else { "" };
            let _ = write!(name, "{dash}{byte:02x}");
        }
        name + ".local"
    }
}
