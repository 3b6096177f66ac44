//! The DTLS association that was agreed on, and the SCTP association in it (RFC 8842, RFC 8841).

use weft_core::{Instant, Path};
use weft_dtls::{Fingerprint, Role};
use weft_sdp::jsep::RemoteParameters;
use weft_sdp::{MaxMessageSize, TlsId};

use super::{Dtls, PairTraffic, PeerConnection};
use crate::convert;
use crate::event::{DtlsState, SctpState};

/// What makes a DTLS association the one that was agreed on (RFC 8842 section 3.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Terms {
    role: Role,
    /// The certificates that the peer may show. Whether it shows one the strongest hash says alone (RFC 8122 section 5.1), and
    /// any that changes asks for another association (RFC 8842 section 3.1).
    fingerprints: Vec<Fingerprint>,
    tls_id: Option<TlsId>,
}

impl Terms {
    fn same_association(&self, other: &Self) -> bool {
        let among = |one: &Self, other: &Self| one.fingerprints.iter().all(|known| other.fingerprints.contains(known));
        // Only two names say something: an answer has none where its offer has none.
        let renamed = self.tls_id.as_ref().zip(other.tls_id.as_ref()).is_some_and(|(one, other)| one != other);
        self.role == other.role && !renamed && among(self, other) && among(other, self)
    }
}

impl PeerConnection {
    fn terms(&self, remote: &RemoteParameters) -> Option<Terms> {
        let known = remote.fingerprints.iter().filter_map(convert::fingerprint_from_sdp);
        let mut fingerprints: Vec<_> = known.collect();
        fingerprints.shrink_to_fit();
        Some(Terms { role: self.dtls_role()?, fingerprints, tls_id: remote.tls_id.clone() })
    }

    /// An answer was applied: roles are fixed, and if it is not about the association there is, another one is made.
    pub(super) fn take_association(&mut self, now: Instant, remote: &RemoteParameters) {
        let Some(terms) = self.terms(remote) else { return };
        if self.dtls_terms.as_ref().is_some_and(|known| !known.same_association(&terms)) {
            self.renew_association(now);
        }
        let role = match terms.role {
            Role::Client => weft_sctp::Role::Client,
            Role::Server => weft_sctp::Role::Server,
        };
        self.channels.set_role(now, role);
        let max = match remote.max_message_size {
            MaxMessageSize::Bytes(bytes) => Some(bytes),
            MaxMessageSize::Unlimited => None,
        };
        self.channels.set_remote_max_message_size(max);
        self.channels.set_remote_port(remote.sctp_port);
        if self.states.sctp.is_none() {
            self.set_sctp_state(SctpState::Connecting);
        }
    }

    /// The peer has another DTLS association in mind: the one there is ends without a farewell, which could no longer be
    /// told from the new one, and its channels with it.
    fn renew_association(&mut self, now: Instant) {
        #[cfg(feature = "metrics")]
        self.measure_last(now);
        self.channels.abort(now);
        self.settle(now);
        let rng = self.seed.rng().fork();
        self.channels.renew(self.config.sctp(), rng);
        self.own_init = Self::init_of(&self.config, &self.channels);
        self.dtls = Dtls::Waiting;
        self.dtls_terms = None;
        self.await_pair = true;
        self.early_dtls.clear();
        self.set_dtls_state(DtlsState::New);
        self.set_sctp_state(SctpState::Connecting);
    }

    /// A DTLS connection for what was agreed on; `None` before that.
    pub(super) fn new_dtls(&mut self) -> Option<weft_dtls::Connection> {
        debug_assert!(matches!(self.dtls, Dtls::Waiting));
        let terms = self.terms(self.negotiator.agreed()?)?;
        let verifier = weft_dtls::Verifier::Fingerprints(terms.fingerprints.clone());
        let mut dtls = weft_dtls::Connection::new(self.config.dtls(&self.certificate), terms.role, self.seed.rng());
        dtls.set_verifier(verifier);
        self.dtls_terms = Some(terms);
        Some(dtls)
    }

    /// Data goes by `path` from now on. What SCTP knows of the old one says nothing about it (RFC 8831 section 5, RFC 8261
    /// section 6.1).
    pub(super) fn take_path(&mut self, now: Instant, path: Path) {
        let before = self.path.replace(path);
        if before != Some(path) {
            self.not_of_pair = PairTraffic::of(&self.counters);
        }
        if before.is_some_and(|before| before != path) {
            self.channels.change_path(now, self.ice.rtt());
        }
    }
}
