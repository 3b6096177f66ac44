//! The path: heartbeats and timers ([RFC 9260 section 8.3](https://www.rfc-editor.org/rfc/rfc9260#section-8.3)).

use core::time::Duration;

use weft_core::Instant;

use super::{Association, Timer};
use crate::error::AssociationError;
use crate::event::State;
use crate::wire::{heartbeat, packet};

/// Associations that share a clock send the heartbeats of so long together: thousands of them wake a machine that often and no more.
const TICK: Duration = Duration::from_millis(50);

impl Association {
    /// "on an idle destination address ... once every RTO ... plus HB.interval ... with jittering of +/- 50% of the RTO".
    pub(super) fn schedule_heartbeat(&mut self, now: Instant) {
        if let Some(interval) = self.config.heartbeat_interval {
            let rto = self.rto.get();
            let drawn = now + interval + rto.mul_f64(0.5 + self.seed.rng().unit());
            self.timers.set(Timer::Heartbeat, drawn.round_up(TICK));
        }
    }

    fn on_heartbeat_timer(&mut self, now: Instant) -> Result<(), AssociationError> {
        if !matches!(self.state, State::Established | State::ShutdownPending | State::ShutdownReceived) {
            return Ok(());
        }
        if self.heartbeat.take().is_some() {
            self.rto.back_off();
            self.count_error()?;
        }
        let idle = self.flight.is_empty();
        if idle {
            self.rest();
            let nonce = self.seed.rng().u64();
            self.heartbeat = Some(Box::new((nonce, now)));
            let mut chunk = Vec::new();
            heartbeat::write(&mut chunk, &nonce.to_be_bytes());
            self.push_control(chunk);
        }
        self.schedule_heartbeat(now);
        Ok(())
    }

    /// "SHOULD immediately respond with a HEARTBEAT ACK that contains the Heartbeat Information".
    pub(super) fn on_heartbeat(&mut self, value: &[u8]) {
        if value.len() + packet::HEADER_LEN + packet::CHUNK_HEADER_LEN > self.mtu {
            self.stats.chunks_dropped += 1;
            return;
        }
        let mut chunk = Vec::new();
        heartbeat::write_ack(&mut chunk, value);
        self.answer(chunk);
    }

    pub(super) fn on_heartbeat_ack(&mut self, now: Instant, info: &[u8]) {
        if info.first_chunk().is_some_and(|nonce| self.on_probe_answer(now, u64::from_be_bytes(*nonce))) {
            return;
        }
        match self.heartbeat.as_deref().copied() {
            Some((nonce, sent)) if info == nonce.to_be_bytes() => {
                self.heartbeat = None;
                self.errors = 0;
                self.rto.sample(now - sent);
            }
            _ => self.stats.chunks_dropped += 1,
        }
    }

    pub(super) fn on_timer(&mut self, now: Instant, timer: Timer) -> Result<(), AssociationError> {
        match timer {
            Timer::T1Init | Timer::T1Cookie => self.on_t1(now),
            Timer::T2Shutdown => self.on_t2(now),
            Timer::T3Rtx => self.on_t3(now),
            Timer::Sack => {
                if self.inbound.ack.pending() {
                    self.inbound.ack.now();
                }
                Ok(())
            }
            Timer::Heartbeat => self.on_heartbeat_timer(now),
            Timer::Reconfig => self.on_reconfig_timer(now),
            Timer::Recovery => {
                self.on_recovery_timer(now);
                Ok(())
            }
            Timer::PathMtu => self.on_path_mtu_timer(now),
            Timer::Pacing => Ok(()), // what waited for it is sent by the next poll
            // T5-shutdown-guard: "the sender of the SHUTDOWN chunk ... MAY ... abort" (section 9.2).
            Timer::ShutdownGuard => Err(AssociationError::RetransmissionLimit),
        }
    }
}
