//! The candidates of a section: adding one takes the same time however many there are.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use crate::wire::{Attribute, Candidate, CandidateTransport, CandidateType, Connection, Media};

/// How much luck a peer without ICE would have with a candidate; the higher the more.
type Rank = (u8, bool, u32);

/// What one more candidate of a section is compared with.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Hashes of all candidates, as they are written here.
    seen: HashSet<u64>,
    hasher: RandomState,
    /// Where the next one goes: after the last.
    end: usize,
    best: Option<(Rank, (IpAddr, u16))>,
}

impl Known {
    /// The candidates that a section has.
    pub(super) fn of(media: &Media) -> Self {
        let mut known =
            Self { seen: HashSet::new(), hasher: RandomState::new(), end: candidates_end(media), best: None };
        for attribute in media.attributes_named("candidate") {
            let Ok(candidate) = attribute.parse::<Candidate>() else { continue };
            known.note(media, &candidate);
        }
        known
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether the candidate is one of them.
    pub(super) fn contains(&self, candidate: &Candidate) -> bool {
        self.seen.contains(&self.hasher.hash_one(candidate))
    }

    /// Adds a candidate after those that are there, unless it is one of them, and lets the section's address be that of the
    /// best.
    pub(super) fn add(&mut self, media: &mut Media, candidate: &Candidate) {
        if self.note(media, candidate) {
            let text = candidate.to_string();
            let value = text.strip_prefix("candidate:").unwrap_or(&text);
            self.end = self.end.min(media.attributes.len());
            media.attributes.insert(self.end, Attribute::new("candidate", value));
            self.end += 1;
        }
        if let Some((_, (ip, port))) = self.best {
            media.port = port;
            media.connections = vec![Connection::ip(ip)];
        }
    }

    /// Whether it is a new one.
    fn note(&mut self, media: &Media, candidate: &Candidate) -> bool {
        if !self.seen.insert(self.hasher.hash_one(candidate)) {
            return false;
        }
        if let Some(new) = destination(media, candidate)
            && self.best.is_none_or(|(rank, _)| rank <= new.0)
        {
            self.best = Some(new);
        }
        true
    }
}

/// Says that no more candidates follow.
pub(super) fn end_candidates(media: &mut Media) {
    if !media.has_attribute("end-of-candidates") {
        let place = candidates_end(media);
        media.attributes.insert(place, Attribute::flag("end-of-candidates"));
    }
}

fn candidates_end(media: &Media) -> usize {
    let last = media.attributes.iter().rposition(|attribute| attribute.name() == "candidate");
    last.map_or(0, |last| last + 1)
}

/// Where a peer without ICE would send for this candidate, and its rank (RFC 8445 5.1.4): relayed before reflexive before
/// host. A name is none, as it would tell such a peer nothing.
fn destination(media: &Media, candidate: &Candidate) -> Option<(Rank, (IpAddr, u16))> {
    // RFC 8839 4.3.2: the transport is that of the m= line, or there is no default.
    let tcp = media.protocol.starts_with("TCP/");
    let transport = if tcp { CandidateTransport::Tcp } else { CandidateTransport::Udp };
    if candidate.transport != transport || candidate.port == 0 {
        return None;
    }
    let rank = match candidate.candidate_type {
        CandidateType::Relayed => 3,
        CandidateType::ServerReflexive => 2,
        CandidateType::Host => 1,
        CandidateType::PeerReflexive | CandidateType::Other(_) => return None,
    };
    let ip = candidate.address.ip()?;
    Some(((rank, ip.is_ipv4(), candidate.priority), (ip, candidate.port)))
}
