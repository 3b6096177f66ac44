//! Whether one SACK is enough for packets that were handed in together.
//!
//! It spares both sides work, and a sender that paces itself by a model needs no more. Others do: one that sends at most
//! Max.Burst packets for each SACK (RFC 9260 section 6.1, D) would be held to these few a round trip. So it is tried where
//! long bursts come over a short path, and given up when bursts stay short under it.

/// Packets in a burst that is worth trying it, and that Max.Burst does not allow for one SACK.
const LONG: u8 = 8;

/// Packets for each SACK below which somebody seems to wait for more of them: Max.Burst, usually 4, and a little.
const SHORT: u16 = 5;

/// Long bursts under it after which nobody waited for more: when it is given up, then for want of data.
const PROVEN: u16 = 32;

/// Times that more long bursts must come before it is tried again, each time that it was given up.
const BACKOFF: u16 = 4;

#[derive(Debug)]
pub(super) struct Bursts {
    once: bool,
    /// Sixteenths of packets for each SACK, of late, while `once`: relays and busy machines hand packets in by fits and starts.
    average: u16,
    /// Long bursts since it was begun or given up.
    long: u16,
    /// Of how many it takes.
    patience: u16,
}

impl Default for Bursts {
    fn default() -> Self {
        Self { once: false, average: 0, long: 0, patience: 1 }
    }
}

impl Bursts {
    /// Whether a burst gets one SACK, rather than one for every second packet.
    pub(super) fn are_acknowledged_once(&self) -> bool {
        self.once
    }

    /// So many packets were acknowledged since there was nothing to acknowledge.
    pub(super) fn on_acknowledged(&mut self, packets: u8, near: bool) {
        if !near {
            self.once = false;
        } else if self.once {
            self.average = self.average - self.average / 16 + u16::from(packets);
            self.long = self.long.saturating_add(u16::from(packets >= LONG));
            if self.average < SHORT * 16 {
                self.patience = if self.long < PROVEN { self.patience.saturating_mul(BACKOFF) } else { 1 };
                (self.once, self.long) = (false, 0);
            }
        } else if packets >= LONG {
            self.long = self.long.saturating_add(1);
            if self.long >= self.patience {
                (self.once, self.long) = (true, 0);
                self.average = u16::from(LONG) * 12;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_bursts_over_a_short_path_are_acknowledged_once_while_they_stay_long() {
        let mut bursts = Bursts::default();
        bursts.on_acknowledged(40, false);
        assert!(!bursts.are_acknowledged_once(), "over a long path never");
        bursts.on_acknowledged(LONG - 1, true);
        assert!(!bursts.are_acknowledged_once());
        bursts.on_acknowledged(LONG, true);
        for _ in 0..100 {
            assert!(bursts.are_acknowledged_once());
            bursts.on_acknowledged(LONG - 1, true);
        }
        bursts.on_acknowledged(40, false);
        assert!(!bursts.are_acknowledged_once(), "the path is another one");
    }

    #[test]
    fn fits_and_starts_do_not_end_it() {
        let mut bursts = Bursts::default();
        bursts.on_acknowledged(LONG, true);
        for _ in 0..1000 {
            for packets in [2, 3, 12, 2, 16] {
                assert!(bursts.are_acknowledged_once());
                bursts.on_acknowledged(packets, true);
            }
        }
    }

    #[test]
    fn who_did_without_for_long_and_has_little_to_send_is_tried_again_at_once() {
        let mut bursts = Bursts::default();
        for _ in 0..10 {
            for _ in 0..=PROVEN {
                bursts.on_acknowledged(40, true);
            }
            assert!(bursts.are_acknowledged_once());
            for _ in 0..60 {
                bursts.on_acknowledged(2, true);
            }
            assert!(!bursts.are_acknowledged_once());
        }
    }

    #[test]
    fn it_is_given_up_and_tried_ever_more_rarely() {
        let mut bursts = Bursts::default();
        let (mut rounds, mut given_up) = (0, Vec::new());
        while given_up.len() < 5 {
            rounds += 1;
            // A sender with a Max.Burst of 4.
            let once = bursts.are_acknowledged_once();
            bursts.on_acknowledged(if once { 4 } else { 20 }, true);
            if once && !bursts.are_acknowledged_once() {
                given_up.push(rounds);
            }
        }
        assert_eq!(given_up, [17, 37, 69, 149, 421]);
    }
}
