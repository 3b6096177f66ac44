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
    /// What T3-rtx sent again was acknowledged, perhaps because it was needed.
    repaired: Repaired,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Repaired {
    #[default]
    No,
    /// By the SACK at hand.
    Now,
    Before,
}

impl Undo {
    /// An episode begins, by time or by T3-rtx.
    pub(crate) fn begin(&mut self, by_timeout: bool) {
        self.suspects.clear();
        self.open = 0;
        self.active = true;
        self.by_timeout = by_timeout;
        self.repaired = Repaired::No;
    }

    /// A SACK came.
    pub(crate) fn on_sack(&mut self) {
        if self.repaired == Repaired::Now {
            self.repaired = Repaired::Before;
        }
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
    /// first that was heard of. Where what was sent again was acknowledged first, that may have been needed; but when the
    /// next SACK goes on with what was not, the timeout was spurious (RFC 5682 section 2.1, step 3).
    pub(crate) fn on_arrived(&mut self, tsn: Serial32) -> bool {
        self.note(tsn, self.by_timeout && self.repaired != Repaired::Now)
    }

    /// The peer got a chunk twice: its first transmission was not lost.
    pub(crate) fn on_duplicate(&mut self, tsn: Serial32) -> bool {
        self.note(tsn, self.by_timeout && self.repaired == Repaired::No)
    }

    fn note(&mut self, tsn: Serial32, one_is_enough: bool) -> bool {
        if !self.active || !self.suspects.contains(tsn) {
            return false;
        }
        self.open = self.open.saturating_sub(1);
        let undo = self.open == 0 || one_is_enough;
        self.active = !undo;
        undo
    }

    /// What was sent again was acknowledged.
    pub(crate) fn on_repaired(&mut self) {
        if self.repaired == Repaired::No {
            self.repaired = Repaired::Now;
        }
    }
}
