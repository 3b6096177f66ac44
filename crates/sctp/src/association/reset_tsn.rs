//! Starting streams and TSNs anew
//! ([RFC 6525 sections 5.1.4, 5.2.4](https://www.rfc-editor.org/rfc/rfc6525#section-5.2.4)).
//!
//! Section 5.2.4 has the receiver of the request take all it has outstanding for acknowledged, which would lose what did
//! not arrive. Here it answers "In progress" first, begins no new message, and performs the request when nothing is
//! outstanding any more.

use weft_core::Serial32;

use super::Association;
use crate::event::{Event, State};
use crate::wire::reconfig::result;

impl Association {
    /// Begins no new message; true once nothing is outstanding and no message is half sent.
    pub(super) fn quiesce(&mut self) -> bool {
        self.queue.hold(true);
        self.flight.is_empty() && !self.queue.has_begun()
    }

    pub(super) fn on_tsn_reset(&mut self, number: Serial32) {
        if self.reset.wanted_tsns == Some(number) {
            // Asked again while it waits.
            if !self.answer_tsn_reset() {
                self.is_new(number);
            }
            return;
        }
        if !self.is_new(number) {
            return;
        }
        if self.state != State::Established {
            return self.answer_new(number, result::DENIED);
        }
        self.reset.expected = number.next();
        self.reset.wanted_tsns = Some(number);
        if !self.answer_tsn_reset() {
            self.answer_last(number, result::IN_PROGRESS, None);
        }
    }

    /// Performs the peer's request if nothing is outstanding any more; true when it did.
    pub(super) fn answer_tsn_reset(&mut self) -> bool {
        let Some(number) = self.reset.wanted_tsns else { return false };
        if !self.quiesce() {
            return false;
        }
        self.reset.wanted_tsns = None;
        // G1: far from anything the peer may have sent before.
        let receiver_next = self.inbound.cumulative.next().plus(1 << 31);
        // G2
        let sender_next = self.flight.next_tsn();
        self.restart_tsns(sender_next, receiver_next);
        self.answer_last(number, result::PERFORMED, Some((sender_next, receiver_next)));
        self.flush_responses();
        self.event(Event::TsnsReset(true));
        true
    }

    /// Our next TSN and the peer's; all streams start at number 0 (G3 to G5, H5).
    pub(super) fn restart_tsns(&mut self, ours: Serial32, theirs: Serial32) {
        self.flight.restart_at(ours);
        self.queue.restart_numbers();
        self.queue.hold(false);
        let had_ready = self.inbound.has_ready();
        self.inbound.restart_at(theirs);
        if !had_ready && self.inbound.has_ready() {
            self.event(Event::Readable);
        }
    }
}
