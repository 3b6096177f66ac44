//! The checklist: forming, pruning and ordering pairs, and which is checked next. RFC 8445 section 6.1, RFC 8838
//! sections 10 to 12.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

use weft_core::{Instant, Path};

use crate::candidate::{Candidate, CandidateKind, TcpType, same};
use crate::event::Role;
use crate::locals::{Local, Locals};
use crate::pair::{Pair, PairId, PairState, pair_priority};

/// All pairs, best first, and the triggered-check queue.
#[derive(Debug)]
pub(crate) struct Checklist {
    pub(crate) pairs: Vec<Pair>,
    triggered: VecDeque<PairId>,
    next_id: u32,
    max: usize,
}

impl Checklist {
    pub(crate) fn new(max: usize) -> Self {
        Self { pairs: Vec::new(), triggered: VecDeque::new(), next_id: 0, max }
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.pairs.shrink_to_fit();
        self.triggered.shrink_to_fit();
        self.pairs.iter_mut().for_each(Pair::shrink_to_fit);
    }

    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        self.pairs.iter_mut().find(|pair| pair.id == id)
    }

    /// The pair of the socket `base` and the remote candidate `remote`.
    pub(crate) fn find(&self, base: SocketAddr, remote: usize) -> Option<PairId> {
        self.pairs.iter().find(|pair| pair.remote == remote && same(pair.path.local, base)).map(|pair| pair.id)
    }

    /// Removes a pair.
    pub(crate) fn remove(&mut self, id: PairId) {
        self.triggered.retain(|queued| *queued != id);
        self.pairs.retain(|pair| pair.id != id);
    }

    /// Removes all pairs with this remote candidate.
    pub(crate) fn forget_remote(&mut self, remote: usize) {
        self.pairs.retain(|pair| pair.remote != remote);
        let pairs = &self.pairs;
        self.triggered.retain(|queued| pairs.iter().any(|pair| pair.id == *queued));
    }

    /// Local candidates have moved in their list, or are gone, and the pairs of those with them.
    pub(crate) fn relocate(&mut self, moved: &[Option<usize>]) {
        let to = |index: usize| moved.get(index).copied().flatten();
        self.pairs.retain_mut(|pair| {
            let Some(local) = to(pair.local) else { return false };
            pair.local = local;
            pair.valid = pair.valid.map(|valid| to(valid).unwrap_or(local));
            true
        });
        let pairs = &self.pairs;
        self.triggered.retain(|queued| pairs.iter().any(|pair| pair.id == *queued));
    }

    /// The pair in use is lost: everything else is worth another try.
    pub(crate) fn revive(&mut self, now: Instant) {
        for pair in &mut self.pairs {
            if matches!(pair.state, PairState::Failed | PairState::Frozen) {
                pair.state = PairState::Waiting;
            }
        }
        let others: Vec<PairId> = self
            .pairs
            .iter()
            .filter(|pair| pair.state == PairState::Succeeded && pair.consent_expires > now && pair.check.is_none())
            .map(|pair| pair.id)
            .collect();
        for id in others {
            self.trigger(id);
        }
    }

    /// Pairs the candidates `l` and `r`, if they fit and are not paired already. `None` when there is no such pair then.
    pub(crate) fn form(
        &mut self,
        role: Role,
        locals: &Locals,
        remotes: &[Candidate],
        l: usize,
        r: usize,
    ) -> Option<PairId> {
        let (local, remote) = (locals.get(l)?, remotes.get(r)?);
        if !fits(local, remote) {
            return None;
        }
        let priority = pair_priority(role, local.candidate.priority, remote.priority);
        let foundation = (local.candidate.foundation, remote.foundation);
        if let Some(id) = self.find(local.base, r).filter(|_| local.candidate.transport == remote.transport) {
            // Redundant (RFC 8445 section 6.1.2.4). Only pairs not checked yet change (RFC 8838 section 10, 5).
            let pair = self.get_mut(id)?;
            if pair.priority < priority && matches!(pair.state, PairState::Frozen | PairState::Waiting) {
                (pair.local, pair.priority, pair.foundation) = (l, priority, foundation);
                self.sort();
            }
            return Some(id);
        }
        self.make_room(priority)?;
        let id = PairId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        let transport = local.candidate.transport;
        let path = Path { transport, local: local.base, remote: reachable(remote.address, local.base) };
        let mut pair = Pair::new(id, (l, r), foundation, path, priority);
        pair.state = self.initial_state(&pair);
        self.pairs.push(pair);
        self.sort();
        Some(id)
    }

    /// One pair of each foundation waits, the others are frozen until it has succeeded (RFC 8445 section 6.1.2.6,
    /// RFC 8838 section 12).
    fn initial_state(&self, new: &Pair) -> PairState {
        let mut of_foundation = self.pairs.iter().filter(|pair| pair.foundation == new.foundation);
        let succeeded = of_foundation.clone().any(|pair| pair.state == PairState::Succeeded);
        let ahead = of_foundation.any(|pair| matches!(pair.state, PairState::Waiting | PairState::InProgress));
        if ahead && !succeeded { PairState::Frozen } else { PairState::Waiting }
    }

    /// Discards a failed pair, else one of lower priority that was not checked yet, if the list is full (RFC 8838
    /// section 10, 6). `None` if that cannot be done.
    fn make_room(&mut self, priority: u64) -> Option<()> {
        if self.pairs.len() < self.max {
            return Some(());
        }
        let failed = self.pairs.iter().rposition(|pair| pair.state == PairState::Failed);
        let index = failed.or_else(|| {
            self.pairs.iter().rposition(|pair| {
                matches!(pair.state, PairState::Frozen | PairState::Waiting) && pair.priority < priority
            })
        })?;
        let gone = self.pairs.remove(index);
        self.triggered.retain(|id| *id != gone.id);
        Some(())
    }

    /// Best first; equal ones in the order they came.
    fn sort(&mut self) {
        self.pairs.sort_by_key(|pair| core::cmp::Reverse(pair.priority));
    }

    /// Computes all priorities again: the role or a candidate has changed.
    pub(crate) fn reprioritise(&mut self, role: Role, locals: &Locals, remotes: &[Candidate]) {
        for pair in &mut self.pairs {
            if let (Some(local), Some(remote)) = (locals.get(pair.local), remotes.get(pair.remote)) {
                pair.priority = pair_priority(role, local.candidate.priority, remote.priority);
                pair.foundation = (local.candidate.foundation, remote.foundation);
            }
        }
        self.sort();
    }

    /// Puts a pair into the triggered-check queue (RFC 8445 section 6.1.4.1).
    pub(crate) fn trigger(&mut self, id: PairId) {
        if let Some(pair) = self.get_mut(id) {
            pair.cancel();
            if pair.state != PairState::Succeeded {
                pair.state = PairState::Waiting;
            }
            if !self.triggered.contains(&id) {
                self.triggered.push_back(id);
            }
        }
    }

    /// Takes a pair out of the triggered-check queue.
    pub(crate) fn untrigger(&mut self, id: PairId) {
        self.triggered.retain(|queued| *queued != id);
    }

    pub(crate) fn next_triggered(&mut self) -> Option<PairId> {
        self.triggered.pop_front()
    }

    pub(crate) fn has_triggered(&self) -> bool {
        !self.triggered.is_empty()
    }

    /// The pair for the next ordinary check (RFC 8445 section 6.1.4.2, steps 2 and 3).
    /// Only of pairs with a priority above `floor`.
    pub(crate) fn next_ordinary(&mut self, floor: u64) -> Option<PairId> {
        let waits = |pair: &&Pair| pair.state == PairState::Waiting && pair.priority > floor;
        if !self.pairs.iter().any(|pair| waits(&pair)) {
            self.thaw();
        }
        self.pairs.iter().find(waits).map(|pair| pair.id)
    }

    /// Whether [`next_ordinary`](Self::next_ordinary) would find one.
    pub(crate) fn has_ordinary(&self, floor: u64) -> bool {
        self.pairs.iter().filter(|pair| pair.priority > floor).any(|pair| match pair.state {
            PairState::Waiting => true,
            PairState::Frozen => !self.is_busy(pair),
            _ => false,
        })
    }

    /// Whether a pair of the same foundation waits or is being checked. One that had to be checked again no longer holds up
    /// the others: a foundation shared by chance would cost them the 40 s it takes to fail.
    fn is_busy(&self, of: &Pair) -> bool {
        self.pairs.iter().filter(|pair| pair.foundation == of.foundation).any(|pair| match pair.state {
            PairState::Waiting => true,
            PairState::InProgress => pair.check.as_ref().is_none_or(|check| check.transaction.sent() <= 1),
            _ => false,
        })
    }

    /// Unfreezes the best pair of each foundation with nothing under way.
    fn thaw(&mut self) {
        for index in 0..self.pairs.len() {
            let frozen =
                self.pairs.get(index).is_some_and(|pair| pair.state == PairState::Frozen && !self.is_busy(pair));
            if let Some(pair) = self.pairs.get_mut(index).filter(|_| frozen) {
                pair.state = PairState::Waiting;
            }
        }
    }

    /// A check of this foundation has succeeded (RFC 8445 section 7.2.5.3.3).
    pub(crate) fn unfreeze(&mut self, of: PairId) {
        let Some(foundation) = self.get(of).map(|pair| pair.foundation) else { return };
        for pair in &mut self.pairs {
            if pair.foundation == foundation && pair.state == PairState::Frozen {
                pair.state = PairState::Waiting;
            }
        }
    }

    /// A pair is nominated: nothing else is checked any more (RFC 8445 section 8.1.2). Valid pairs stay, and so do
    /// cancelled checks, whose responses still count.
    pub(crate) fn conclude(&mut self, nominated: PairId) {
        self.triggered.clear();
        for pair in &mut self.pairs {
            if pair.id != nominated {
                pair.cancel();
            }
        }
        self.pairs
            .retain(|pair| pair.id == nominated || matches!(pair.state, PairState::Succeeded | PairState::InProgress));
    }

    /// Frozen, waiting and in progress: how many checks share the pace.
    pub(crate) fn open(&self) -> usize {
        self.pairs.iter().filter(|pair| pair.is_open()).count()
    }
}

/// Whether two candidates can make a pair (RFC 8445 section 6.1.2.2).
fn fits(local: &Local, remote: &Candidate) -> bool {
    local.candidate.kind != CandidateKind::PeerReflexive
        && local.candidate.transport == remote.transport
        && local.candidate.tcp_type.map(TcpType::opposite) == remote.tcp_type
        && connects(local, remote)
        && local.base.is_ipv4() == remote.address.is_ipv4()
        && is_link_local(local.base.ip()) == is_link_local(remote.address.ip())
}

/// A passive candidate waits to be connected to: only when that has happened, and the peer's port is known, there is a pair
/// (RFC 6544 section 6.2).
fn connects(local: &Local, remote: &Candidate) -> bool {
    local.candidate.tcp_type != Some(TcpType::Passive) || remote.kind == CandidateKind::PeerReflexive
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// The remote address with the scope of our interface where it needs one.
fn reachable(remote: SocketAddr, base: SocketAddr) -> SocketAddr {
    match (remote, base) {
        (SocketAddr::V6(mut remote), SocketAddr::V6(base)) if remote.ip().is_unicast_link_local() => {
            remote.set_scope_id(base.scope_id());
            SocketAddr::V6(remote)
        }
        _ => remote,
    }
}
