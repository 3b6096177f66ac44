//! One port for many agents: which of them a datagram is for.

use core::hash::Hash;
use std::collections::{HashMap, VecDeque};

use weft_core::Path;
use weft_stun::{Class, Message, TransactionId, Username};

/// Outstanding requests remembered for each agent; the oldest gives way, and its response is a stray.
const MAX_TRANSACTIONS: usize = 128;
/// Paths owned by each agent at most.
const MAX_PATHS: usize = 128;
/// Username fragments of each agent at most: the session, the one before a restart, and one to spare.
const MAX_UFRAGS: usize = 4;

/// Tells which agent each datagram of a shared socket is for.
///
/// The driver asks [`route`](Self::route) for every datagram that arrives, and tells what it learns:
/// [`add_ufrag`](Self::add_ufrag) when an agent is made or restarts, [`note_sent`](Self::note_sent) for what an agent
/// sends, [`claim`](Self::claim) when [`Agent::is_validated`](crate::Agent::is_validated) says so of the path of a
/// datagram. Checks go by the username fragment they name, responses by the transaction they answer, everything else by
/// the path, which belongs to the one agent that has claimed it. Each takes one look into a hash table, however many
/// agents there are.
///
/// `K` names an agent, as the driver likes.
///
/// ```
/// use weft_core::Path;
/// use weft_ice::{Demultiplexer, Route};
///
/// let mut demux = Demultiplexer::new();
/// demux.add_ufrag(1, "aB3x")?;
/// let path = Path::udp("192.0.2.1:3478".parse()?, "198.51.100.2:6000".parse()?);
/// assert_eq!(demux.route(&path, b"\x16 a DTLS record"), Route::Unknown);
/// demux.claim(1, path)?;
/// assert_eq!(demux.route(&path, b"\x16 a DTLS record"), Route::Agent(1));
/// // Another agent cannot take the path over: it needs another socket, or another pair.
/// assert_eq!(demux.claim(2, path).unwrap_err().owner, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Demultiplexer<K> {
    ufrags: HashMap<String, K>,
    paths: HashMap<Path, K>,
    transactions: HashMap<TransactionId, K>,
    members: HashMap<K, Member>,
    stats: DemuxStats,
}

/// What is stored of one agent, to be forgotten with it.
#[derive(Debug, Default)]
struct Member {
    ufrags: Vec<String>,
    paths: Vec<Path>,
    transactions: VecDeque<TransactionId>,
}

/// Where a datagram goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route<K> {
    /// To this agent.
    Agent(K),
    /// A check for this agent, by a path that another one owns. If it turns out to be authentic, the two peers share an
    /// address, or the owner is a connection that the peer has forgotten: [`Demultiplexer::release`] the path if the
    /// owner no longer needs it, else this agent has to use another socket.
    Conflict {
        /// The agent that the check names.
        agent: K,
        /// The agent that owns the path.
        owner: K,
    },
    /// To nobody here.
    Unknown,
}

/// Why something cannot be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it belongs to another agent")]
pub struct Taken<K> {
    /// The agent that has it. The one that asked, if it has too many already.
    pub owner: K,
}

/// What a demultiplexer has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct DemuxStats {
    /// Checks that name no agent here, and STUN requests without a username.
    pub unknown_ufrag: u64,
    /// Responses to nothing that was asked.
    pub stray_responses: u64,
    /// Other datagrams by paths that nobody owns.
    pub unknown_path: u64,
    /// Checks by a path that belongs to another agent than the one they name.
    pub conflicts: u64,
    /// What looked like STUN and was not.
    pub malformed: u64,
}

impl<K> Default for Demultiplexer<K> {
    fn default() -> Self {
        Self {
            ufrags: HashMap::new(),
            paths: HashMap::new(),
            transactions: HashMap::new(),
            members: HashMap::new(),
            stats: DemuxStats::default(),
        }
    }
}

impl<K: Copy + Eq + Hash> Demultiplexer<K> {
    /// One that knows nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks that name `ufrag` are for `agent`. Those it had before stay, as RFC 8445 section 9 wants it after a restart;
    /// of more than four the oldest is forgotten.
    ///
    /// # Errors
    /// [`Taken`] if another agent has drawn the same one; it has to draw again
    /// ([`Agent::restart`](crate::Agent::restart)).
    pub fn add_ufrag(&mut self, agent: K, ufrag: &str) -> Result<(), Taken<K>> {
        if let Some(&owner) = self.ufrags.get(ufrag) {
            return if owner == agent { Ok(()) } else { Err(Taken { owner }) };
        }
        let member = self.members.entry(agent).or_default();
        if member.ufrags.len() >= MAX_UFRAGS {
            self.ufrags.remove(&member.ufrags.remove(0));
        }
        member.ufrags.reserve_exact(1);
        member.ufrags.push(ufrag.to_owned());
        self.ufrags.insert(ufrag.to_owned(), agent);
        Ok(())
    }

    /// Forgets an agent and all that was its.
    pub fn remove(&mut self, agent: K) {
        let Some(member) = self.members.remove(&agent) else { return };
        for ufrag in &member.ufrags {
            self.ufrags.remove(ufrag);
        }
        for path in &member.paths {
            self.paths.remove(path);
        }
        for id in &member.transactions {
            if self.transactions.get(id) == Some(&agent) {
                self.transactions.remove(id);
            }
        }
    }

    /// `path` is validated for `agent` ([`Agent::is_validated`](crate::Agent::is_validated)): data that comes by it is for
    /// this agent from now on. Claiming again what one has is cheap.
    ///
    /// # Errors
    /// [`Taken`] if another agent owns it: then this one must not use it
    /// ([`Agent::forbid_path`](crate::Agent::forbid_path)). Also if the agent has claimed 128 already.
    pub fn claim(&mut self, agent: K, path: Path) -> Result<(), Taken<K>> {
        if let Some(&owner) = self.paths.get(&path) {
            return if owner == agent { Ok(()) } else { Err(Taken { owner }) };
        }
        let member = self.members.entry(agent).or_default();
        if member.paths.len() >= MAX_PATHS {
            return Err(Taken { owner: agent });
        }
        member.paths.reserve_exact(1);
        member.paths.push(path);
        self.paths.insert(path, agent);
        Ok(())
    }

    /// `path` is nobody's any more.
    pub fn release(&mut self, path: &Path) {
        let member = self.paths.remove(path).and_then(|owner| self.members.get_mut(&owner));
        if let Some(member) = member {
            member.paths.retain(|known| known != path);
        }
    }

    /// Whose `path` is.
    pub fn owner(&self, path: &Path) -> Option<K> {
        self.paths.get(path).copied()
    }

    /// `agent` sends this datagram: if it is a STUN request, its response will be for that agent. Only what
    /// [`Agent::poll_transmit`](crate::Agent) wrote has to be told; data costs one look at its first byte.
    pub fn note_sent(&mut self, agent: K, datagram: &[u8]) {
        // A request has zeros where the class is (RFC 8489 section 5).
        let Some(&[first, second]) = datagram.first_chunk::<2>() else { return };
        if first & 0xC1 != 0 || second & 0x10 != 0 {
            return;
        }
        let Some(Ok(id)) = datagram.get(8..20).map(|id| id.try_into().map(TransactionId)) else { return };
        if self.transactions.insert(id, agent).is_some() {
            return; // sent again
        }
        let member = self.members.entry(agent).or_default();
        if member.transactions.len() >= MAX_TRANSACTIONS
            && let Some(oldest) = member.transactions.pop_front()
        {
            self.transactions.remove(&oldest);
        }
        member.transactions.push_back(id);
    }

    /// Whom a datagram is for. A request that was sent again may be answered more than once: only the first answer finds
    /// its way.
    pub fn route(&mut self, path: &Path, datagram: &[u8]) -> Route<K> {
        if !Message::claims(datagram) {
            let owner = self.owner(path);
            self.stats.unknown_path += u64::from(owner.is_none());
            return owner.map_or(Route::Unknown, Route::Agent);
        }
        let Ok(message) = Message::parse(datagram) else {
            self.stats.malformed += 1;
            return Route::Unknown;
        };
        match message.class() {
            Class::Request => self.route_request(path, &message),
            Class::Success | Class::Error => self.route_response(message.transaction_id()),
            Class::Indication => self.owner(path).map_or(Route::Unknown, Route::Agent),
        }
    }

    fn route_request(&mut self, path: &Path, message: &Message<'_>) -> Route<K> {
        let username = message.get::<Username<'_>>().ok().flatten();
        let ufrag = username.and_then(|Username(name)| name.split_once(':')).map(|(ours, _)| ours);
        let Some(&agent) = ufrag.and_then(|ufrag| self.ufrags.get(ufrag)) else {
            self.stats.unknown_ufrag += 1;
            return Route::Unknown;
        };
        match self.owner(path) {
            Some(owner) if owner != agent => {
                self.stats.conflicts += 1;
                Route::Conflict { agent, owner }
            }
            _ => Route::Agent(agent),
        }
    }

    fn route_response(&mut self, id: TransactionId) -> Route<K> {
        let Some(agent) = self.transactions.remove(&id) else {
            self.stats.stray_responses += 1;
            return Route::Unknown;
        };
        if let Some(member) = self.members.get_mut(&agent)
            && let Some(index) = member.transactions.iter().position(|known| *known == id)
        {
            member.transactions.remove(index);
        }
        Route::Agent(agent)
    }

    /// How many agents it knows.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it knows nobody.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The counters.
    pub fn stats(&self) -> DemuxStats {
        self.stats
    }
}
