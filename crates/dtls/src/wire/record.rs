//! [DTLSPlaintext and DTLSCiphertext](https://www.rfc-editor.org/rfc/rfc6347#section-4.1), the record of DTLS 1.2 and of
//! the plaintext part of a 1.3 handshake.
//!
//! ```text
//!  0        1        3        5                    11       13
//!  +--------+--------+--------+---------------------+--------+----------
//!  |  type  | version| epoch  |   sequence_number   | length | fragment
//!  +--------+--------+--------+---------------------+--------+----------
//! ```

use super::codec::{DecodeError, Reader};
use super::registry::{ContentType, ProtocolVersion};

/// Length of the record header.
pub const RECORD_HEADER: usize = 13;
/// The longest content of a record: 2^14 bytes (RFC 5246 section 6.2.1).
pub const MAX_PLAINTEXT: usize = 1 << 14;
/// The longest protected fragment: 2^14 + 2048 bytes (RFC 5246 section 6.2.3).
pub const MAX_CIPHERTEXT: usize = (1 << 14) + 2048;

/// The header of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordHeader {
    /// What the record carries.
    pub content_type: ContentType,
    /// The version it is sent under.
    pub version: ProtocolVersion,
    /// Counts cipher state changes.
    pub epoch: u16,
    /// 48 bits, counted anew in each epoch.
    pub sequence_number: u64,
    /// Bytes that follow.
    pub length: u16,
}

impl RecordHeader {
    /// Reads the header that `bytes` begin with.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let content_type = ContentType(r.u8()?);
        let version = ProtocolVersion(r.u16()?);
        let epoch = r.u16()?;
        let sequence_number = r.u48()?;
        Ok(Self { content_type, version, epoch, sequence_number, length: r.u16()? })
    }

    /// The header as bytes.
    pub fn to_bytes(self) -> [u8; RECORD_HEADER] {
        let whole = u128::from(self.content_type.0) << 96
            | u128::from(self.version.0) << 80
            | u128::from(self.epoch_and_sequence()) << 16
            | u128::from(self.length);
        let [_, _, _, bytes @ ..] = whole.to_be_bytes();
        bytes
    }

    /// Reads the header of a protected record with a connection id of that many bytes (RFC 9146 section 4): content type
    /// [`TLS12_CID`](ContentType::TLS12_CID), and the id before the length.
    pub fn parse_with_id(bytes: &[u8], connection_id_len: usize) -> Result<(Self, &[u8]), DecodeError> {
        let mut r = Reader::new(bytes);
        let content_type = ContentType(r.u8()?);
        let version = ProtocolVersion(r.u16()?);
        let epoch = r.u16()?;
        let sequence_number = r.u48()?;
        let id = r.take(connection_id_len)?;
        if content_type != ContentType::TLS12_CID || id.is_empty() {
            return Err(DecodeError);
        }
        Ok((Self { content_type, version, epoch, sequence_number, length: r.u16()? }, id))
    }

    /// Epoch and sequence number as the one 64-bit number that the protection authenticates (RFC 6347 section 4.1.2.1).
    pub fn epoch_and_sequence(self) -> u64 {
        u64::from(self.epoch) << 48 | self.sequence_number & 0xFFFF_FFFF_FFFF
    }
}
