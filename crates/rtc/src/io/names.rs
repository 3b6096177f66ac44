//! Names that connections want resolved: of servers by DNS, of the local link by multicast DNS. Nothing waits and there is no
//! thread.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use weft_core::{Instant, Rng};
use weft_ice::ServerId;
use weft_net::{Dns, DnsConfig, DnsEvent, LookupId, Mdns, MdnsEvent, MdnsSocket};

use crate::config::{Config, MdnsPolicy};
use crate::sans_io::PeerConnection;

/// What a name is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    Server(ServerId),
    Candidate,
}

/// Who wants to know.
#[derive(Clone, Debug)]
struct Asker {
    key: u64,
    what: What,
    name: String,
}

/// The addresses of a name, for the connection `key`.
#[derive(Debug)]
pub(crate) struct Answer {
    #[cfg_attr(not(feature = "tokio"), allow(dead_code))] // who has one connection need not ask for which
    pub(crate) key: u64,
    what: What,
    name: String,
    addresses: Vec<IpAddr>,
}

impl Answer {
    /// Hands it over.
    pub(crate) fn give(&self, now: Instant, peer: &mut PeerConnection) {
        match self.what {
            What::Server(id) => peer.server_resolved(now, id, &self.addresses),
            What::Candidate => peer.candidate_resolved(now, &self.name, &self.addresses),
        }
    }
}

/// Multicast DNS and its sockets.
#[derive(Debug)]
struct Link {
    mdns: Mdns,
    sockets: MdnsSocket,
}

/// The resolvers, made when they are first needed.
#[derive(Debug)]
pub(crate) struct Names {
    servers: Vec<SocketAddr>,
    loopback: bool,
    /// Names of ours are answered for, for as long as there are sockets.
    hides: bool,
    dns: Option<Dns>,
    link: Option<Link>,
    /// What was asked for since the last turn.
    asked: VecDeque<Asker>,
    looked_up: Vec<(LookupId, Asker)>,
    searched: Vec<Asker>,
    answers: VecDeque<Answer>,
    #[cfg(feature = "tokio")]
    ready: Ready,
}

impl Names {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            servers: config.dns_servers.clone(),
            loopback: config.loopback,
            hides: config.mdns == MdnsPolicy::Hide,
            dns: None,
            link: None,
            asked: VecDeque::new(),
            looked_up: Vec::new(),
            searched: Vec::new(),
            answers: VecDeque::new(),
            #[cfg(feature = "tokio")]
            ready: Ready::default(),
        }
    }

    /// Notes that a name is to be resolved; the answer comes by [`poll_answer`](Self::poll_answer). The lock of a connection
    /// may be held: files are read and sockets opened in the next [`turn`](Self::turn).
    pub(crate) fn resolve(&mut self, key: u64, what: What, name: String) {
        self.asked.push_back(Asker { key, what, name });
    }

    /// Begins with what was asked for.
    fn begin(&mut self, now: Instant) {
        for asker in std::mem::take(&mut self.asked) {
            let name = asker.name.strip_suffix('.').unwrap_or(&asker.name);
            let local = name.to_ascii_lowercase().ends_with(".local");
            if local { self.search(now, asker) } else { self.look_up(now, asker) }
        }
    }

    fn look_up(&mut self, now: Instant, asker: Asker) {
        if self.dns.is_none() {
            let mut config = DnsConfig::system();
            if !self.servers.is_empty() {
                config.servers.clone_from(&self.servers);
            }
            let Ok(seed) = weft_net::entropy_seed() else { return self.answer(asker, Vec::new()) };
            self.dns = Some(Dns::new(config, Rng::from_seed(seed)));
        }
        let Some(dns) = &mut self.dns else { return };
        match dns.resolve(now, &asker.name) {
            Ok(id) => self.looked_up.push((id, asker)),
            Err(error) => {
                tracing::debug!(name = %asker.name, %error, "not resolved");
                self.answer(asker, Vec::new());
            }
        }
    }

    fn search(&mut self, now: Instant, asker: Asker) {
        let name = asker.name.strip_suffix('.').unwrap_or(&asker.name).to_ascii_lowercase();
        let begun = self.link().is_some_and(|link| link.mdns.resolve(now, &name).is_ok());
        if begun {
            self.searched.push(asker);
        } else {
            self.answer(asker, Vec::new());
        }
    }

    /// A name that stands for `ip` from now on; `None` without entropy or when there are too many.
    pub(crate) fn hide(&mut self, now: Instant, ip: IpAddr) -> Option<String> {
        let name = self.opened().and_then(|link| link.mdns.hide(now, ip));
        self.turn(now);
        name
    }

    /// As [`hide`](Self::hide), where `config` asks for it.
    pub(crate) fn hide_if(&mut self, config: &Config, now: Instant, ip: IpAddr) -> Option<String> {
        if config.mdns == MdnsPolicy::Hide { self.hide(now, ip) } else { None }
    }

    /// Multicast DNS, opened when it is first needed.
    fn opened(&mut self) -> Option<&mut Link> {
        if self.link.is_none() {
            self.link = Link::open(self.loopback);
        }
        self.link.as_mut()
    }

    /// Multicast DNS, if there is a socket for it.
    fn link(&mut self) -> Option<&mut Link> {
        self.opened().filter(|link| link.sockets.sockets().next().is_some())
    }

    fn answer(&mut self, asker: Asker, addresses: Vec<IpAddr>) {
        let Asker { key, what, name } = asker;
        self.answers.push_back(Answer { key, what, name, addresses });
    }

    /// Reads, sends, and lets timers fire.
    pub(crate) fn turn(&mut self, now: Instant) {
        self.begin(now);
        if let Some(dns) = &mut self.dns {
            dns.turn(now);
        }
        while let Some(event) = self.dns.as_mut().and_then(Dns::poll_event) {
            let (of, found) = match event {
                DnsEvent::Resolved(of, found) => (of, found),
                DnsEvent::Failed(of, error) => {
                    tracing::debug!(%error, "a name was not resolved");
                    (of, Vec::new())
                }
                _ => continue,
            };
            if let Some(at) = self.looked_up.iter().position(|(id, _)| *id == of) {
                let (_, asker) = self.looked_up.swap_remove(at);
                self.answer(asker, found);
            }
        }
        if let Some(link) = &mut self.link {
            link.sockets.turn(now, &mut link.mdns);
        }
        while let Some(event) = self.link.as_mut().and_then(|link| link.mdns.poll_event()) {
            let (name, found) = match event {
                MdnsEvent::Resolved(name, ip) => (name, vec![ip]),
                MdnsEvent::Unresolved(name) => (name, Vec::new()),
                _ => continue,
            };
            let is_it = |asker: &mut Asker| asker.name.trim_end_matches('.').eq_ignore_ascii_case(&name);
            for asker in self.searched.extract_if(.., is_it).collect::<Vec<_>>() {
                self.answer(asker, found.clone());
            }
        }
        self.tidy();
    }

    /// Lets go of DNS, its sockets included, when nobody looks for a name: it is made anew for what is asked later, as the
    /// system's servers may be others by then. The same with multicast DNS.
    fn tidy(&mut self) {
        if self.looked_up.is_empty() {
            self.dns = None;
            // Its sockets are others than those that are watched next, though their count may be the same.
            #[cfg(feature = "tokio")]
            self.ready.forget_dns();
        }
        self.tidy_link();
    }

    /// Lets go of multicast DNS when nobody looks for a name and none of ours is answered for.
    fn tidy_link(&mut self) {
        if !self.hides && self.searched.is_empty() {
            self.link = None;
            #[cfg(feature = "tokio")]
            self.ready.forget_link();
        }
    }

    /// The next answer.
    pub(crate) fn poll_answer(&mut self) -> Option<Answer> {
        self.answers.pop_front()
    }

    /// When [`turn`](Self::turn) wants to be called, whether or not a socket is ready.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let dns = self.dns.as_ref().and_then(Dns::poll_timeout);
        let link = self.link.as_ref().and_then(|link| link.mdns.poll_timeout());
        Instant::earliest([dns, link])
    }

    /// Whether a name is being resolved.
    pub(crate) fn is_busy(&self) -> bool {
        self.has_work() || !self.looked_up.is_empty() || !self.searched.is_empty()
    }

    /// Whether the next [`turn`](Self::turn) is due at once.
    pub(crate) fn has_work(&self) -> bool {
        !self.asked.is_empty() || !self.answers.is_empty()
    }

    /// Whether names of ours are answered for.
    pub(crate) fn answers_for_names(&self) -> bool {
        self.link.is_some()
    }

    /// Interfaces have changed.
    pub(crate) fn refresh(&mut self) {
        let loopback = self.loopback;
        if let Some(Err(error)) = self.link.as_mut().map(|link| link.sockets.refresh(loopback)) {
            tracing::debug!(%error, "multicast DNS does not follow the interfaces");
        }
    }

    /// Nobody waits for what this connection has asked for.
    #[cfg(any(test, feature = "tokio"))]
    pub(crate) fn forget(&mut self, key: u64) {
        for (id, _) in self.looked_up.extract_if(.., |(_, asker)| asker.key == key) {
            if let Some(dns) = &mut self.dns {
                dns.cancel(id);
            }
        }
        self.asked.retain(|asker| asker.key != key);
        self.searched.retain(|asker| asker.key != key);
        self.tidy();
    }

    /// The address is gone: nobody is told it any more.
    #[cfg(feature = "tokio")]
    pub(crate) fn unhide(&mut self, name: &str) {
        if let Some(link) = &mut self.link {
            link.mdns.forget(name);
        }
    }

    /// Lets go of all sockets.
    pub(crate) fn close(&mut self) {
        (self.dns, self.link) = (None, None);
        self.asked.clear();
        self.looked_up.clear();
        self.searched.clear();
    }
}

impl Link {
    fn open(loopback: bool) -> Option<Self> {
        let seed = weft_net::entropy_seed().ok()?;
        let sockets =
            MdnsSocket::open(loopback).inspect_err(|error| tracing::debug!(%error, "no multicast DNS")).ok()?;
        Some(Self { mdns: Mdns::new(Rng::from_seed(seed)), sockets })
    }
}

/// What waits on the sockets for a task.
#[cfg(feature = "tokio")]
#[derive(Debug, Default)]
struct Ready {
    dns: (u64, Vec<weft_net::Readiness>),
    link: Option<Vec<weft_net::Readiness>>,
}

#[cfg(feature = "tokio")]
impl Ready {
    fn forget_dns(&mut self) {
        self.dns = (0, Vec::new());
    }

    fn forget_link(&mut self) {
        self.link = None;
    }
}

#[cfg(feature = "tokio")]
impl Names {
    /// Whether something has come; the task is woken when it does.
    pub(crate) fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> bool {
        use weft_net::Readiness;
        let watched = |all: Vec<std::io::Result<Readiness>>| all.into_iter().flatten().collect::<Vec<_>>();
        let mut ready = self.has_work();
        if let Some(dns) = &self.dns
            && self.ready.dns.0 != dns.generation()
        {
            let udp = dns.udp_sockets().map(Readiness::udp);
            self.ready.dns = (dns.generation(), watched(udp.chain(dns.tcp_sockets().map(Readiness::tcp)).collect()));
            ready = true;
        }
        if let Some(link) = &self.link
            && self.ready.link.is_none()
        {
            self.ready.link = Some(watched(link.sockets.sockets().map(Readiness::udp).collect()));
            ready = true;
        }
        for one in self.ready.dns.1.iter().chain(self.ready.link.iter().flatten()) {
            ready |= one.poll_ready(cx);
        }
        ready
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn asking_only_takes_note_and_the_turn_does_the_work() {
        let config = Config { dns_servers: vec!["127.0.0.1:9".parse().unwrap()], ..Config::default() };
        let mut names = Names::new(&config);
        names.resolve(1, What::Candidate, "there.example".to_owned());
        names.resolve(1, What::Candidate, "there.local".to_owned());
        names.resolve(2, What::Candidate, "there.example".to_owned());
        // No file was read and no socket opened yet, and the driver knows that there is work.
        assert!(names.dns.is_none() && names.link.is_none() && names.is_busy() && names.has_work());
        names.forget(1);
        assert_eq!(names.asked.len(), 1);
        names.turn(Instant::ORIGIN);
        assert!(names.dns.is_some() && names.link.is_none() && names.asked.is_empty());
        assert_eq!(names.looked_up.len(), 1);
    }
}
