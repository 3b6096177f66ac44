//! HyStart++ ([RFC 9406](https://www.rfc-editor.org/rfc/rfc9406)): slow start ends when the delay grows, before a full
//! queue ends it with a burst of losses.

use core::time::Duration;

use super::Acknowledged;

/// MIN_RTT_THRESH, MAX_RTT_THRESH, MIN_RTT_DIVISOR, N_RTT_SAMPLE, CSS_GROWTH_DIVISOR, CSS_ROUNDS.
const MIN_RTT_THRESH: Duration = Duration::from_millis(4);
const MAX_RTT_THRESH: Duration = Duration::from_millis(16);
const MIN_RTT_DIVISOR: u32 = 8;
const N_RTT_SAMPLE: u32 = 8;
const CSS_GROWTH_DIVISOR: usize = 4;
const CSS_ROUNDS: u32 = 5;

/// What slow start is to do with an acknowledgement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Growth {
    /// Grow as slow start does.
    Full,
    /// Grow by this fraction of it: conservative slow start.
    Divided(usize),
    /// Slow start is over.
    Stop,
}

#[derive(Clone, Debug)]
pub(super) struct HyStart {
    enabled: bool,
    /// The round ends when what was delivered reaches this.
    round_end: u64,
    last_round_min: Duration,
    round_min: Duration,
    samples: u32,
    /// In conservative slow start: the round-trip time it began with.
    css_baseline: Option<Duration>,
    css_rounds: u32,
}

impl HyStart {
    pub(super) fn new(enabled: bool) -> Self {
        Self {
            enabled,
            round_end: 0,
            last_round_min: Duration::MAX,
            round_min: Duration::MAX,
            samples: 0,
            css_baseline: None,
            css_rounds: 0,
        }
    }

    pub(super) fn restart(&mut self) {
        *self = Self::new(self.enabled);
    }

    pub(super) fn on_ack(&mut self, ack: &Acknowledged) -> Growth {
        if !self.enabled {
            return Growth::Full;
        }
        if ack.delivered >= self.round_end {
            self.round_end = ack.delivered + ack.flight_after as u64;
            self.last_round_min = self.round_min;
            self.round_min = Duration::MAX;
            self.samples = 0;
            if self.css_baseline.is_some() {
                self.css_rounds += 1;
            }
        }
        if let Some(rtt) = ack.rtt {
            self.round_min = self.round_min.min(rtt);
            self.samples += 1;
        }
        let measured = self.samples >= N_RTT_SAMPLE && self.round_min != Duration::MAX;
        match self.css_baseline {
            None if measured && self.last_round_min != Duration::MAX => {
                let threshold = (self.last_round_min / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH, MAX_RTT_THRESH);
                if self.round_min >= self.last_round_min + threshold {
                    self.css_baseline = Some(self.round_min);
                    self.css_rounds = 0;
                    return Growth::Divided(CSS_GROWTH_DIVISOR);
                }
                Growth::Full
            }
            None => Growth::Full,
            Some(baseline) if measured && self.round_min < baseline => {
                self.css_baseline = None; // the delay was noise
                Growth::Full
            }
            Some(_) if self.css_rounds >= CSS_ROUNDS => Growth::Stop,
            Some(_) => Growth::Divided(CSS_GROWTH_DIVISOR),
        }
    }
}
