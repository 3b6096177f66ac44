//! One datagram being built.

use core::fmt;

/// Bytes a [`Wrap`](crate::Wrap) adds before and after the content of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Overhead {
    /// Bytes before the content.
    pub head: usize,
    /// Bytes after the content.
    pub tail: usize,
}

impl Overhead {
    /// None at all.
    pub const NONE: Self = Self { head: 0, tail: 0 };

    /// Both sides together.
    pub const fn total(self) -> usize {
        self.head.saturating_add(self.tail)
    }

    /// What is needed when `outer` wraps what `self` has wrapped.
    #[must_use]
    pub const fn and(self, outer: Self) -> Self {
        Self { head: self.head.saturating_add(outer.head), tail: self.tail.saturating_add(outer.tail) }
    }
}

/// The frame has no room left for what was to be written. Nothing was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no room left in the frame")]
pub struct Full;

/// One datagram being built in place, in a borrowed buffer.
///
/// ```text
///  0          start             end             limit        buffer end
///  | head room | content ....... | spare ........ | tail room   |
///              ^ layers append here ->
///  <- claim_head                 claim_tail ->
/// ```
/// The layer with the payload appends to the content, up to the limit; the layers around it then claim head and tail
/// room and seal in place, so user data is copied once and nothing is allocated.
pub struct Frame<'a> {
    buf: &'a mut [u8],
    start: usize,
    end: usize,
    limit: usize,
    may_fragment: bool,
}

/// A finished frame on its way into [`Batch::commit`](crate::Batch::commit). It no longer borrows the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Committable {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) may_fragment: bool,
}

impl<'a> Frame<'a> {
    /// An empty frame over `buf`, which is as long as the datagram may become, with `room` set aside for the layers
    /// around. With less buffer than `room` asks for, the frame has no capacity at all.
    #[inline]
    pub fn new(buf: &'a mut [u8], room: Overhead) -> Self {
        let start = room.head.min(buf.len());
        let limit = buf.len().saturating_sub(room.tail).max(start);
        Self { buf, start, end: start, limit, may_fragment: false }
    }

    /// Length of the content.
    #[inline]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether nothing was written yet.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// How many bytes can still be appended.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.limit - self.end
    }

    /// How much content the frame can hold altogether.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.limit - self.start
    }

    /// Lowers [`capacity`](Self::capacity) to `max` bytes: a layer that knows a smaller path MTU than its caller.
    #[inline]
    pub fn cap(&mut self, max: usize) {
        self.limit = self.limit.min(self.start.saturating_add(max)).max(self.end);
    }

    /// The content.
    #[inline]
    pub fn content(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// The content, to be changed in place (checksums, encryption).
    #[inline]
    pub fn content_mut(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Appends `bytes`.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.push_uninit(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Appends one byte.
    #[inline]
    pub fn push_u8(&mut self, n: u8) -> Result<(), Full> {
        self.push(&[n])
    }

    /// Appends `n` in network order.
    #[inline]
    pub fn push_u16(&mut self, n: u16) -> Result<(), Full> {
        self.push(&n.to_be_bytes())
    }

    /// Appends `n` in network order.
    #[inline]
    pub fn push_u32(&mut self, n: u32) -> Result<(), Full> {
        self.push(&n.to_be_bytes())
    }

    /// Appends `n` zero bytes.
    #[inline]
    pub fn push_zeros(&mut self, n: usize) -> Result<(), Full> {
        self.push_uninit(n)?.fill(0);
        Ok(())
    }

    /// Appends `n` bytes of whatever the buffer holds and lends them to be written: the one-copy way in. They may be
    /// left over from an earlier datagram, so write all of them.
    #[inline]
    pub fn push_uninit(&mut self, n: usize) -> Result<&mut [u8], Full> {
        if n > self.remaining() {
            return Err(Full);
        }
        let at = self.end;
        self.end += n;
        self.buf.get_mut(at..self.end).ok_or(Full)
    }

    /// The writable space after the content, as far as the limit. [`push_uninit`](Self::push_uninit) then takes it in.
    #[inline]
    pub fn spare_mut(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.end..self.limit).unwrap_or_default()
    }

    /// Shortens the content to `len` bytes; does nothing if it is shorter already.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start.saturating_add(len));
    }

    /// Free bytes before the content.
    #[inline]
    pub fn head_room(&self) -> usize {
        self.start
    }

    /// Free bytes between the content and the end of the buffer.
    #[inline]
    pub fn tail_room(&self) -> usize {
        self.buf.len() - self.end
    }

    /// Moves the content `n` bytes towards the tail, so that there are `n` more free bytes before it. For what was written
    /// before it was known that it would be wrapped; who knows that sets the room aside.
    pub fn make_head_room(&mut self, n: usize) -> Result<(), Full> {
        if n > self.remaining() {
            return Err(Full);
        }
        self.buf.copy_within(self.start..self.end, self.start + n);
        (self.start, self.end) = (self.start + n, self.end + n);
        Ok(())
    }

    /// Grows the content by `n` bytes at its head and lends them to be written.
    #[inline]
    pub fn claim_head(&mut self, n: usize) -> Result<&mut [u8], Full> {
        let start = self.start.checked_sub(n).ok_or(Full)?;
        self.start = start;
        self.buf.get_mut(start..start + n).ok_or(Full)
    }

    /// Grows the content by `n` bytes at its tail, out of spare or tail room, and lends them to be written.
    #[inline]
    pub fn claim_tail(&mut self, n: usize) -> Result<&mut [u8], Full> {
        if n > self.tail_room() {
            return Err(Full);
        }
        let at = self.end;
        self.end += n;
        self.limit = self.limit.max(self.end);
        self.buf.get_mut(at..self.end).ok_or(Full)
    }

    /// Lets the network fragment this datagram (clear DF): for what is outstanding when a path shrinks and cannot be cut
    /// again (RFC 9260 section 6.9).
    pub fn set_may_fragment(&mut self) {
        self.may_fragment = true;
    }

    /// Whether the network may fragment this datagram.
    pub fn may_fragment(&self) -> bool {
        self.may_fragment
    }

    /// Ends the borrow, for [`Batch::commit`](crate::Batch::commit).
    #[inline]
    pub fn finish(self) -> Committable {
        Committable { start: self.start, end: self.end, may_fragment: self.may_fragment }
    }
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("head_room", &self.head_room())
            .field("len", &self.len())
            .field("remaining", &self.remaining())
            .field("tail_room", &self.tail_room())
            .finish()
    }
}
