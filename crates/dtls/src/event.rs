//! What happened.

use core::fmt;

use zeroize::Zeroizing;

use crate::wire::{CipherSuite, NamedGroup, ProtocolVersion, SrtpProfile};

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The handshake has ended, both sides are known: application data may flow.
    Connected(SessionInfo),
    /// A secret, because [`Config::key_log`](crate::Config::key_log) asks for it.
    KeyLog(KeyLogLine),
    /// The peer wants that many more of our connection ids, for later (RFC 9147 section 9):
    /// [`give_connection_ids`](crate::Connection::give_connection_ids) answers.
    ConnectionIdsRequested(u8),
    /// The peer has closed the connection in an orderly way; nothing more will come, and nothing can be sent.
    PeerClosed,
}

/// What a handshake agreed on.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The protocol version; its `name` is "1.2" or "1.3".
    pub version: ProtocolVersion,
    /// The cipher suite, named as IANA names it.
    pub cipher_suite: CipherSuite,
    /// The group of the key exchange; its `name` is "X25519", "P-256", ...
    pub group: NamedGroup,
    /// The peer's certificate in DER; `None` of a client that was not asked for one, or had none to send (see
    /// [`ClientAuthentication`](crate::ClientAuthentication)).
    pub peer_certificate: Option<Vec<u8>>,
    /// The SRTP protection profile, if one was agreed on (RFC 5764).
    pub srtp_profile: Option<SrtpProfile>,
    /// The protocol agreed on by ALPN (RFC 7301), if any was.
    pub application_protocol: Option<Vec<u8>>,
    /// As server: the DNS name that the client asked for (RFC 6066 section 3), if it told one. It is the client's word, in
    /// ASCII, as it came.
    pub server_name: Option<String>,
    /// Whether connection ids were agreed on (RFC 9146), in either direction.
    pub connection_ids: bool,
    /// Whether the keys are bound to the whole handshake (RFC 7627). Always true: without it no connection is made.
    pub extended_master_secret: bool,
}

/// A line of the NSS key log format, which Wireshark reads: label, client random and secret. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyLogLine(Zeroizing<String>);

impl KeyLogLine {
    pub(crate) fn new(label: &str, client_random: &[u8; 32], secret: &[u8]) -> Self {
        let mut line = Zeroizing::new(String::with_capacity(label.len().saturating_add(256)));
        line.push_str(label);
        for part in [&client_random[..], secret] {
            line.push(' ');
            for digit in part.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
                line.extend(char::from_digit(digit.into(), 16));
            }
        }
        Self(line)
    }

    /// The line, without a line break.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyLogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyLogLine").field(&self.0.split(' ').next()).finish()
    }
}

/// Bytes that a connection holds beside its keys, each bounded by [`Limits`](crate::Limits).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Memory {
    /// Of handshake messages being put together.
    pub reassembly: usize,
    /// Of records that came early.
    pub early: usize,
    /// Of our flight, until the peer has it. It is as long as our certificates, and a cookie that the peer wants back:
    /// shorter than [`Limits::reassembly_bytes`](crate::Limits::reassembly_bytes), or it would not have come in.
    pub flight: usize,
}

/// What was counted. Everything the network sent wrongly ends here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Records received and opened.
    pub records_received: u64,
    /// Records sent.
    pub records_sent: u64,
    /// Datagrams (or rests of them) that are not a record.
    pub malformed_records: u64,
    /// Records of an epoch that has no keys here, or of a version that was not agreed.
    pub unexpected_records: u64,
    /// Records whose authentication failed.
    pub forged_records: u64,
    /// Records seen before, or too old to tell.
    pub replayed_records: u64,
    /// Records kept because they overtook the handshake.
    pub early_records_kept: u64,
    /// Such records dropped for lack of room.
    pub early_records_dropped: u64,
    /// Application data in the clear, dropped.
    pub plaintext_application_data: u64,
    /// Handshake fragments that were malformed, contradicted others, or belong to no message expected.
    pub bad_fragments: u64,
    /// Handshake fragments of messages that were handled before.
    pub old_fragments: u64,
    /// Handshake messages that came when they may not, or that no parser takes.
    pub bad_messages: u64,
    /// Alerts in the clear; they end nothing by themselves.
    pub unauthenticated_alerts: u64,
    /// Warnings received under protection.
    pub warnings: u64,
    /// Flights sent again because no answer came in time.
    pub retransmissions: u64,
    /// Flights sent again because the peer repeated its own.
    pub repeats_answered: u64,
    /// Times that our keys changed after the handshake: key updates that the peer acknowledged (RFC 9147 section 8).
    pub key_updates: u64,
    /// Times that the peer changed its own.
    pub peer_key_updates: u64,
}
