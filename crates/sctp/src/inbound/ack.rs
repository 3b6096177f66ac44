//! When to acknowledge ([RFC 9260 section 6.2](https://www.rfc-editor.org/rfc/rfc9260#section-6.2)).

use std::collections::VecDeque;

use weft_core::Serial32;

use super::bursts::Bursts;
use crate::ranges::Ranges;

/// How many duplicate TSNs one SACK reports.
const MAX_DUPLICATES: usize = 32;

/// SACKs that are kept apart for packets that were handed in together.
const MAX_STEPS: usize = 32;

/// Gap Ack Blocks of one of them. Where there are more, only the last SACK tells: of all that fit.
const MAX_STEP_GAPS: usize = 16;

/// What is told of the first of several packets that were handed in together.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) cumulative: Serial32,
    pub(crate) gaps: Vec<(Serial32, Serial32)>,
}

/// In the order in which they fell due. An idle association has none.
#[derive(Debug, Default)]
struct Steps(VecDeque<Step>);

#[derive(Debug, Default)]
pub(crate) struct AckState {
    /// Packets with DATA since the last SACK.
    packets: u8,
    /// And since the last one that a SACK fell due with.
    since_mark: u8,
    bursts: Bursts,
    /// The Cumulative TSN when a SACK fell due last. There was no gap.
    mark: Option<Serial32>,
    /// What the SACKs that fell due before would have told.
    steps: Option<Box<Steps>>,
    immediate: bool,
    /// The first DATA of an association is acknowledged at once (section 5.1).
    begun: bool,
    duplicates: Vec<Serial32>,
    /// The window the last SACK advertised.
    pub(crate) told_rwnd: u32,
}

impl AckState {
    /// A packet with DATA came, and this is what has arrived by now.
    #[inline]
    pub(crate) fn packet(&mut self, cumulative: Serial32, gaps: &Ranges) {
        self.packets = self.packets.saturating_add(1);
        if !self.bursts.are_acknowledged_once() {
            self.falls_due(cumulative, gaps);
        }
    }

    /// "At least every second packet" is acknowledged, and each one while there is a gap (section 6.7): senders count SACKs to
    /// open their window, to find what is lost, and to send no more than Max.Burst packets for each.
    #[inline(never)]
    fn falls_due(&mut self, cumulative: Serial32, gaps: &Ranges) {
        self.since_mark = self.since_mark.saturating_add(1);
        if self.since_mark < 2 && gaps.is_empty() {
            return;
        }
        self.since_mark = 0;
        if let Some(cumulative) = self.mark.take() {
            self.push(Step { cumulative, gaps: Vec::new() });
        }
        if gaps.is_empty() {
            self.mark = Some(cumulative);
        } else if gaps.len() <= MAX_STEP_GAPS {
            self.push(Step { cumulative, gaps: gaps.iter().copied().collect() });
        }
    }

    fn push(&mut self, step: Step) {
        let Steps(steps) = &mut **self.steps.get_or_insert_default();
        if steps.len() < MAX_STEPS {
            steps.push_back(step);
        }
    }

    /// What to tell before the latest, which the last SACK tells.
    pub(crate) fn earlier(&self) -> Option<&Step> {
        let Steps(steps) = self.steps.as_deref()?;
        if self.mark.is_some() || steps.len() > 1 { steps.front() } else { None }
    }

    /// That was told.
    pub(crate) fn told_earlier(&mut self, a_rwnd: u32) {
        if let Some(steps) = &mut self.steps {
            steps.0.pop_front();
        }
        self.told_rwnd = a_rwnd;
    }

    /// Nothing has come for a while: what bursts took is given back.
    pub(crate) fn rest(&mut self) {
        self.steps.take_if(|steps| steps.0.is_empty());
    }

    /// TSNs are counted anew, or a FORWARD TSN came: nothing of before may be told.
    pub(crate) fn forget_earlier(&mut self) {
        (self.mark, self.steps) = (None, None);
    }

    /// Something must be told without delay.
    pub(crate) fn now(&mut self) {
        self.immediate = true;
    }

    pub(crate) fn duplicate(&mut self, tsn: Serial32) {
        self.immediate = true;
        if self.duplicates.len() < MAX_DUPLICATES {
            self.duplicates.push(tsn);
        }
    }

    /// A SACK is due: at the second packet, or at once.
    pub(crate) fn due(&self) -> bool {
        self.immediate || self.packets >= 2 || (self.packets > 0 && !self.begun)
    }

    /// A SACK may be held back a while.
    pub(crate) fn pending(&self) -> bool {
        self.immediate || self.packets > 0
    }

    pub(crate) fn duplicates(&self) -> &[Serial32] {
        &self.duplicates
    }

    /// Everything that has arrived was told. `near`: the path's round trip is a short one.
    pub(crate) fn sent(&mut self, a_rwnd: u32, near: bool) {
        self.bursts.on_acknowledged(self.packets, near);
        (self.packets, self.since_mark, self.mark) = (0, 0, None);
        if let Some(steps) = &mut self.steps {
            steps.0.clear();
        }
        self.immediate = false;
        self.begun = true;
        self.duplicates.clear();
        self.told_rwnd = a_rwnd;
    }
}
