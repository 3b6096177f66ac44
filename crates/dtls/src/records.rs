//! Application data lent to the layer above.

use core::ops::Range;
use std::collections::VecDeque;

/// The application data of a datagram, with what had overtaken the handshake before it.
#[derive(Debug)]
pub struct Records<'s> {
    ready: &'s mut VecDeque<Vec<u8>>,
    /// The one of `ready` that is lent.
    current: Vec<u8>,
    datagram: &'s [u8],
    spans: core::slice::Iter<'s, Range<usize>>,
    newest: bool,
}

impl<'s> Records<'s> {
    pub(crate) fn new(
        ready: &'s mut VecDeque<Vec<u8>>,
        datagram: &'s [u8],
        spans: &'s [Range<usize>],
        newest: bool,
    ) -> Self {
        Self { ready, current: Vec::new(), datagram, spans: spans.iter(), newest }
    }

    /// Whether the datagram holds an authenticated record that is later than every one before it. With a connection id,
    /// the address of the peer may only change to where such a datagram came from, and only when it was found out by
    /// other means that the peer can be reached there (RFC 9146 section 6).
    pub fn is_newest(&self) -> bool {
        self.newest
    }

    /// The content of the next record of application data; never empty.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend of itself")]
    pub fn next(&mut self) -> Option<&[u8]> {
        if let Some(record) = self.ready.pop_front() {
            self.current = record;
            return Some(&self.current);
        }
        self.datagram.get(self.spans.next()?.clone())
    }
}

impl Drop for Records<'_> {
    fn drop(&mut self) {
        // What nobody took is lost, wherever it was kept.
        if !self.ready.is_empty() {
            self.ready.clear();
        }
    }
}
