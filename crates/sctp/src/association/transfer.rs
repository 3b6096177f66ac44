//! DATA and its acknowledgement ([RFC 9260 section 6](https://www.rfc-editor.org/rfc/rfc9260#section-6)).

use core::time::Duration;

use weft_core::{Instant, Serial32};

use super::{Association, Timer};
use crate::error::AssociationError;
use crate::event::{Event, State};
use crate::inbound::{Fragment, Outcome};
use crate::wire::packet::Chunks;
use crate::wire::{Cause, ForwardTsn, IForwardTsn, Sack, Skipped, abort};

/// "An implementation MUST NOT allow the maximum delay ... to be configured to be more than 500 ms" (section 6.2).
const MAX_SACK_DELAY: Duration = Duration::from_millis(500);

impl Association {
    /// Whether DATA is taken: before an orderly shutdown has gone too far.
    fn takes_data(&self) -> bool {
        matches!(self.state, State::Established | State::ShutdownPending | State::ShutdownSent)
    }

    /// Several whole messages in a row, all at once, where nothing is out of the ordinary; gives what follows them in the
    /// packet. `chunks` begins with `first`, which is whole.
    #[inline(never)]
    pub(super) fn on_run<'d>(
        &mut self,
        first: &Fragment<'d>,
        interleaving: bool,
        chunks: &Chunks<'d>,
    ) -> Option<Chunks<'d>> {
        if !self.takes_data() || interleaving != self.extensions.interleaving {
            return None;
        }
        let had_ready = self.inbound.has_ready();
        let (count, rest) = self.inbound.on_run(first, chunks)?;
        self.stats.data_chunks_received += count as u64;
        if !had_ready {
            self.event(Event::Readable);
        }
        Some(rest)
    }

    /// A DATA chunk, or with `interleaving` an I-DATA chunk.
    pub(super) fn on_data(&mut self, data: &Fragment<'_>, interleaving: bool) -> Result<(), AssociationError> {
        if !self.takes_data() {
            self.stats.chunks_dropped += 1;
            return Ok(());
        }
        if interleaving != self.extensions.interleaving {
            // "the receiver of the DATA chunk MUST abort the association ... The same applies if I-DATA support has not been
            // negotiated for an association and an I-DATA chunk is received" (RFC 8260 section 2.2.3).
            return Err(AssociationError::ProtocolViolation("DATA and I-DATA are not to be mixed"));
        }
        self.stats.data_chunks_received += 1;
        if data.payload.is_empty() {
            self.send_abort(&Cause::NoUserData(data.tsn.0));
            self.peer_tag = 0;
            return Err(AssociationError::ProtocolViolation("DATA without user data"));
        }
        let had_ready = self.inbound.has_ready();
        match self.inbound.on_data(data) {
            Outcome::Accepted => {
                if !had_ready && self.inbound.has_ready() {
                    self.event(Event::Readable);
                }
            }
            Outcome::Duplicate => self.stats.duplicates_received += 1,
            Outcome::Dropped => self.stats.data_chunks_dropped += 1,
            Outcome::InvalidStream => {
                let mut error = Vec::new();
                abort::write_error(&mut error, &Cause::InvalidStream(data.stream));
                self.answer(error);
            }
            Outcome::Violation(what) => return Err(AssociationError::ProtocolViolation(what)),
        }
        Ok(())
    }

    /// The packet had DATA.
    pub(super) fn after_data(&mut self, now: Instant) {
        if !self.takes_data() {
            return;
        }
        self.inbound.packet_arrived();
        self.inbound.tune_window(now, self.rto.srtt());
        if self.state == State::ShutdownSent {
            // "MUST immediately respond to each received packet containing one or more DATA chunks with a SHUTDOWN
            // chunk and restart the T2-shutdown timer" (section 9.2).
            self.inbound.ack.now();
            self.due.shutdown = true;
            self.timers.set(Timer::T2Shutdown, now + self.rto.get());
        }
        if !self.inbound.ack.due() {
            self.timers.set_if_idle(Timer::Sack, now + self.config.sack_delay.min(MAX_SACK_DELAY));
        }
        self.check_deferred_reset(now);
    }

    pub(super) fn on_forward_tsn(&mut self, chunk: &ForwardTsn<'_>) {
        let skipped =
            chunk.skipped().map(|(stream, ssn)| Skipped { stream, unordered: false, mid: Serial32(u32::from(ssn.0)) });
        self.skip(chunk.new_cumulative_tsn, skipped);
    }

    pub(super) fn on_i_forward_tsn(&mut self, chunk: &IForwardTsn<'_>) {
        self.skip(chunk.new_cumulative_tsn, chunk.skipped());
    }

    /// The peer does not know FORWARD TSN after all: it is sent no more, and every message is reliable (RFC 3758 section
    /// 3.3.3).
    pub(super) fn on_no_forward_tsn(&mut self) -> Result<(), AssociationError> {
        if self.flight.has_abandoned() {
            return Err(AssociationError::ProtocolViolation("FORWARD TSN was announced and is refused"));
        }
        self.extensions.forward_tsn = false;
        self.extensions.i_forward_tsn = false;
        self.flight.can_abandon = false;
        self.flight.forward_tsn_due = false;
        Ok(())
    }

    fn skip(&mut self, cumulative: Serial32, skipped: impl Iterator<Item = Skipped>) {
        if !self.takes_data() {
            self.stats.chunks_dropped += 1;
            return;
        }
        let had_ready = self.inbound.has_ready();
        self.inbound.on_forward_tsn(cumulative, skipped);
        if !had_ready && self.inbound.has_ready() {
            self.event(Event::Readable);
        }
    }

    pub(super) fn on_sack(&mut self, now: Instant, sack: &Sack<'_>) -> Result<(), AssociationError> {
        let sends = matches!(
            self.state,
            State::Established | State::ShutdownPending | State::ShutdownReceived | State::ShutdownSent
        );
        if !sends {
            self.stats.chunks_dropped += 1;
            return Ok(());
        }
        if self.flight.acks_unsent(sack) {
            // "MUST abort the association if it receives a SACK chunk acknowledging a TSN that has not been sent"
            // (section 12.4).
            return Err(AssociationError::ProtocolViolation("SACK for a TSN that was never sent"));
        }
        let Some(outcome) = self.flight.on_sack(now, sack, self.rto.srtt()) else {
            self.stats.chunks_dropped += 1;
            return Ok(());
        };
        self.stats.sacks_received += 1;
        if sack.a_rwnd == 0 {
            // "As long as the sender continues to receive SACK chunks ... MUST NOT increment" (section 6.1, A).
            self.errors = 0;
        }
        self.after_ack(now, &outcome);
        Ok(())
    }

    /// SHUTDOWN acknowledges too.
    pub(super) fn on_cumulative_ack(&mut self, now: Instant, cumulative: Serial32) {
        if let Some(outcome) = self.flight.on_cumulative(now, cumulative) {
            self.after_ack(now, &outcome);
        }
    }
}
