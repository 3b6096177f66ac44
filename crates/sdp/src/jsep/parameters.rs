//! What the two sides tell each other.

use crate::wire::{Candidate, Fingerprint, HashFunction, IceOptions, MaxMessageSize, SctpInit, Setup, TlsId};

/// What this side puts into its next offer or answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalParameters {
    /// ICE user name fragment: 4 to 32 letters, digits, `+` or `/`, random for each ICE session.
    pub ufrag: String,
    /// ICE password: 22 to 256 such characters, random for each ICE session.
    pub pwd: String,
    /// ICE extensions. An answer has only those that the offer has too.
    pub ice_options: IceOptions,
    /// Hashes of the certificates that may be used; at least one by SHA-256 or longer.
    pub fingerprints: Vec<Fingerprint>,
    /// Name of the DTLS association (RFC 8842 4). Browsers write none; an answer has it only if the offer has one.
    pub tls_id: Option<TlsId>,
    /// SCTP port, 5000 by custom.
    pub sctp_port: u16,
    /// The largest message this side takes.
    pub max_message_size: MaxMessageSize,
    /// Our SCTP INIT chunk, where SNAP is spoken (draft-hancke-tsvwg-snap-00). An answer has it only if the offer has one.
    pub sctp_init: Option<SctpInit>,
    /// The candidates gathered so far.
    pub candidates: Vec<Candidate>,
    /// Whether these are all.
    pub end_of_candidates: bool,
}

impl LocalParameters {
    /// These credentials and fingerprints, with SCTP port 5000, messages up to 256 KiB, the ICE options `trickle` and
    /// `ice2`, and no candidates yet.
    pub fn new(ufrag: impl Into<String>, pwd: impl Into<String>, fingerprints: Vec<Fingerprint>) -> Self {
        Self {
            ufrag: ufrag.into(),
            pwd: pwd.into(),
            ice_options: IceOptions::webrtc(),
            fingerprints,
            tls_id: None,
            sctp_port: 5000,
            max_message_size: MaxMessageSize::Bytes(262_144),
            sctp_init: None,
            candidates: Vec::new(),
            end_of_candidates: false,
        }
    }
}

/// What the peer says about its data section.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteParameters {
    /// The section's name, where it has one.
    pub mid: Option<String>,
    /// The section's number among all sections, from 0.
    pub mline_index: usize,
    /// ICE user name fragment.
    pub ufrag: String,
    /// ICE password.
    pub pwd: String,
    /// ICE extensions.
    pub ice_options: IceOptions,
    /// Whether the peer only answers connectivity checks (RFC 8445 2.5).
    pub ice_lite: bool,
    /// Hashes of certificates, by SHA-256 or longer; weaker ones are left out.
    pub fingerprints: Vec<Fingerprint>,
    /// Part in the DTLS handshake. Where none is given, RFC 4145 4 decides: active in offers, passive in answers.
    pub setup: Setup,
    /// Name of the DTLS association.
    pub tls_id: Option<TlsId>,
    /// SCTP port; 0 asks for no association.
    pub sctp_port: u16,
    /// The largest message the peer takes.
    pub max_message_size: MaxMessageSize,
    /// The value of `a=sctp-init` as it stands, for a side that speaks SNAP to parse as [`SctpInit`].
    pub sctp_init: Option<String>,
    /// Candidates of the first component whose transport and type are known, in order.
    pub candidates: Vec<Candidate>,
    /// Whether no more candidates follow.
    pub end_of_candidates: bool,
}

impl RemoteParameters {
    /// The fingerprints by the strongest hash function, one of which the peer's certificate must match
    /// (RFC 8122 5.1).
    pub fn strongest_fingerprints(&self) -> impl Iterator<Item = &Fingerprint> {
        let strongest: Option<&HashFunction> = self.fingerprints.iter().map(|fingerprint| &fingerprint.hash).max();
        self.fingerprints.iter().filter(move |fingerprint| Some(&fingerprint.hash) == strongest)
    }

    /// Whether the credentials are those of another ICE session (RFC 8445 9).
    pub(crate) fn same_ice_session(&self, other: &Self) -> bool {
        self.ufrag == other.ufrag && self.pwd == other.pwd
    }

    /// Whether these leave the DTLS association as it is (RFC 8842 3.1), as far as one side can tell.
    pub(crate) fn same_dtls_association(&self, other: &Self) -> bool {
        let among = |one: &Self, other: &Self| one.fingerprints.iter().all(|known| other.fingerprints.contains(known));
        // An answer has no tls-id when its offer has none, so that only two of them say something.
        let renamed = self.tls_id.as_ref().zip(other.tls_id.as_ref()).is_some_and(|(one, other)| one != other);
        !renamed && among(self, other) && among(other, self)
    }
}
