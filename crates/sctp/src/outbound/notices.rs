//! What became of messages whose sender wants to know.

use std::collections::VecDeque;

use weft_core::Serial32;

use super::flight::Flight;

/// A message whose last chunk is outstanding.
#[derive(Debug)]
pub(super) struct Notice {
    /// TSN of its last chunk.
    tsn: Serial32,
    number: u64,
    abandoned: bool,
}

/// Notices in the order of the TSNs they wait for. A message is delivered when its last chunk is acknowledged
/// cumulatively, for its other chunks came before.
#[derive(Debug, Default)]
pub(super) struct Notices {
    waiting: VecDeque<Notice>,
}

impl Notices {
    fn push(&mut self, tsn: Serial32, number: u64) {
        self.waiting.push_back(Notice { tsn, number, abandoned: false });
    }
}

impl Flight {
    /// Whoever sent the message that ends with `tsn` wants to know.
    pub(super) fn note(&mut self, tsn: Serial32, number: u64) {
        self.notices.get_or_insert_default().push(tsn, number);
    }

    /// The chunk at `index` of the ring was given up.
    pub(super) fn note_abandoned(&mut self, index: usize) {
        let tsn = self.cumulative_ack.plus(index as u32).next();
        let base = self.cumulative_ack;
        let Some(Notices { waiting }) = self.notices.as_deref_mut() else { return };
        if let Ok(at) = waiting.binary_search_by_key(&tsn.since(base), |n| n.tsn.since(base))
            && let Some(notice) = waiting.get_mut(at)
        {
            notice.abandoned = true;
        }
    }

    /// Whether some message is settled, or may soon be.
    #[inline]
    pub(crate) fn has_notices(&self) -> bool {
        self.notices.as_ref().is_some_and(|notices| !notices.waiting.is_empty())
    }

    /// The next message that is settled: its notice, and whether it was delivered.
    pub(crate) fn take_notice(&mut self) -> Option<(u64, bool)> {
        let waiting = &mut self.notices.as_deref_mut()?.waiting;
        if waiting.front()?.tsn.follows(self.cumulative_ack) {
            return None;
        }
        let notice = waiting.pop_front()?;
        Some((notice.number, !notice.abandoned))
    }

    /// The association ends: what was not acknowledged counts as not delivered.
    pub(crate) fn drain_notices(&mut self) -> impl Iterator<Item = u64> {
        self.notices.take().into_iter().flat_map(|n| n.waiting).map(|n| n.number)
    }
}
