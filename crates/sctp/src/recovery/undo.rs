//! Losses that were none: when everything that an episode of recovery took for lost turns out to have arrived, what
//! congestion control did about it is undone (after RFC 4015, RFC 3708 and RFC 5682).

use weft_core::Serial32;

use crate::ranges::Ranges;

/// More suspects than this are too many to have been mistaken.
const MAX_SUSPECTS: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Undo {
    /// TSNs taken for lost since the episode began.
    suspects: Ranges,
    /// How many of them have not turned out to have arrived all the same.
    open: u32,
    active: bool,
    by_timeout: bool,
}

impl Undo {
    /// An episode begins, by time or by T3-rtx.
    pub(crate) fn begin(&mut self, by_timeout: bool) {
        self.suspects.clear();
        self.open = 0;
        self.active = true;
        self.by_timeout = by_timeout;
    }

    pub(crate) fn on_lost(&mut self, tsn: Serial32) {
        if self.active {
            self.open += 1;
            self.suspects.insert(tsn, tsn);
            self.active = self.suspects.len() <= MAX_SUSPECTS;
        }
    }

    /// All from `first` to `last` that was not acknowledged was taken for lost.
    pub(crate) fn on_all_lost(&mut self, first: Serial32, last: Serial32) {
        self.suspects.insert(first, last);
        self.open = last.since(first) + 1;
    }

    /// A chunk arrived by the transmission that was taken for lost. `true`: so did all others, or after a timeout the
    /// first that was heard of (RFC 5682: then the timeout was spurious).
    pub(crate) fn on_arrived(&mut self, tsn: Serial32) -> bool {
        if !self.active || !self.suspects.contains(tsn) {
            return false;
        }
        self.open = self.open.saturating_sub(1);
        let undo = self.open == 0 || self.by_timeout;
        self.active = !undo;
        undo
    }

    /// A retransmission arrived that was needed.
    pub(crate) fn on_repaired(&mut self) {
        self.active &= !self.by_timeout;
    }
}
