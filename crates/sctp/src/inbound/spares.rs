//! Buffers of messages that were read where they lay, for messages to come.
//!
//! A buffer is kept as one that may be shared, so that neither handing it out nor taking it back allocates.

use bytes::{Bytes, BytesMut};

/// Bytes kept at most, in buffers: what waits to be read between two looks at a fast path.
const MOST_BYTES: usize = 1 << 20;
/// How many buffers are kept at most.
const MOST: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Spares {
    buffers: Vec<BytesMut>,
    bytes: usize,
}

impl Spares {
    /// An empty buffer with room for `len` bytes; out of `spares`, if messages are read in place. Never a much longer one: what
    /// is held for a message is what it is charged, or little more.
    pub(super) fn buffer(spares: &mut Option<Box<Self>>, len: usize) -> BytesMut {
        let Some(mut buffer) = spares.as_mut().and_then(|spares| spares.take(len)) else {
            return BytesMut::with_capacity(len);
        };
        buffer.reserve(len);
        buffer
    }

    /// A copy of `content`, in such a buffer.
    pub(super) fn copy(spares: &mut Option<Box<Self>>, content: &[u8]) -> Bytes {
        if spares.is_none() {
            return Bytes::copy_from_slice(content);
        }
        let mut buffer = Self::buffer(spares, content.len());
        buffer.extend_from_slice(content);
        buffer.freeze()
    }

    /// As [`copy`](Self::copy), of what several messages will share.
    pub(super) fn copy_to_share(spares: &mut Option<Box<Self>>, content: &[u8]) -> Bytes {
        if spares.is_some() {
            return Self::copy(spares, content);
        }
        // With room to spare it is one to be shared from the start, which is cheaper to cut than one that becomes it.
        let mut buffer = Vec::with_capacity(content.len() + 1);
        buffer.extend_from_slice(content);
        Bytes::from(buffer)
    }

    /// What was put into a buffer, for the application. One half empty would be held as long as the message is.
    pub(super) fn freeze(buffer: BytesMut) -> Bytes {
        if is_spacious(buffer.capacity(), buffer.len()) {
            return Bytes::copy_from_slice(&buffer);
        }
        buffer.freeze()
    }

    fn take(&mut self, len: usize) -> Option<BytesMut> {
        let buffer = self.buffers.pop_if(|buffer| !is_spacious(buffer.capacity(), len))?;
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    /// A message was read. Its buffer stays, unless somebody else holds part of it.
    pub(crate) fn keep(&mut self, payload: Bytes) {
        let Ok(mut buffer) = payload.try_into_mut() else { return };
        buffer.clear();
        // What was read of it last may lie at its end: with what is before that it is whole, and counts whole.
        let _whole = buffer.try_reclaim(buffer.capacity() + 1);
        let bytes = self.bytes + buffer.capacity();
        if bytes <= MOST_BYTES && self.buffers.len() < MOST {
            // From now on it may be shared, if it could not be before.
            drop(buffer.split_off(buffer.capacity()));
            self.bytes = bytes;
            self.buffers.push(buffer);
        }
    }
}

/// Whether a buffer of `capacity` is more than `len` bytes should hold on to.
fn is_spacious(capacity: usize, len: usize) -> bool {
    capacity > len + len / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_whole_when_the_last_message_in_it_was_read() {
        let mut spares = Some(Box::new(Spares::default()));
        let block = Spares::copy(&mut spares, &[7; 3000]);
        let start = block.as_ptr();
        let (first, second) = (block.slice(..1000), block.slice(2000..));
        drop(block);
        let kept = spares.as_mut().unwrap();
        kept.keep(first);
        assert!(kept.buffers.is_empty(), "part of it is still to be read");
        kept.keep(second);
        assert!(kept.bytes >= 3000, "all of it counts, not only what was read last");
        let again = Spares::copy(&mut spares, &[9; 3000]);
        assert_eq!((again.as_ptr(), &again[..]), (start, &[9; 3000][..]));
    }

    #[test]
    fn a_little_message_does_not_hold_a_large_buffer() {
        let mut spares = Some(Box::new(Spares::default()));
        spares.as_mut().unwrap().keep(Bytes::from(vec![0; 65_536]));
        for len in [0, 1, 1000, 40_000] {
            assert!(Spares::buffer(&mut spares, len).capacity() <= len + len / 2, "{len}");
        }
        // Nor does one that turned out to be shorter than was hoped for.
        let mut hoped = Spares::buffer(&mut spares, 60_000);
        assert_eq!(spares.as_ref().unwrap().bytes, 0, "this one fits");
        hoped.extend_from_slice(&[7; 100]);
        assert!(Spares::freeze(hoped).try_into_mut().unwrap().capacity() <= 150);
    }

    #[test]
    fn no_more_is_kept_than_a_fast_path_needs() {
        let mut spares = Spares::default();
        for _ in 0..100 {
            spares.keep(Bytes::from(vec![0; 65_536]));
        }
        assert_eq!((spares.buffers.len(), spares.bytes), (16, MOST_BYTES));
        spares.keep(Bytes::from_static(b"not ours"));
        assert_eq!(spares.buffers.len(), 16);
    }
}
