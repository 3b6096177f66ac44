//! A datagram on its way.

use weft_core::{Ecn, Path};

/// A datagram between two hosts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// As its sender sees it: `local` is where it comes from, `remote` where it goes.
    pub path: Path,
    /// Its ECN bits.
    pub ecn: Ecn,
    /// Whether DF is clear.
    pub may_fragment: bool,
    /// The UDP payload.
    pub payload: Vec<u8>,
}

impl Packet {
    /// A packet without ECN marks that must not be fragmented.
    pub fn new(path: Path, payload: impl Into<Vec<u8>>) -> Self {
        Self { path, ecn: Ecn::NotEct, may_fragment: false, payload: payload.into() }
    }

    /// The path as its receiver sees it.
    pub fn arrival_path(&self) -> Path {
        Path { local: self.path.remote, remote: self.path.local, ..self.path }
    }

    /// Bytes of IP and UDP header in front of the payload.
    pub(crate) fn header_len(&self) -> usize {
        if self.path.local.is_ipv6() { 48 } else { 28 }
    }

    /// Length of the IP packet in bytes: payload and the UDP and IP headers.
    pub fn ip_len(&self) -> usize {
        self.payload.len() + self.header_len()
    }
}
