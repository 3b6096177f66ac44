//! What a connection is told before it starts.

use core::time::Duration;
use std::sync::Arc;

use crate::certificate::Certificate;
use crate::verifier::Verifier;

/// The least [`Config::mtu`].
pub const MIN_MTU: usize = 256;

/// Settings of a [`Connection`](crate::Connection). Make one with [`Config::new`] and change what should differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Our certificate: a server's always, a client's when it is asked for one.
    pub certificate: Arc<Certificate>,
    /// How the peer's certificate is judged.
    pub verifier: Verifier,
    /// As server: ask the client for a certificate and insist on one. WebRTC does (RFC 8827 section 6.5). Without it
    /// the client stays unknown and is asked for none.
    pub require_client_certificate: bool,
    /// The longest handshake datagram in bytes, at least [`MIN_MTU`]. Application records are as long as their frames.
    pub mtu: usize,
    /// The first retransmission timeout. One second unless something better is known: 1.5 times the round trip that ICE
    /// measured, say (RFC 6347 section 4.2.4.1, RFC 9147 section 5.8.2).
    pub initial_rto: Duration,
    /// Where doubling ends.
    pub max_rto: Duration,
    /// How long a handshake may take altogether, from the first message sent.
    pub handshake_timeout: Duration,
    /// What a peer can make us hold.
    pub limits: Limits,
}

impl Config {
    /// The defaults, for this certificate and this judgement of the peer's.
    pub fn new(certificate: Arc<Certificate>, verifier: Verifier) -> Self {
        Self {
            certificate,
            verifier,
            require_client_certificate: true,
            mtu: 1200,
            initial_rto: Duration::from_secs(1),
            max_rto: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(60),
            limits: Limits::default(),
        }
    }

    pub(crate) fn effective_mtu(&self) -> usize {
        self.mtu.max(MIN_MTU)
    }
}

/// Limits on what a peer can make a connection hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of handshake messages being put together. A longer message is never accepted.
    pub reassembly_bytes: usize,
    /// Handshake messages being put together, the next one and those after it.
    pub reassembly_messages: u16,
    /// Records kept because they overtook the end of the handshake.
    pub early_records: usize,
    /// Bytes of such records.
    pub early_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { reassembly_bytes: 64 * 1024, reassembly_messages: 8, early_records: 32, early_bytes: 32 * 1024 }
    }
}
