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
    /// An empty buffer with room for `len` bytes; out of `spares`, if messages are read in place.
    pub(super) fn buffer(spares: &mut Option<Box<Self>>, len: usize) -> BytesMut {
        let Some(mut buffer) = spares.as_mut().and_then(|spares| spares.take()) else {
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

    /// What was put into a buffer, for the application. One half empty would be held as long as the message is, unless it
    /// comes back.
    pub(super) fn freeze(spares: Option<&Self>, buffer: BytesMut) -> Bytes {
        if spares.is_none() && buffer.capacity() > buffer.len() + buffer.len() / 2 {
            return Bytes::copy_from_slice(&buffer);
        }
        buffer.freeze()
    }

    fn take(&mut self) -> Option<BytesMut> {
        let buffer = self.buffers.pop()?;
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    /// A message was read. Its buffer stays, unless somebody else holds part of it.
    pub(crate) fn keep(&mut self, payload: Bytes) {
        let Ok(mut buffer) = payload.try_into_mut() else { return };
        buffer.clear();
        let bytes = self.bytes + buffer.capacity();
        if bytes <= MOST_BYTES && self.buffers.len() < MOST {
            // From now on it may be shared, if it could not be before.
            drop(buffer.split_off(buffer.capacity()));
            self.bytes = bytes;
            self.buffers.push(buffer);
        }
    }
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
        // The first time round it is what the last message left of it.
        for _ in 0..3 {
            let again = Spares::copy(&mut spares, &[8; 900]);
            assert_eq!(again, [8; 900][..]);
            spares.as_mut().unwrap().keep(again);
        }
        let whole = Spares::copy(&mut spares, &[9; 3000]);
        assert_eq!((whole.as_ptr(), whole.len()), (start, 3000));
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
