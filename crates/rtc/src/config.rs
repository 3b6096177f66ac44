//! What a peer connection is told at birth.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use weft_dtls::{Certificate, NamedGroup, ProtocolVersion};

use crate::error::Error;

/// The least leaves room for a DTLS record around the smallest SCTP packet; the most is what UDP over IPv4 carries.
const MAX_DATAGRAM: RangeInclusive<usize> = 512..=65_507;

/// Settings of a peer connection. The defaults are right for a browser at the other end of the internet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The certificate to show; a fresh self-signed ECDSA P-256 one when `None`. Its fingerprint goes into the SDP.
    pub certificate: Option<Arc<Certificate>>,
    /// Offer candidates on loopback interfaces. Off by default: no other machine can use them (RFC 8445
    /// section 5.1.1.1 forbids them). For two peers on one machine, tests and measurements.
    pub loopback: bool,
    /// Use only the interfaces with these names; all when `None`.
    pub interfaces: Option<Vec<String>>,
    /// UDP port to bind on every interface; 0 lets the system choose.
    pub port: u16,
    /// The largest message we accept, in bytes, at least 1, announced as `a=max-message-size` (RFC 8841 section 6). 256 KiB by
    /// default, as browsers announce.
    pub max_message_size: u32,
    /// Bytes that may wait in the send buffers of all channels together before a send has to wait; at least 1. 1 MiB by
    /// default.
    pub send_buffer: usize,
    /// Bytes of received messages that may wait to be read before the peer has to wait. 4 MiB by default, and at least
    /// `max_message_size`.
    pub receive_buffer: usize,
    /// How large a UDP payload may become, in bytes: 512 to 65,507. 1200 by default: what every path is expected to carry.
    pub max_datagram: usize,
    /// DTLS versions to speak, of 1.3 and 1.2; both when `None`. The highest that both sides have is chosen.
    pub dtls_versions: Option<Vec<ProtocolVersion>>,
    /// Groups for the DTLS key exchange, the preferred first; X25519MLKEM768, X25519, P-256 and P-384 when `None`.
    pub dtls_groups: Option<Vec<NamedGroup>>,
    /// How long channels outlive a failure of ICE, so that a restart can bring them back; after that they are closed.
    /// 30 seconds by default.
    pub restart_timeout: Duration,
    /// Announce that candidates trickle (RFC 8840). On by default.
    pub trickle: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            certificate: None,
            loopback: false,
            interfaces: None,
            port: 0,
            max_message_size: 256 * 1024,
            send_buffer: 1024 * 1024,
            receive_buffer: 4 * 1024 * 1024,
            max_datagram: 1200,
            dtls_versions: None,
            dtls_groups: None,
            restart_timeout: Duration::from_secs(30),
            trickle: true,
        }
    }
}

impl Config {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks that every setting is in its range.
    ///
    /// # Errors
    /// [`Error::Config`], which names the setting and what it may be.
    pub fn validate(&self) -> Result<(), Error> {
        let refuse = |what| Err(Error::Config(what));
        if !MAX_DATAGRAM.contains(&self.max_datagram) {
            return refuse("max_datagram must be 512 to 65,507 bytes");
        }
        if self.max_message_size == 0 {
            return refuse("max_message_size must be at least 1 byte");
        }
        if self.send_buffer == 0 {
            return refuse("send_buffer must be at least 1 byte");
        }
        if self.interfaces.as_ref().is_some_and(Vec::is_empty) {
            return refuse("interfaces must name one at least, or be None for all");
        }
        if self.dtls_versions.as_ref().is_some_and(Vec::is_empty) {
            return refuse("dtls_versions must have one at least, or be None for all");
        }
        if self.dtls_groups.as_ref().is_some_and(Vec::is_empty) {
            return refuse("dtls_groups must have one at least, or be None for all");
        }
        Ok(())
    }

    /// Sets [`loopback`](Self::loopback).
    #[must_use]
    pub fn with_loopback(mut self, loopback: bool) -> Self {
        self.loopback = loopback;
        self
    }

    /// Sets [`certificate`](Self::certificate).
    #[must_use]
    pub fn with_certificate(mut self, certificate: Arc<Certificate>) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Sets [`max_message_size`](Self::max_message_size).
    #[must_use]
    pub fn with_max_message_size(mut self, bytes: u32) -> Self {
        self.max_message_size = bytes;
        self
    }
}
