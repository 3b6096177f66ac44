//! Datagrams on a TCP stream ([RFC 4571 section 2](https://www.rfc-editor.org/rfc/rfc4571#section-2)), as ICE-TCP
//! uses them ([RFC 6544 section 3](https://www.rfc-editor.org/rfc/rfc6544#section-3)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------------------------------------------------------+
//! |             LENGTH            |         datagram ...          |
//! +---------------------------------------------------------------+
//! ```
//! LENGTH is in network order and does not count itself. Nothing here does I/O.
//!
//! ```
//! use weft_net::framing::{Decoder, header};
//!
//! let mut stream = Vec::new();
//! for datagram in [&b"one"[..], b"", b"three"] {
//!     stream.extend(header(datagram.len()).unwrap());
//!     stream.extend(datagram);
//! }
//! let mut decoder = Decoder::new(1_500);
//! let mut rest = &stream[..];
//! let mut lengths = Vec::new();
//! while let Some(datagram) = decoder.next_datagram(&mut rest).unwrap() {
//!     lengths.push(datagram.len());
//! }
//! assert_eq!(lengths, [3, 0, 5]);
//! ```

/// Bytes before each datagram.
pub const HEADER_LEN: usize = 2;

/// Why a stream cannot be framed. It is final: the stream is out of step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a datagram of {len} bytes, of at most {max}")]
pub struct TooLong {
    /// How long the datagram is.
    pub len: usize,
    /// How long it may be.
    pub max: usize,
}

/// The two bytes that go before a datagram of `len` bytes.
///
/// # Errors
/// If it is longer than 65,535 bytes.
pub fn header(len: usize) -> Result<[u8; HEADER_LEN], TooLong> {
    let max = usize::from(u16::MAX);
    u16::try_from(len).map(u16::to_be_bytes).map_err(|_| TooLong { len, max })
}

/// Takes a stream of bytes apart again, with a buffer for one datagram.
#[derive(Debug)]
pub struct Decoder {
    header: [u8; HEADER_LEN],
    header_len: usize,
    /// Empty but for the datagram being put together.
    datagram: Vec<u8>,
    max: usize,
}

impl Decoder {
    /// A decoder for datagrams of at most `max` bytes. It never holds more.
    pub fn new(max: usize) -> Self {
        let max = max.min(usize::from(u16::MAX));
        Self { header: [0; HEADER_LEN], header_len: 0, datagram: Vec::with_capacity(max), max }
    }

    /// Eats the front of `stream` as far as the end of the next datagram and lends that; `None`, with all of `stream`
    /// eaten, when it is not complete yet. Call it until `None` each time bytes arrive.
    ///
    /// # Errors
    /// If the next datagram is longer than the decoder takes.
    pub fn next_datagram(&mut self, stream: &mut &[u8]) -> Result<Option<&mut [u8]>, TooLong> {
        while let Some(slot) = self.header.get_mut(self.header_len) {
            let Some((byte, rest)) = stream.split_first() else { return Ok(None) };
            *slot = *byte;
            *stream = rest;
            self.header_len += 1;
            self.datagram.clear();
        }
        let len = usize::from(u16::from_be_bytes(self.header));
        if len > self.max {
            return Err(TooLong { len, max: self.max });
        }
        let missing = len.saturating_sub(self.datagram.len()).min(stream.len());
        let (part, rest) = stream.split_at(missing);
        self.datagram.extend_from_slice(part);
        *stream = rest;
        if self.datagram.len() < len {
            return Ok(None);
        }
        self.header_len = 0;
        Ok(Some(&mut self.datagram))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn datagrams_survive_however_the_stream_is_cut(
            datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
            cuts in prop::collection::vec(1_usize..200, 1..40),
        ) {
            let mut stream = Vec::new();
            for datagram in &datagrams {
                stream.extend(header(datagram.len()).unwrap());
                stream.extend(datagram);
            }
            let mut decoder = Decoder::new(300);
            let (mut out, mut rest, mut cuts) = (Vec::new(), &stream[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (mut part, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                rest = after;
                while let Some(datagram) = decoder.next_datagram(&mut part).unwrap() {
                    out.push(datagram.to_vec());
                }
                prop_assert!(part.is_empty());
            }
            prop_assert_eq!(out, datagrams);
        }

        #[test]
        fn any_bytes_are_framed_or_refused(bytes: Vec<u8>, max in 0_usize..100) {
            let (mut decoder, mut rest) = (Decoder::new(max), &bytes[..]);
            while let Ok(Some(datagram)) = decoder.next_datagram(&mut rest) {
                prop_assert!(datagram.len() <= max);
            }
            prop_assert!(decoder.datagram.capacity() <= max);
        }
    }

    #[test]
    fn too_long_is_refused_on_both_sides() {
        assert_eq!(header(65_536), Err(TooLong { len: 65_536, max: 65_535 }));
        let mut decoder = Decoder::new(10);
        assert_eq!(decoder.next_datagram(&mut &[0, 11][..]), Err(TooLong { len: 11, max: 10 }));
        assert_eq!(decoder.next_datagram(&mut &[0; 20][..]), Err(TooLong { len: 11, max: 10 }));
    }
}
