//! Round trips: what happened between a packet's sending and its acknowledgement.

use core::time::Duration;

use weft_core::Instant;

use super::{Acknowledged, RateSample};

/// What happened in a round trip.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    /// It ends when a packet sent after this much was delivered is acknowledged.
    end: u64,
    began: Option<Instant>,
    pub(super) count: u64,
    pub(super) lost: usize,
    acked: usize,
    rtt_sum: Duration,
    rtt_samples: u32,
    /// Lowest round-trip time.
    pub(super) least_rtt: Option<Duration>,
    pub(super) flight: usize,
    pub(super) bw: f64,
    /// There was not always something to send.
    pub(super) app_limited: bool,
}

impl Round {
    /// Takes an acknowledgement in; gives the round it ended.
    pub(super) fn on_ack(&mut self, now: Instant, ack: &Acknowledged) -> Option<Self> {
        self.lost += ack.lost;
        self.acked += ack.bytes;
        self.flight = self.flight.max(ack.flight_before);
        self.app_limited |= !ack.window_limited;
        if let Some(rtt) = ack.rtt {
            self.rtt_sum += rtt;
            self.rtt_samples += 1;
            self.least_rtt = Some(self.least_rtt.map_or(rtt, |least| least.min(rtt)));
        }
        let RateSample { prior_delivered, bytes_per_second, .. } = ack.rate?;
        self.bw = self.bw.max(bytes_per_second);
        if prior_delivered < self.end {
            return None;
        }
        let whole = *self;
        *self = Self { end: ack.delivered, count: whole.count + 1, began: Some(now), ..Self::default() };
        Some(whole)
    }

    pub(super) fn mean_rtt(&self) -> Option<Duration> {
        self.rtt_sum.checked_div(self.rtt_samples)
    }

    /// Bytes a second that left for what arrived or was lost in the round that ended now.
    pub(super) fn rate(&self, now: Instant) -> Option<f64> {
        let seconds = (now - self.began?).as_secs_f64();
        (seconds > 0.0).then(|| (self.acked + self.lost) as f64 / seconds)
    }
}
