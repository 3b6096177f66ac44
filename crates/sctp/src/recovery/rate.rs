//! The delivery rate, from one packet's sending to its acknowledgement (draft-cheng-iccrg-delivery-rate-estimation).

use core::time::Duration;

use weft_core::Instant;

use super::Transmission;
use crate::congestion::RateSample;

/// How far delivery was when a packet left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    delivered: u64,
    delivered_time: Instant,
    first_sent: Instant,
    lost: u64,
    app_limited: bool,
}

/// The newest packet that the SACK being handled acknowledges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    sent: Instant,
    flight: u32,
    stamp: Stamp,
}

#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// User bytes acknowledged in all, and when the last was.
    pub(crate) delivered: u64,
    delivered_time: Instant,
    /// When the packet left from which the send rate is measured.
    first_sent: Instant,
    /// User bytes found lost in all.
    pub(crate) lost: u64,
    /// Until this much is delivered, the application limits what is sent; 0 when it does not.
    app_limited: u64,
    /// What left before then went another way.
    path_since: Instant,
}

impl Delivery {
    pub(crate) fn new() -> Self {
        Self {
            delivered: 0,
            delivered_time: Instant::ORIGIN,
            first_sent: Instant::ORIGIN,
            lost: 0,
            app_limited: 0,
            path_since: Instant::ORIGIN,
        }
    }

    /// A packet is about to leave, and nothing is in flight.
    pub(crate) fn on_send(&mut self, now: Instant) {
        self.first_sent = now;
        self.delivered_time = now;
    }

    /// It is another path now.
    pub(crate) fn change_path(&mut self, now: Instant) {
        self.path_since = now;
        self.on_send(now);
    }

    /// Whether what left at `sent` says something about the path there is.
    pub(crate) fn is_current(&self, sent: Instant) -> bool {
        sent >= self.path_since
    }

    /// What a transmission that leaves now remembers.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            delivered: self.delivered,
            delivered_time: self.delivered_time,
            first_sent: self.first_sent,
            lost: self.lost,
            app_limited: self.app_limited != 0,
        }
    }

    /// The window has room, yet nothing may be sent: there is no data, or the peer's window is shut.
    pub(crate) fn limit(&mut self, flight: usize) {
        self.app_limited = (self.delivered + flight as u64).max(1);
    }

    pub(crate) fn is_limited(&self) -> bool {
        self.app_limited != 0
    }

    /// Something of `transmission` was acknowledged; `newest` is of those acknowledged by the same SACK.
    pub(crate) fn on_ack(&self, transmission: &Transmission, newest: &mut Option<Newest>) {
        let Transmission { sent, flight, stamp, .. } = *transmission;
        if self.is_current(sent) && newest.is_none_or(|newest| stamp.delivered >= newest.stamp.delivered) {
            *newest = Some(Newest { sent, flight, stamp });
        }
    }

    /// All of a SACK was handled: the sample it gives.
    pub(crate) fn sample(
        &mut self,
        now: Instant,
        acked: usize,
        min_rtt: Option<Duration>,
        newest: Option<Newest>,
    ) -> Option<RateSample> {
        self.delivered += acked as u64;
        if acked > 0 {
            self.delivered_time = now;
        }
        if self.app_limited != 0 && self.delivered > self.app_limited {
            self.app_limited = 0;
        }
        let Newest { sent, flight, stamp } = newest?;
        self.first_sent = sent;
        let interval = (sent - stamp.first_sent).max(now - stamp.delivered_time);
        // Shorter than any round trip: acknowledgements came bunched.
        if interval.is_zero() || min_rtt.is_some_and(|min| interval < min) {
            return None;
        }
        let bytes = self.delivered.saturating_sub(stamp.delivered);
        Some(RateSample {
            bytes_per_second: bytes as f64 / interval.as_secs_f64(),
            interval,
            app_limited: stamp.app_limited,
            prior_delivered: stamp.delivered,
            flight_at_send: flight as usize,
            lost: self.lost.saturating_sub(stamp.lost),
        })
    }
}
