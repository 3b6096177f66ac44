//! Application data lent to the layer above.

use core::ops::Range;
use std::collections::vec_deque;

/// The application data of a datagram, with what had overtaken the handshake before it.
#[derive(Debug)]
pub struct Records<'s> {
    ready: vec_deque::Drain<'s, Vec<u8>>,
    /// The one of `ready` that is lent.
    current: Vec<u8>,
    datagram: &'s [u8],
    spans: core::slice::Iter<'s, Range<usize>>,
}

impl<'s> Records<'s> {
    pub(crate) fn new(ready: vec_deque::Drain<'s, Vec<u8>>, datagram: &'s [u8], spans: &'s [Range<usize>]) -> Self {
        Self { ready, current: Vec::new(), datagram, spans: spans.iter() }
    }

    /// The content of the next record of application data; never empty.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend of itself")]
    pub fn next(&mut self) -> Option<&[u8]> {
        if let Some(record) = self.ready.next() {
            self.current = record;
            return Some(&self.current);
        }
        self.datagram.get(self.spans.next()?.clone())
    }
}
