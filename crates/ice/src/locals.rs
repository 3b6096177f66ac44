//! Our own candidates.

use core::net::{IpAddr, SocketAddr};

use weft_core::{Path, Transport};

use crate::candidate::{
    COMPONENT, Candidate, CandidateKind, Foundation, LocalCandidate, TcpType, priority, same, tcp_preference,
};

/// One of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local {
    pub(crate) candidate: Candidate,
    pub(crate) base: SocketAddr,
    /// The server it was gathered from.
    server: Option<IpAddr>,
    pub(crate) preference: u16,
    pub(crate) term: Term,
}

/// Which session a candidate is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Term {
    /// The one there is and those to come.
    Stays,
    /// The one there is.
    Leaves,
    /// Those to come: checks neither leave nor come by it before.
    Waits,
}

impl Local {
    fn likeness(&self) -> Likeness {
        (self.candidate.kind, self.base.ip(), self.candidate.transport, self.server)
    }

    /// Whether datagrams by `path` come to its base.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        self.term != Term::Waits && self.candidate.transport == path.transport && same(self.base, path.local)
    }

    /// Whether a response that tells `mapped` speaks of this candidate. The port of an active TCP candidate is known to its
    /// connections alone (RFC 6544 section 7.1).
    fn is_mapped(&self, path: &Path, mapped: SocketAddr) -> bool {
        let active = self.candidate.tcp_type == Some(TcpType::Active);
        let candidate = &self.candidate;
        candidate.transport == path.transport
            && if active { candidate.address.ip() == mapped.ip() } else { same(candidate.address, mapped) }
    }
}

/// What makes candidates alike (RFC 8445 section 5.1.1.3): kind, base, transport, server.
type Likeness = (CandidateKind, IpAddr, Transport, Option<IpAddr>);

/// Ours, in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Locals {
    pub(crate) list: Vec<Local>,
    foundations_made: usize,
}

impl Locals {
    pub(crate) fn shrink_to_fit(&mut self) {
        self.list.shrink_to_fit();
    }

    /// Takes one in; `None` if it is redundant (same address and base, RFC 8445 section 5.1.3). Preferences count down from
    /// `band`.
    pub(crate) fn add(&mut self, new: LocalCandidate, band: u16, term: Term) -> Option<usize> {
        if self.list.iter().any(|l| {
            l.candidate.transport == new.transport
                && l.candidate.tcp_type == new.tcp_type
                && same(l.candidate.address, new.address)
                && same(l.base, new.base)
        }) {
            return None;
        }
        let preference = match (new.preference, new.tcp_type) {
            (Some(preference), None) => preference,
            (Some(preference), Some(tcp_type)) => tcp_preference(tcp_type, preference),
            (None, _) => self.next_preference(&new, band),
        };
        let foundation = self.foundation((new.kind, new.base.ip(), new.transport, new.server));
        let related = (new.kind != CandidateKind::Host).then_some(new.base);
        let candidate = Candidate {
            foundation,
            component: COMPONENT,
            transport: new.transport,
            priority: priority(new.kind, new.transport, preference),
            address: new.address,
            kind: new.kind,
            related,
            tcp_type: new.tcp_type,
        };
        self.list.push(Local { candidate, base: new.base, server: new.server, preference, term });
        self.list.len().checked_sub(1)
    }

    /// Takes in what the peer saw of the candidate `from` (RFC 8445 section 7.2.5.3.1).
    pub(crate) fn add_peer_reflexive(&mut self, address: SocketAddr, from: usize, max: usize) -> Option<usize> {
        let &Local { candidate, base, preference, term, .. } = self.list.get(from)?;
        if self.list.len() >= max {
            return None;
        }
        let kind = CandidateKind::PeerReflexive;
        let foundation = self.foundation((kind, base.ip(), candidate.transport, None));
        let candidate = Candidate {
            foundation,
            kind,
            address,
            priority: priority(kind, candidate.transport, preference),
            related: Some(base),
            ..candidate
        };
        self.list.push(Local { candidate, base, server: None, preference, term });
        self.list.len().checked_sub(1)
    }

    /// Forgets what peers saw: it belongs to one session.
    pub(crate) fn flush_peer_reflexive(&mut self) {
        self.list.retain(|local| local.candidate.kind != CandidateKind::PeerReflexive);
    }

    /// The session ends: those that were for it alone go, and those that waited have their turn.
    pub(crate) fn end_terms(&mut self) {
        self.list.retain(|local| local.term != Term::Leaves);
        self.list.iter_mut().for_each(|local| local.term = Term::Stays);
    }

    /// Removes those for which `gone` says so, and gives where each of the others is now.
    pub(crate) fn remove(&mut self, gone: impl Fn(&Local) -> bool) -> Vec<Option<usize>> {
        let mut kept = 0;
        let moved = self.list.iter().map(|local| {
            let stays = !gone(local);
            kept += usize::from(stays);
            stays.then(|| kept - 1)
        });
        let moved = moved.collect();
        self.list.retain(|local| !gone(local));
        moved
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Local> {
        self.list.get(index)
    }

    /// The candidate that is sent from directly at the local end of `path`.
    pub(crate) fn at(&self, path: &Path) -> Option<usize> {
        let direct = |kind| matches!(kind, CandidateKind::Host | CandidateKind::Relayed);
        self.list.iter().position(|local| direct(local.candidate.kind) && local.is_at(path))
    }

    /// The candidate whose address is `mapped`.
    pub(crate) fn mapped(&self, path: &Path, mapped: SocketAddr) -> Option<usize> {
        self.list.iter().position(|local| local.is_mapped(path, mapped))
    }

    /// Unique among its kind, IPv6 and IPv4 in turns (RFC 8421 section 4).
    fn next_preference(&self, new: &LocalCandidate, band: u16) -> u16 {
        let of_kind =
            || self.list.iter().filter(|l| l.candidate.kind == new.kind && l.candidate.transport == new.transport);
        let before = of_kind().filter(|l| l.base.is_ipv6() == new.base.is_ipv6()).count();
        let wished = band.saturating_sub((2 * before + usize::from(new.base.is_ipv4())) as u16);
        let directed = |other| new.tcp_type.map_or(other, |tcp_type| tcp_preference(tcp_type, other));
        let mut other = wished;
        while of_kind().any(|l| l.preference == directed(other)) && other > 0 {
            other -= 1;
        }
        directed(other)
    }

    /// That of a candidate which is like it, or another one.
    fn foundation(&mut self, of: Likeness) -> Foundation {
        if let Some(known) = self.list.iter().find(|local| local.likeness() == of) {
            return known.candidate.foundation;
        }
        self.foundations_made = self.foundations_made.wrapping_add(1);
        Foundation::local(self.foundations_made)
    }
}
