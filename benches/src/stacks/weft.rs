//! Our own stack.

use bytes::Bytes;
use weft_core::{Frame, Instant, Layer, Rng};
use weft_sctp::{Association, Config, SendOptions, State};

use super::{Snapshot, Stack};

/// `weft-sctp`.
pub struct Weft {
    it: Association,
}

impl Weft {
    /// An association set up by `config`.
    pub fn new(config: Config, seed: u64) -> Self {
        Self { it: Association::new(config, Rng::from_test_seed(seed)) }
    }
}

impl Stack for Weft {
    fn connect(&mut self, now: Instant) {
        self.it.connect(now);
    }

    fn is_up(&self) -> bool {
        self.it.state() == State::Established
    }

    fn receive(&mut self, now: Instant, packet: &[u8]) {
        // A dead association shows as one that delivers nothing.
        let _ = self.it.handle_input(now, packet);
    }

    fn transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> bool {
        self.it.poll_transmit(now, frame).is_some()
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.it.poll_timeout()
    }

    fn timeout(&mut self, now: Instant) {
        let _ = self.it.handle_timeout(now);
    }

    fn send(&mut self, now: Instant, stream: u16, message: &Bytes) -> bool {
        self.it.send(now, stream, 53, message.clone(), SendOptions::default()).is_ok()
    }

    fn read(&mut self, _now: Instant, each: &mut dyn FnMut(u16, &[u8])) {
        while let Some(message) = self.it.receive() {
            each(message.stream, &message.payload);
        }
        while self.it.poll_event().is_some() {}
    }

    fn snapshot(&self) -> Snapshot {
        let stats = self.it.stats();
        Snapshot {
            window: stats.cwnd,
            srtt: stats.srtt.unwrap_or_default().as_secs_f64(),
            packet: stats.mtu,
            retransmissions: stats.retransmissions,
            timeouts: stats.timeouts,
        }
    }
}
