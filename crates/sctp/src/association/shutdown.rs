//! Shutdown ([RFC 9260 section 9.2](https://www.rfc-editor.org/rfc/rfc9260#section-9.2)).

use weft_core::{Instant, Serial32};

use super::{Association, Timer};
use crate::error::AssociationError;
use crate::event::{Event, State};
use crate::wire::shutdown;

impl Association {
    /// Ends it once everything queued is acknowledged. Before it is up there is nothing to wait for: it just ends.
    pub fn shutdown(&mut self, now: Instant) {
        match self.state {
            State::Closed | State::CookieWait | State::CookieEchoed if !self.over => {
                self.send_abort(&crate::wire::Cause::UserInitiatedAbort(b""));
                self.end();
                self.event(Event::Closed);
            }
            State::Established => {
                self.state = State::ShutdownPending;
                self.progress_shutdown(now);
            }
            _ => {}
        }
    }

    /// Goes on when nothing is outstanding.
    pub(super) fn progress_shutdown(&mut self, now: Instant) {
        if !self.flight.is_empty() || !self.queue.is_empty() {
            return;
        }
        match self.state {
            State::ShutdownPending => {
                self.state = State::ShutdownSent;
                self.due.shutdown = true;
                self.timers.stop(Timer::Heartbeat);
                self.timers.set(Timer::T2Shutdown, now + self.rto.get());
                self.set_guard(now);
            }
            State::ShutdownReceived => self.send_shutdown_ack(now),
            _ => {}
        }
    }

    /// T5-shutdown-guard, "5 * RTO.Max", where the association is to find its own end.
    fn set_guard(&mut self, now: Instant) {
        if self.config.max_retransmits.is_some() {
            self.timers.set_if_idle(Timer::ShutdownGuard, now + self.config.rto_max * 5);
        }
    }

    fn send_shutdown_ack(&mut self, now: Instant) {
        self.state = State::ShutdownAckSent;
        self.due.shutdown = false;
        self.due.shutdown_ack = true;
        self.timers.stop(Timer::Heartbeat);
        self.timers.set(Timer::T2Shutdown, now + self.rto.get());
        self.set_guard(now);
    }

    pub(super) fn on_shutdown(&mut self, now: Instant, cumulative: Serial32) {
        match self.state {
            State::Established | State::ShutdownPending => {
                let told = self.state == State::ShutdownPending;
                self.state = State::ShutdownReceived;
                if !told {
                    self.event(Event::ShuttingDown);
                }
                self.on_cumulative_ack(now, cumulative);
                self.progress_shutdown(now);
            }
            State::ShutdownReceived => self.on_cumulative_ack(now, cumulative),
            // Both sides shut down at once.
            State::ShutdownSent => self.send_shutdown_ack(now),
            State::ShutdownAckSent => self.due.shutdown_ack = true,
            State::Closed | State::CookieWait | State::CookieEchoed => self.stats.chunks_dropped += 1,
        }
    }

    pub(super) fn on_shutdown_ack(&mut self) {
        if !matches!(self.state, State::ShutdownSent | State::ShutdownAckSent) {
            self.stats.chunks_dropped += 1;
            return;
        }
        let mut chunk = Vec::new();
        shutdown::write_complete(&mut chunk, 0);
        let tag = self.peer_tag;
        self.end();
        self.push_reply(tag, chunk);
        self.event(Event::Closed);
    }

    pub(super) fn on_shutdown_complete(&mut self) {
        if self.state == State::ShutdownAckSent {
            self.end();
            self.event(Event::Closed);
        } else {
            self.stats.chunks_dropped += 1;
        }
    }

    pub(super) fn on_t2(&mut self, now: Instant) -> Result<(), AssociationError> {
        match self.state {
            State::ShutdownSent => self.due.shutdown = true,
            State::ShutdownAckSent => self.due.shutdown_ack = true,
            _ => return Ok(()),
        }
        self.rto.back_off();
        self.count_error()?;
        self.timers.set(Timer::T2Shutdown, now + self.rto.get());
        Ok(())
    }
}
