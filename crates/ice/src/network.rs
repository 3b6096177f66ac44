//! Candidates of either side that come and go: trickle (RFC 8838), and interfaces that appear and vanish.

use core::net::{IpAddr, SocketAddr};

use weft_core::{Instant, Path, Transport};

use crate::agent::Agent;
use crate::candidate::{COMPONENT, Candidate, CandidateKind, LocalCandidate, TcpType, check_address, same};
use crate::config::Policy;
use crate::error::CandidateError;
use crate::event::{CheckResult, Event, IceState, RestartReason};

impl Agent {
    /// Takes in a candidate of ours and returns it as it is to be signalled; `None` if it is redundant
    /// (RFC 8445 section 5.1.3), or if the policy wants relayed candidates alone: then servers are asked from its base, and
    /// it serves for nothing else. Reflexive and relayed candidates are then gathered from its base, too.
    ///
    /// An interface that appears later is told of in the same way. A peer must be told before checks may go out from it
    /// (RFC 8838 section 10), so add it when it is signalled.
    ///
    /// # Errors
    /// [`CandidateError`] if nothing can be sent from there, or there are too many.
    pub fn add_local_candidate(
        &mut self,
        now: Instant,
        candidate: LocalCandidate,
    ) -> Result<Option<&Candidate>, CandidateError> {
        if self.state == IceState::Closed {
            return Err(CandidateError::Closed);
        }
        check_local(&candidate)?;
        if self.locals.list.len() >= self.config.max_local_candidates {
            return Err(CandidateError::TooMany);
        }
        if candidate.transport == Transport::Udp {
            self.add_base(candidate.base);
        }
        if self.policy == Policy::Relay {
            self.settle(now);
            return Ok(None);
        }
        let term = self.term_of(candidate.kind);
        let Some(index) = self.locals.add(candidate, u16::MAX, term) else { return Ok(None) };
        for remote in 0..self.session.remotes.len() {
            self.pair_up(index, remote);
        }
        self.settle(now);
        Ok(self.locals.get(index).map(|local| &local.candidate))
    }

    /// A socket of ours is gone, and with it the candidates that are sent from `base`. Data goes another way at once if one
    /// works; if none does, the others are checked again, and when that is in vain,
    /// [`Event::RestartNeeded`](crate::Event::RestartNeeded) asks for a restart. Gives how many candidates are gone.
    pub fn remove_local_address(&mut self, now: Instant, base: SocketAddr) -> usize {
        self.remove_locals(now, |local| same(local, base))
    }

    /// As [`remove_local_address`](Self::remove_local_address), for all that is sent from this IP address: its interface is
    /// gone.
    pub fn remove_local_ip(&mut self, now: Instant, ip: IpAddr) -> usize {
        self.remove_locals(now, |local| local.ip() == ip)
    }

    fn remove_locals(&mut self, now: Instant, gone: impl Fn(SocketAddr) -> bool) -> usize {
        let before = self.locals.list.len();
        let relayed = self.remove_bases(&gone);
        let gone = |local: SocketAddr| gone(local) || relayed.iter().any(|relayed| same(*relayed, local));
        self.forget_locals(now, gone, RestartReason::AddressGone);
        self.settle(now);
        before - self.locals.list.len()
    }

    /// Forgets all that is sent from or comes to an address that is gone.
    pub(crate) fn forget_locals(&mut self, now: Instant, gone: impl Fn(SocketAddr) -> bool, reason: RestartReason) {
        let was_in_use = self.selected_path();
        let moved = self.locals.remove(|local| gone(local.base));
        let session = &mut self.session;
        session.checklist.relocate(&moved);
        session.validated.retain(|path| !gone(path.local));
        session.early.retain(|early| !gone(early.path.local));
        self.responses.retain(|(response, _)| !gone(response.path.local));
        if let Some(previous) = &mut self.previous {
            previous.in_use.take_if(|in_use| gone(in_use.info.path.local));
        }
        self.streams.retain(|stream| !gone(stream.path.local));
        for id in [&mut self.session.selected, &mut self.session.chosen] {
            id.take_if(|id| self.session.checklist.get(*id).is_none());
        }
        if was_in_use.is_some_and(|path| gone(path.local)) {
            self.look_for_another(now, reason);
        }
    }

    /// `path` belongs to another agent behind the same socket ([`Demultiplexer`](crate::Demultiplexer)): this one will not
    /// use it, and fails its pair. Another socket, added with [`add_local_candidate`](Self::add_local_candidate), helps.
    pub fn forbid_path(&mut self, now: Instant, path: Path) {
        if self.forbidden.contains(&path) {
            return;
        }
        if self.forbidden.len() >= self.config.max_pairs {
            self.forbidden.remove(0);
        }
        self.forbidden.push(path);
        self.session.validated.retain(|known| *known != path);
        self.session.early.retain(|early| early.path != path);
        let pair = self.session.checklist.pairs.iter().find(|pair| pair.path == path).map(|pair| pair.id);
        if let Some(id) = pair {
            self.fail(id, CheckResult::Forbidden);
            self.session.checklist.remove(id);
        }
        self.settle(now);
    }

    /// Takes in a candidate of the peer. Ignored without an error are duplicates, components other than 1, TCP without a
    /// direction or with simultaneous open, and whatever comes after the end of candidates (RFC 8838 section 14). One whose address is a name is to be resolved first; nothing
    /// is lost if that takes long or fails, as the peer's own checks tell its address.
    ///
    /// # Errors
    /// [`CandidateError`] if nothing can be sent there, or there are too many.
    pub fn add_remote_candidate(&mut self, now: Instant, candidate: Candidate) -> Result<(), CandidateError> {
        if self.state == IceState::Closed {
            return Err(CandidateError::Closed);
        }
        let carried = matches!(candidate.transport, Transport::Udp | Transport::Tcp);
        let directed = (candidate.transport == Transport::Tcp) == candidate.tcp_type.is_some();
        if candidate.component != COMPONENT || !carried || !directed || self.session.remote_ended {
            return Ok(());
        }
        check_address(candidate.address)?;
        if candidate.priority == 0 || candidate.priority > i32::MAX as u32 {
            return Err(CandidateError::Priority);
        }
        let alike = |known: &Candidate| {
            known.transport == candidate.transport
                && known.tcp_type == candidate.tcp_type
                && same(known.address, candidate.address)
        };
        let index = match self.session.remotes.iter().position(alike) {
            Some(index) => {
                if !self.upgrade_peer_reflexive(index, candidate) {
                    return Ok(());
                }
                index
            }
            None if self.session.remotes.len() >= self.config.max_remote_candidates => {
                let room = self.session.recycle_remote();
                let Some((index, slot)) = room.and_then(|at| Some((at, self.session.remotes.get_mut(at)?))) else {
                    self.stats.discarded += 1;
                    return Err(CandidateError::TooMany);
                };
                *slot = candidate;
                index
            }
            None => {
                self.session.remotes.push(candidate);
                self.session.remotes.len() - 1
            }
        };
        for local in 0..self.locals.list.len() {
            self.pair_up(local, index);
        }
        if self.session.patience_ends.is_some() {
            self.session.patience_ends = Some(now + self.config.patience);
        }
        self.settle(now);
        Ok(())
    }

    /// A candidate known from the peer's checks is now signalled: it takes on what the signal says
    /// (RFC 8838 section 11, 4.A). False if it was signalled before.
    fn upgrade_peer_reflexive(&mut self, index: usize, candidate: Candidate) -> bool {
        let Some(known) = self.session.remotes.get_mut(index) else { return false };
        if known.kind != CandidateKind::PeerReflexive {
            return false;
        }
        *known = candidate;
        self.session.checklist.reprioritise(self.role, &self.locals, &self.session.remotes);
        true
    }

    /// No more local candidates will be added for now; those that servers are still asked for come all the same.
    pub fn end_of_local_candidates(&mut self, now: Instant) {
        self.locals_ended = true;
        self.settle(now);
    }

    /// The peer has signalled that it has no more candidates.
    pub fn end_of_remote_candidates(&mut self, now: Instant) {
        self.session.remote_ended = true;
        self.settle(now);
    }

    /// The peer has the ice-option `renomination`, as we have it with [`Config::renomination`](crate::Config): a better pair
    /// that comes later is moved to without a restart.
    pub fn set_remote_renomination(&mut self, offered: bool) {
        self.remote_renomination = offered;
    }

    /// The pair in use is lost: all others get another try, new ones are made, and after a while a restart is asked for.
    pub(crate) fn look_for_another(&mut self, now: Instant, reason: RestartReason) {
        if self.session.remote.is_none() || self.config.lite {
            return;
        }
        self.session.lost.get_or_insert((now + self.config.restart_after, reason));
        self.session.chosen = None;
        for local in 0..self.locals.list.len() {
            for remote in 0..self.session.remotes.len() {
                self.pair_up(local, remote);
            }
        }
        self.session.checklist.revive(now);
        self.session.patience_ends = Some(now + self.config.patience);
        self.next_ordinary = now;
        if self.session.checklist.pairs.is_empty() {
            self.session.lost = None;
            self.emit(Event::RestartNeeded(reason));
        }
    }
}

fn check_local(candidate: &LocalCandidate) -> Result<(), CandidateError> {
    check_address(candidate.address)?;
    let active = candidate.tcp_type == Some(TcpType::Active);
    let base = if active { SocketAddr::new(candidate.base.ip(), candidate.address.port()) } else { candidate.base };
    check_address(base)?;
    let fits = match candidate.transport {
        Transport::Udp => candidate.tcp_type.is_none(),
        Transport::Tcp => candidate.tcp_type.is_some(),
        _ => false,
    };
    if fits && candidate.kind != CandidateKind::PeerReflexive { Ok(()) } else { Err(CandidateError::Kind) }
}
