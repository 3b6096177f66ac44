//! The packet: common header and chunks ([RFC 9260 section 3](https://www.rfc-editor.org/rfc/rfc9260#section-3)).
//!
//! ```text
//! |      Source Port Number       |    Destination Port Number    |
//! |                       Verification Tag                        |
//! |                           Checksum                            |
//! |  Chunk Type   |  Chunk Flags  |         Chunk Length          |  repeated
//! |                          Chunk Value ...                      |
//! ```

use weft_core::{Frame, Full};

use super::{kind, padded};

/// Bytes of the common header.
pub const HEADER_LEN: usize = 12;
/// Bytes of a chunk's type, flags and length.
pub const CHUNK_HEADER_LEN: usize = 4;

/// Why bytes are no packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseError {
    /// Shorter than a common header and one chunk header.
    #[error("too short for a packet")]
    Short,
    /// A chunk's length is below 4 or reaches beyond the packet.
    #[error("a chunk's length is impossible")]
    ChunkLength,
}

/// The common header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Port of the sender.
    pub source_port: u16,
    /// Port of the receiver.
    pub destination_port: u16,
    /// Verification Tag.
    pub verification_tag: u32,
    /// CRC32c as it stands in the packet (RFC 9260 appendix A).
    pub checksum: u32,
}

/// One chunk, not looked into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunk<'a> {
    /// Chunk type.
    pub kind: u8,
    /// Chunk flags.
    pub flags: u8,
    /// Chunk value, without padding.
    pub value: &'a [u8],
    /// The whole chunk as it stood in the packet, without padding.
    pub raw: &'a [u8],
}

/// A packet with at least one whole chunk.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The common header.
    pub header: Header,
    first: Chunk<'a>,
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks the header and the length of the first chunk; not the checksum (see [`checksum_ok`](Self::checksum_ok)).
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (head, rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(ParseError::Short)?;
        let &[s0, s1, d0, d1, t0, t1, t2, t3, c0, c1, c2, c3] = head;
        let header = Header {
            source_port: u16::from_be_bytes([s0, s1]),
            destination_port: u16::from_be_bytes([d0, d1]),
            verification_tag: u32::from_be_bytes([t0, t1, t2, t3]),
            checksum: u32::from_le_bytes([c0, c1, c2, c3]),
        };
        if rest.is_empty() {
            return Err(ParseError::Short);
        }
        let (first, _) = split_chunk(rest).ok_or(ParseError::ChunkLength)?;
        Ok(Self { header, first, bytes })
    }

    /// The first chunk.
    #[inline]
    pub fn first(&self) -> Chunk<'a> {
        self.first
    }

    /// Whether the checksum is the packet's CRC32c.
    pub fn checksum_ok(&self) -> bool {
        crc(self.bytes) == self.header.checksum
    }

    /// The chunks in order, up to the first whose length is impossible: "If the receiver detects a partial chunk, it MUST
    /// drop the chunk" (RFC 9260 section 6.10), and what follows it cannot be found.
    #[inline]
    pub fn chunks(&self) -> Chunks<'a> {
        Chunks(self.bytes.get(HEADER_LEN..).unwrap_or_default())
    }

    /// The chunks in the last `len` bytes, as far as they are chunks.
    #[inline]
    pub(crate) fn last(&self, len: usize) -> Chunks<'a> {
        Chunks(self.bytes.get(self.bytes.len().saturating_sub(len)..).unwrap_or_default())
    }
}

#[inline]
fn split_chunk(bytes: &[u8]) -> Option<(Chunk<'_>, &[u8])> {
    let &[kind, flags, l0, l1, ..] = bytes else { return None };
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    let raw = bytes.get(..len)?;
    let value = raw.get(CHUNK_HEADER_LEN..)?;
    // The padding of the last chunk is often left out; it is not counted in the length (RFC 9260 section 3.2).
    let rest = bytes.get(padded(len)..).unwrap_or_default();
    Some((Chunk { kind, flags, value, raw }, rest))
}

/// The chunks of a packet.
#[derive(Clone, Debug)]
pub struct Chunks<'a>(&'a [u8]);

impl<'a> Chunks<'a> {
    /// Whether bytes are left: what lies there is no chunk, once the iterator gives no more.
    #[inline]
    pub const fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left.
    #[inline]
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Those that begin `len` bytes further on: where a chunk ends.
    #[inline]
    pub(crate) fn after(&self, len: usize) -> Self {
        Self(self.0.get(len..).unwrap_or_default())
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    #[inline]
    fn next(&mut self) -> Option<Chunk<'a>> {
        let (chunk, rest) = split_chunk(self.0)?;
        self.0 = rest;
        Some(chunk)
    }
}

/// CRC32c of a packet, with its checksum field taken as zero.
pub fn crc(packet: &[u8]) -> u32 {
    let (Some(head), Some(tail)) = (packet.get(..8), packet.get(HEADER_LEN..)) else { return 0 };
    let sum = crc32c::crc32c_append(crc32c::crc32c(head), &[0; 4]);
    crc32c::crc32c_append(sum, tail)
}

/// Starts a packet in `frame`: a common header with a zero checksum.
#[inline]
pub(crate) fn start(frame: &mut Frame<'_>, ports: (u16, u16), tag: u32) -> Result<(), Full> {
    let header = frame.push_uninit(HEADER_LEN)?;
    let (local, peer, tag) = (ports.0.to_be_bytes(), ports.1.to_be_bytes(), tag.to_be_bytes());
    header.copy_from_slice(&[local[0], local[1], peer[0], peer[1], tag[0], tag[1], tag[2], tag[3], 0, 0, 0, 0]);
    Ok(())
}

/// Ends a packet: writes its checksum, unless the peer takes a zero one and no chunk in it forbids that (RFC 9653).
#[inline]
pub(crate) fn finish(frame: &mut Frame<'_>, zero_checksum: bool) {
    let content = frame.content_mut();
    let first = content.get(HEADER_LEN).copied();
    if zero_checksum && first != Some(kind::INIT) && first != Some(kind::COOKIE_ECHO) {
        return;
    }
    let sum = crc32c::crc32c(content).to_le_bytes();
    if let Some(field) = content.get_mut(8..HEADER_LEN) {
        field.copy_from_slice(&sum);
    }
}
