//! The same things as different layers call them.

use weft_core::Transport;
use weft_dtls::HashAlgorithm;
use weft_ice::{CandidateKind, Foundation};
use weft_sdp::{Address, CandidateTransport, CandidateType, HashFunction};

/// A candidate of ours, as SDP writes it; with `name` in place of its address.
pub(crate) fn to_sdp(candidate: &weft_ice::Candidate, name: Option<&str>) -> weft_sdp::Candidate {
    weft_sdp::Candidate {
        foundation: candidate.foundation.to_string(),
        component: candidate.component,
        transport: if candidate.transport == Transport::Tcp {
            CandidateTransport::Tcp
        } else {
            CandidateTransport::Udp
        },
        priority: candidate.priority,
        address: name.map_or(Address::Ip(candidate.address.ip()), |name| Address::Name(name.to_owned())),
        port: candidate.address.port(),
        candidate_type: match candidate.kind {
            CandidateKind::Host => CandidateType::Host,
            CandidateKind::ServerReflexive => CandidateType::ServerReflexive,
            CandidateKind::PeerReflexive => CandidateType::PeerReflexive,
            CandidateKind::Relayed => CandidateType::Relayed,
        },
        related_address: candidate.related.map(|related| Address::Ip(related.ip())),
        related_port: candidate.related.map(|related| related.port()),
        tcp_type: candidate.tcp_type.map(|tcp_type| match tcp_type {
            weft_ice::TcpType::Active => weft_sdp::TcpType::Active,
            weft_ice::TcpType::Passive => weft_sdp::TcpType::Passive,
        }),
        extensions: Vec::new(),
    }
}

/// A candidate of the peer's, for the agent; `None` if it is of a kind the agent cannot use: TCP with simultaneous open or
/// without a direction, a name, an unknown type.
pub(crate) fn from_sdp(candidate: &weft_sdp::Candidate) -> Option<weft_ice::Candidate> {
    let (transport, tcp_type) = match (&candidate.transport, &candidate.tcp_type) {
        (CandidateTransport::Udp, _) => (Transport::Udp, None),
        (CandidateTransport::Tcp, Some(weft_sdp::TcpType::Active)) => (Transport::Tcp, Some(weft_ice::TcpType::Active)),
        (CandidateTransport::Tcp, Some(weft_sdp::TcpType::Passive)) => {
            (Transport::Tcp, Some(weft_ice::TcpType::Passive))
        }
        _ => return None,
    };
    let kind = match candidate.candidate_type {
        CandidateType::Host => CandidateKind::Host,
        CandidateType::ServerReflexive => CandidateKind::ServerReflexive,
        CandidateType::PeerReflexive => CandidateKind::PeerReflexive,
        CandidateType::Relayed => CandidateKind::Relayed,
        CandidateType::Other(_) => return None,
    };
    let related = candidate.related_address.as_ref().and_then(Address::ip).zip(candidate.related_port);
    Some(weft_ice::Candidate {
        foundation: Foundation::new(&candidate.foundation)?,
        component: candidate.component,
        transport,
        priority: candidate.priority,
        address: (candidate.address.ip()?, candidate.port).into(),
        kind,
        related: related.map(Into::into),
        tcp_type,
    })
}

/// A fingerprint of ours, as SDP writes it.
pub(crate) fn fingerprint_to_sdp(fingerprint: &weft_dtls::Fingerprint) -> weft_sdp::Fingerprint {
    let hash = match fingerprint.algorithm() {
        HashAlgorithm::Sha256 => HashFunction::Sha256,
        HashAlgorithm::Sha384 => HashFunction::Sha384,
        HashAlgorithm::Sha512 => HashFunction::Sha512,
    };
    weft_sdp::Fingerprint { hash, bytes: fingerprint.bytes().to_vec() }
}

/// A fingerprint of the peer's, for the verifier; `None` if its hash is not one we check.
pub(crate) fn fingerprint_from_sdp(fingerprint: &weft_sdp::Fingerprint) -> Option<weft_dtls::Fingerprint> {
    fingerprint.to_string().parse().ok()
}
