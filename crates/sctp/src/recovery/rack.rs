//! Loss detection by time ([RFC 8985](https://www.rfc-editor.org/rfc/rfc8985)): a chunk is lost when another that left
//! later has arrived and a reordering window has passed since its own time was up. "Left later" is told by the number of
//! the transmission, so that retransmissions that are lost again are found like all else.

use core::time::Duration;

use weft_core::{Instant, Serial32};

use super::Transmissions;

/// "DupThresh": so many chunks beyond a hole show that it is one, where reordering was never seen.
const DUP_THRESH: u32 = 3;

/// "Recovery.reo_wnd_persist": so many recoveries a widened window lasts.
const REO_WND_PERSIST: u8 = 16;

/// How long a minimum of the round-trip time is believed.
const MIN_RTT_WINDOW: Duration = Duration::from_secs(30);

/// How much longer than twice the round trip a tail loss probe waits when the peer may hold its acknowledgement back.
const MAX_ACK_DELAY: Duration = Duration::from_millis(200);

/// A tail loss probe that was not acknowledged yet (RFC 8985 section 7.3, TLP.end_seq and TLP.is_retrans).
#[derive(Clone, Copy, Debug)]
struct Probe {
    end: Serial32,
    tsn: Option<Serial32>,
}

#[derive(Debug)]
pub(crate) struct Rack {
    pub(crate) enabled: bool,
    /// Of the transmission that left last among those acknowledged: its number, and its round-trip time.
    newest: Option<u32>,
    rtt: Duration,
    min_rtt: Option<(Duration, Instant)>,
    /// Highest TSN acknowledged.
    fack: Option<Serial32>,
    reordering_seen: bool,
    reo_wnd_mult: u8,
    reo_wnd_persist: u8,
    /// The window was widened; not again before this TSN is acknowledged.
    dsack_round: Option<Serial32>,
    /// Chunks acknowledged by gap blocks.
    pub(crate) sacked: u32,
    /// When the reordering window of the oldest suspect ends.
    pub(crate) deadline: Option<Instant>,
    probe: Option<Probe>,
}

impl Rack {
    pub(crate) fn new(enabled: bool) -> Self {
        Self {
            enabled,
            newest: None,
            rtt: Duration::ZERO,
            min_rtt: None,
            fack: None,
            reordering_seen: false,
            reo_wnd_mult: 1,
            reo_wnd_persist: REO_WND_PERSIST,
            dsack_round: None,
            sacked: 0,
            deadline: None,
            probe: None,
        }
    }

    pub(crate) fn min_rtt(&self) -> Option<Duration> {
        self.min_rtt.map(|(rtt, _)| rtt)
    }

    /// It is another path now, with times of its own.
    pub(crate) fn change_path(&mut self) {
        self.min_rtt = None;
        (self.reordering_seen, self.reo_wnd_mult) = (false, 1);
    }

    pub(crate) fn newest(&self) -> Option<u32> {
        self.newest
    }

    /// Section 6.2, steps 1 and 2: transmission `number`, which left at `sent`, was acknowledged. `false`: it cannot have
    /// been this one, but an earlier transmission of the same chunk.
    pub(crate) fn on_ack(&mut self, now: Instant, number: u32, sent: Instant, again: bool) -> bool {
        let rtt = now - sent;
        if again && self.min_rtt().is_some_and(|min| rtt < min) {
            return false;
        }
        if !again && self.min_rtt.is_none_or(|(min, at)| rtt <= min || now - at > MIN_RTT_WINDOW) {
            self.min_rtt = Some((rtt, now));
        }
        if self.newest.is_none_or(|newest| Transmissions::before(newest, number)) {
            self.newest = Some(number);
            self.rtt = rtt;
        }
        true
    }

    /// Step 3: a chunk sent once arrived after one with a higher TSN.
    pub(crate) fn on_arrival(&mut self, tsn: Serial32, again: bool) {
        match self.fack {
            Some(fack) if tsn.precedes(fack) => self.reordering_seen |= !again,
            _ => self.fack = Some(tsn),
        }
    }

    /// Step 4: the peer got a chunk twice. What was sent again was not lost, so wait longer from now on.
    pub(crate) fn on_duplicate(&mut self, cumulative: Serial32, next_tsn: Serial32) {
        if self.dsack_round.is_some_and(|round| round.follows(cumulative)) {
            return;
        }
        self.dsack_round = Some(next_tsn);
        self.reo_wnd_mult = self.reo_wnd_mult.saturating_add(1).min(64);
        self.reo_wnd_persist = REO_WND_PERSIST;
    }

    /// Recovery ended.
    pub(crate) fn on_recovered(&mut self) {
        self.reo_wnd_persist = self.reo_wnd_persist.saturating_sub(1);
        if self.reo_wnd_persist == 0 {
            self.reo_wnd_mult = 1;
        }
    }

    /// How long after its time a chunk is waited for.
    pub(crate) fn reordering_window(&self, in_recovery: bool, srtt: Option<Duration>) -> Duration {
        if !self.reordering_seen && (in_recovery || self.sacked >= DUP_THRESH) {
            return Duration::ZERO;
        }
        let min = self.min_rtt().unwrap_or_default();
        (min / 4 * u32::from(self.reo_wnd_mult)).min(srtt.unwrap_or(min))
    }

    /// Step 5, for one transmission: when it is lost, if it left before one that arrived.
    pub(crate) fn lost_at(&self, number: u32, sent: Instant, reo_wnd: Duration) -> Option<Instant> {
        let newest = self.newest?;
        Transmissions::before(number, newest).then(|| sent + self.rtt + reo_wnd)
    }

    /// PTO (section 7.2).
    pub(crate) fn probe_timeout(srtt: Option<Duration>, one_packet: bool) -> Duration {
        match srtt {
            None => Duration::from_secs(1),
            Some(srtt) if one_packet => srtt * 2 + MAX_ACK_DELAY,
            Some(srtt) => srtt * 2,
        }
    }

    pub(crate) fn is_probing(&self) -> bool {
        self.probe.is_some()
    }

    /// A probe leaves: a retransmission of `tsn`, or new data. Everything below `next` was sent.
    pub(crate) fn on_probe(&mut self, tsn: Option<Serial32>, next: Serial32) {
        self.probe = Some(Probe { end: next, tsn });
    }

    pub(crate) fn forget_probe(&mut self) {
        self.probe = None;
    }

    /// Section 7.4: what a SACK says of the probe. `true`: the chunk had been lost, and the probe repaired that.
    pub(crate) fn probe_repaired(
        &mut self,
        cumulative: Serial32,
        mut duplicates: impl Iterator<Item = Serial32>,
        holes: bool,
    ) -> bool {
        let Some(probe) = self.probe else { return false };
        if probe.tsn.is_some_and(|tsn| duplicates.any(|duplicate| duplicate == tsn)) || holes {
            self.probe = None;
            return false;
        }
        // Only what was sent after the probe tells: until it is acknowledged, the peer may still report a duplicate.
        if cumulative.precedes(probe.end) {
            return false;
        }
        self.probe = None;
        probe.tsn.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reordering_window_widens_up_to_the_round_trip() {
        //= rfc8985#3.3.2
        //# The RACK reordering window MUST be bounded, and this bound SHOULD be SRTT.
        let mut rack = Rack::new(true);
        assert!(rack.on_ack(Instant::from_millis(40), 0, Instant::ORIGIN, false));
        rack.reordering_seen = true;
        let srtt = Some(Duration::from_millis(50));
        assert_eq!(rack.reordering_window(false, srtt), Duration::from_millis(10), "a quarter of the least");
        for n in 0..200 {
            rack.on_duplicate(Serial32(n), Serial32(n));
            assert!(rack.reordering_window(false, srtt) <= Duration::from_millis(50));
        }
        assert_eq!(rack.reordering_window(false, srtt), Duration::from_millis(50));
    }
}
