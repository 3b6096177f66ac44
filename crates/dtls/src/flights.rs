//! Flights as datagrams, for a layer above that carries them by other ways: DTLS inside STUN (SPED), say.

use weft_core::{Frame, Instant, Overhead};

use crate::connection::{Connection, Phase, Timer};
use crate::error::Error;
use crate::negotiation::Handshake;

impl Connection {
    /// The number of the flight that waits to be answered; it changes with every flight. `None` while there is none: the
    /// peer has all that was sent.
    pub fn flight_number(&self) -> Option<u32> {
        (!self.core.flight.is_empty()).then(|| self.core.flight.number())
    }

    /// The datagrams of the current flight, without what the peer has acknowledged, each [`Config::mtu`](crate::Config)
    /// bytes at most; none if there is no flight. Every call seals them anew: keep them, to send the same again.
    ///
    /// The flight then counts as sent: [`poll_transmit`](weft_core::Layer::poll_transmit) gives it out again when its
    /// timer expires, if that does not [rest](Self::rest_retransmissions).
    pub fn flight_datagrams(&mut self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let mtu = self.flight_mtu();
        self.core.flight.fit(mtu);
        self.core.flight.resume();
        while self.core.flight.is_pending() {
            let mut buffer = vec![0; mtu];
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            match self.core.flight.write(&mut self.core.records, &mut frame) {
                Ok(records) if records > 0 => self.counters.records_sent += records,
                _ => break,
            }
            all.push(frame.content().to_vec());
        }
        all
    }

    /// Handles a handshake datagram that came by another way than others. Application data in it is dropped and counted:
    /// such a way is for handshakes. What came early and may be read now is yielded by the next
    /// [`handle_input`](weft_core::Layer::handle_input), which may be given an empty datagram.
    pub fn handle_handshake_datagram(&mut self, now: Instant, datagram: &mut [u8]) -> Result<(), Error> {
        if let Some(error) = self.dead {
            return Err(error);
        }
        self.spans.clear();
        self.receive(now, datagram)?;
        self.counters.unexpected_records += self.spans.len() as u64;
        self.spans.clear();
        Ok(())
    }

    /// Whether flights are not to be repeated for lack of an answer: somebody else does, as long as the timer rests. When
    /// it goes on it starts anew. [`Config::handshake_timeout`](crate::Config) does not rest.
    pub fn rest_retransmissions(&mut self, now: Instant, rest: bool) {
        if self.timer_rests == rest {
            return;
        }
        self.timer_rests = rest;
        if rest {
            self.timers.stop(Timer::Retransmit);
            return;
        }
        let unacknowledged = matches!(self.handshake, Handshake::Session13(_)) && !self.core.flight.is_empty();
        if self.phase == Phase::Handshaking || self.phase == Phase::Connected && unacknowledged {
            self.arm_flight(now);
        }
    }
}
