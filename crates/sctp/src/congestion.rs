//! Congestion control ([RFC 9260 section 7](https://www.rfc-editor.org/rfc/rfc9260#section-7)).

use core::fmt::Debug;
use core::time::Duration;

use weft_core::Instant;

/// The constant of the initial window, bytes (section 7.2.1): that for IPv6. For IPv4 it may be 4404, but below DTLS and ICE
/// nobody can tell which it is, and a sender may be more careful than it must.
const INITIAL_WINDOW: usize = 4344;

/// What a SACK acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    /// User bytes newly acknowledged, cumulatively or by gap block.
    pub bytes: usize,
    /// User bytes in flight before the SACK.
    pub flight_before: usize,
    /// User bytes in flight after it.
    pub flight_after: usize,
    /// Whether the Cumulative TSN Ack Point advanced.
    pub advanced: bool,
    /// Whether the sender is in Fast Recovery.
    pub in_recovery: bool,
    /// Smoothed round-trip time.
    pub srtt: Option<Duration>,
}

/// Decides how much may be in flight.
pub trait Controller: Debug + Send {
    /// A SACK acknowledged something.
    fn on_ack(&mut self, now: Instant, ack: &Acknowledged);
    /// Loss was detected by missing reports: Fast Recovery begins.
    fn on_loss(&mut self, now: Instant, flight: usize);
    /// T3-rtx expired.
    fn on_timeout(&mut self, now: Instant);
    /// Nothing was sent for a whole RTO.
    fn on_idle(&mut self);
    /// The association started anew: as when it was made.
    fn restart(&mut self);
    /// The largest chunk of user data changed to this many bytes.
    fn set_chunk_size(&mut self, bytes: usize);
    /// Congestion window, bytes.
    fn window(&self) -> usize;
    /// Slow start threshold, bytes (`usize::MAX` where there is none).
    fn threshold(&self) -> usize;
}

/// Slow start and congestion avoidance as RFC 9260 section 7.2 has them.
#[derive(Clone, Debug)]
pub struct NewReno {
    cwnd: usize,
    ssthresh: usize,
    partial_bytes_acked: usize,
    chunk: usize,
    slow_start_limit: usize,
    /// Bytes to begin with, where that was set.
    initial: Option<usize>,
}

impl NewReno {
    /// `chunk` is the PMDCS, `slow_start_limit` the L of RFC 9260 section 7.2.1.
    pub fn new(chunk: usize, slow_start_limit: usize) -> Self {
        let cwnd = (4 * chunk).min((2 * chunk).max(INITIAL_WINDOW));
        Self {
            cwnd,
            ssthresh: usize::MAX,
            partial_bytes_acked: 0,
            chunk,
            slow_start_limit: slow_start_limit.max(1),
            initial: None,
        }
    }

    /// Begins with a window of so many packets, where that is not `None`.
    #[must_use]
    pub fn with_initial_window(mut self, packets: Option<usize>) -> Self {
        self.initial = packets.map(|packets| packets.max(1).saturating_mul(self.chunk));
        self.cwnd = self.initial.unwrap_or(self.cwnd);
        self
    }
}

impl Controller for NewReno {
    fn on_ack(&mut self, _now: Instant, ack: &Acknowledged) {
        let used = ack.flight_before >= self.cwnd;
        if self.cwnd <= self.ssthresh {
            if used && ack.advanced && !ack.in_recovery {
                self.cwnd = self.cwnd.saturating_add(ack.bytes.min(self.slow_start_limit.saturating_mul(self.chunk)));
            }
        } else if ack.advanced {
            self.partial_bytes_acked = self.partial_bytes_acked.saturating_add(ack.bytes);
            if self.partial_bytes_acked >= self.cwnd {
                if used && !ack.in_recovery {
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
        self.ssthresh = (self.cwnd / 2).max(4 * self.chunk);
        self.cwnd = self.ssthresh;
        self.partial_bytes_acked = 0;
    }

    fn on_timeout(&mut self, _now: Instant) {
        self.ssthresh = (self.cwnd / 2).max(4 * self.chunk);
        self.cwnd = self.chunk;
        self.partial_bytes_acked = 0;
    }

    fn on_idle(&mut self) {
        self.cwnd = (self.cwnd / 2).max(4 * self.chunk).min(self.cwnd);
    }

    fn restart(&mut self) {
        let fresh = Self::new(self.chunk, self.slow_start_limit);
        *self = Self { cwnd: self.initial.unwrap_or(fresh.cwnd), initial: self.initial, ..fresh };
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
            in_recovery: false,
            srtt: None,
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
        c.on_ack(now, &ack(2320, 3000));
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
