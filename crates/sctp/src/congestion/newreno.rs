//! Slow start, congestion avoidance and multiplicative decrease as
//! [RFC 9260 section 7.2](https://www.rfc-editor.org/rfc/rfc9260#section-7.2) has them.

use weft_core::Instant;

use super::hystart::{Growth, HyStart};
use super::{Acknowledged, Controller, initial_window};

/// NewReno.
#[derive(Clone, Debug)]
pub struct NewReno {
    cwnd: usize,
    ssthresh: usize,
    partial_bytes_acked: usize,
    chunk: usize,
    slow_start_limit: usize,
    hystart: HyStart,
    /// Window and threshold before the last reduction.
    before: Option<(usize, usize)>,
    /// T3-rtx expired, and nothing was acknowledged since.
    timed_out: bool,
    idle: bool,
    /// Bytes to begin with, where that was set.
    initial: Option<usize>,
}

impl NewReno {
    /// `chunk` is the PMDCS, `slow_start_limit` the L of RFC 9260 section 7.2.1.
    pub fn new(chunk: usize, slow_start_limit: usize) -> Self {
        Self {
            cwnd: initial_window(chunk),
            ssthresh: usize::MAX,
            partial_bytes_acked: 0,
            chunk,
            slow_start_limit: slow_start_limit.max(1),
            initial: None,
            hystart: HyStart::new(false),
            before: None,
            timed_out: false,
            idle: false,
        }
    }

    /// Begins with a window of so many packets, where that is not `None`.
    #[must_use]
    pub fn with_initial_window(mut self, packets: Option<usize>) -> Self {
        self.initial = packets.map(|packets| packets.max(1).saturating_mul(self.chunk));
        self.cwnd = self.initial.unwrap_or(self.cwnd);
        self
    }

    /// Leaves slow start when the delay grows (RFC 9406), if `on`.
    #[must_use]
    pub fn with_hystart(mut self, on: bool) -> Self {
        self.hystart = HyStart::new(on);
        self
    }

    fn slow_start(&mut self, ack: &Acknowledged) {
        if !(ack.window_limited && ack.advanced) || ack.in_recovery {
            return;
        }
        let step = ack.bytes.min(self.slow_start_limit.saturating_mul(self.chunk));
        match self.hystart.on_ack(ack) {
            Growth::Full => self.cwnd = self.cwnd.saturating_add(step),
            Growth::Divided(by) => self.cwnd = self.cwnd.saturating_add(step / by),
            Growth::Stop => self.ssthresh = self.cwnd.saturating_sub(1),
        }
    }

    fn reduce(&mut self) {
        if !self.timed_out {
            self.before = Some((self.cwnd, self.ssthresh));
        }
        self.ssthresh = (self.cwnd / 2).max(4 * self.chunk);
        self.partial_bytes_acked = 0;
    }
}

impl Controller for NewReno {
    fn on_ack(&mut self, _now: Instant, ack: &Acknowledged) {
        self.idle = false;
        self.timed_out &= ack.bytes == 0;
        if self.cwnd <= self.ssthresh {
            self.slow_start(ack);
        } else if ack.advanced {
            self.partial_bytes_acked = self.partial_bytes_acked.saturating_add(ack.bytes);
            if self.partial_bytes_acked >= self.cwnd {
                if ack.window_limited && !ack.in_recovery {
                    self.partial_bytes_acked -= self.cwnd;
                    self.cwnd = self.cwnd.saturating_add(self.chunk);
                } else {
                    self.partial_bytes_acked = self.cwnd;
                }
            }
        }
        if ack.flight_after == 0 {
            self.partial_bytes_acked = 0;
        }
    }

    fn on_loss(&mut self, _now: Instant, _flight: usize) {
        self.reduce();
        self.cwnd = self.ssthresh;
    }

    fn on_timeout(&mut self, _now: Instant) {
        self.reduce();
        self.timed_out = true;
        self.cwnd = self.chunk;
    }

    fn on_spurious_loss(&mut self, _now: Instant) {
        if let Some((cwnd, ssthresh)) = self.before.take() {
            self.cwnd = self.cwnd.max(cwnd);
            self.ssthresh = self.ssthresh.max(ssthresh);
        }
    }

    fn on_idle(&mut self) {
        if !core::mem::replace(&mut self.idle, true) {
            // "Before the first cwnd adjustment, the ssthresh ... SHOULD be set to the cwnd": slow start brings it back.
            self.ssthresh = self.ssthresh.max(self.cwnd);
            self.hystart.restart();
        }
        self.cwnd = (self.cwnd / 2).max(4 * self.chunk).min(self.cwnd);
    }

    fn restart(&mut self) {
        let mut hystart = self.hystart.clone();
        hystart.restart();
        let fresh = Self::new(self.chunk, self.slow_start_limit);
        *self = Self { hystart, cwnd: self.initial.unwrap_or(fresh.cwnd), initial: self.initial, ..fresh };
    }

    fn set_chunk_size(&mut self, bytes: usize) {
        self.chunk = bytes;
        self.cwnd = self.cwnd.max(bytes);
    }

    fn window(&self) -> usize {
        self.cwnd
    }

    fn threshold(&self) -> usize {
        self.ssthresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(bytes: usize, flight: usize) -> Acknowledged {
        Acknowledged {
            bytes,
            flight_before: flight,
            flight_after: flight.saturating_sub(bytes).max(1),
            advanced: true,
            window_limited: true,
            ..Acknowledged::default()
        }
    }

    #[test]
    fn window_grows_and_shrinks_as_section_7_2_says() {
        let now = Instant::ORIGIN;
        let mut c = NewReno::new(1160, 1);
        // min(4 * PMDCS, max(2 * PMDCS, 4344))
        assert_eq!(c.window(), 4344);
        c.on_ack(now, &ack(2320, 4344));
        assert_eq!(c.window(), 4344 + 1160, "L = 1");
        c.on_ack(now, &Acknowledged { window_limited: false, ..ack(2320, 3000) });
        assert_eq!(c.window(), 5504, "not while the window is not used");
        c.on_loss(now, 5000);
        assert_eq!((c.window(), c.threshold()), (4640, 4640));
        c.on_ack(now, &ack(1160, 4640));
        assert_eq!(c.window(), 5800, "at the threshold it is still slow start");
        for _ in 0..4 {
            c.on_ack(now, &ack(1160, 5800));
        }
        assert_eq!(c.window(), 5800);
        c.on_ack(now, &ack(1160, 5800));
        assert_eq!(c.window(), 6960, "one chunk for a window's worth");
        c.on_timeout(now);
        assert_eq!((c.window(), c.threshold()), (1160, 4640));
        c.on_idle();
        assert_eq!(c.window(), 1160, "idling never enlarges the window");
    }
}
