//! Our own stack.

use bytes::Bytes;
use weft_core::{Frame, Instant, Layer, Rng};
use weft_sctp::{Association, AssociationError, Config, Event, SendOptions, State};

use super::{Habits, Outgoing, Snapshot, Stack};

/// `weft-sctp`.
pub struct Weft {
    it: Association,
    was_up: bool,
    resets: Vec<u16>,
    done: Vec<u16>,
    fault: Option<String>,
}

impl Weft {
    /// An association set up by `config`.
    pub fn new(config: Config, seed: u64) -> Self {
        Self::of(Association::new(config, Rng::from_test_seed(seed)))
    }

    /// This association.
    pub fn of(it: Association) -> Self {
        Self { it, was_up: false, resets: Vec::new(), done: Vec::new(), fault: None }
    }

    fn events(&mut self) {
        while let Some(event) = self.it.poll_event() {
            match event {
                Event::Established => self.was_up = true,
                Event::IncomingReset(id) => self.resets.push(id),
                Event::OutgoingReset(id, true) => self.done.push(id),
                Event::OutgoingReset(id, false) => self.fault = Some(format!("the peer refuses to reset {id}")),
                _ => {}
            }
        }
    }

    fn note(&mut self, result: Result<(), AssociationError>) {
        if let Err(error) = result {
            self.fault.get_or_insert_with(|| error.to_string());
        }
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
        let result = self.it.handle_input(now, packet);
        self.note(result);
    }

    fn transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> bool {
        self.it.poll_transmit(now, frame).is_some()
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.it.poll_timeout()
    }

    fn timeout(&mut self, now: Instant) {
        let result = self.it.handle_timeout(now);
        self.note(result);
    }

    fn send_message(&mut self, now: Instant, message: &Outgoing) -> bool {
        let options =
            SendOptions { ordered: message.ordered, reliability: message.reliability, ..SendOptions::default() };
        self.it.send(now, message.stream, 53, message.payload.clone(), options).is_ok()
    }

    fn send(&mut self, now: Instant, stream: u16, message: &Bytes) -> bool {
        self.it.send(now, stream, 53, message.clone(), SendOptions::default()).is_ok()
    }

    fn read(&mut self, _now: Instant, each: &mut dyn FnMut(u16, &[u8])) {
        while let Some(message) = self.it.receive() {
            each(message.stream, &message.payload);
        }
        self.events();
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

    fn reset(&mut self, now: Instant, stream: u16) {
        self.it.reset_streams(now, &[stream]);
    }

    fn take_resets(&mut self) -> Vec<u16> {
        self.events();
        core::mem::take(&mut self.resets)
    }

    fn take_resets_done(&mut self) -> Vec<u16> {
        self.events();
        core::mem::take(&mut self.done)
    }

    fn shutdown(&mut self, now: Instant) {
        self.it.shutdown(now);
    }

    fn is_over(&self) -> bool {
        self.was_up && self.it.is_over()
    }

    fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn habits(&self) -> Habits {
        Habits {
            messages_before_shutdown: 20,
            largest_with_a_lifetime: usize::MAX,
            notes_the_end: true,
            resets_by_hand: true,
            repeats_resets: true,
            takes_reflected_tags: true,
            shuts_down_last: true,
        }
    }
}
