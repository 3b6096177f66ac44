//! Packets going out: bundling, and what may be sent when
//! ([RFC 9260 sections 6.1, 6.10](https://www.rfc-editor.org/rfc/rfc9260#section-6.1)).

use core::time::Duration;

use weft_core::{Frame, Full, Instant};

use super::{Association, Timer, chunk_size};
use crate::event::State;
use crate::outbound::Limits;
use crate::wire::{
    ForwardTsn, IForwardTsn, cookie, data, forward_tsn, heartbeat, i_forward_tsn, packet, pad, sack, shutdown,
};

/// How many chunks may be outstanding. Fewer than half of all Stream Sequence Numbers, so that the receiver can tell the
/// order of two messages, whatever stream they are on (section 6.1: at most 65,535), and few enough for Gap Ack Blocks.
const MAX_OUTSTANDING: usize = 32_767;

/// Up to here a path is a short one: some round trips that are lost in trying are no loss there.
const SHORT_ROUND_TRIP: Duration = Duration::from_millis(20);

/// Less room than this is left to no further chunk.
const MIN_ROOM: usize = data::DATA_HEADER_LEN;

/// What a chunk takes beside its content, at most: the header of I-DATA, and padding.
const CHUNK_OVERHEAD: usize = 24;

impl Association {
    pub(super) fn transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<()> {
        if self.path_mtu.is_due() && self.write_probe(frame) {
            return Some(());
        }
        if self.flight.had_lost() && self.write_too_large(now, frame) {
            return Some(());
        }
        frame.cap(self.mtu);
        while let Some(reply) = self.outbox.as_mut().and_then(|outbox| outbox.replies.pop_front()) {
            self.tidy_outbox();
            if self.write_single(frame, reply.tag, &reply.chunk).is_ok() {
                return Some(());
            }
            frame.truncate(0);
        }
        match self.state {
            State::Closed => return None,
            State::CookieWait => {
                if !core::mem::take(&mut self.due.init) {
                    return None;
                }
                let chunk = self.init_chunk();
                return self.write_single(frame, 0, &chunk).ok();
            }
            // "the sender ... MUST NOT send any other packets to the peer" before the COOKIE ACK (section 5.1 C).
            State::CookieEchoed if !self.due.cookie_echo => return None,
            _ => {}
        }
        if !self.reset.is_idle() {
            self.progress_resets(now);
        }
        packet::start(frame, self.ports, self.peer_tag).ok()?;
        let empty = frame.len();
        let complete = self.fill(now, frame);
        if frame.len() == empty {
            frame.truncate(0);
            return None;
        }
        debug_assert!(complete.is_ok() || frame.len() > empty);
        self.stats.packets_sent += 1;
        packet::finish(frame, self.extensions.zero_checksum);
        Some(())
    }

    /// A probe of the path MTU: a packet of exactly that size.
    fn write_probe(&mut self, frame: &mut Frame<'_>) -> bool {
        if self.state != State::Established || self.has_replies() {
            return false;
        }
        let seed = &mut self.seed;
        let Some(probe) = self.path_mtu.take_probe(frame.capacity(), || seed.rng().u64()) else { return false };
        let mut chunk = Vec::new();
        heartbeat::write(&mut chunk, &probe.nonce.to_be_bytes());
        pad::write(&mut chunk, probe.size - packet::HEADER_LEN);
        let written = packet::start(frame, self.ports, self.peer_tag).and_then(|()| frame.push(&chunk));
        if written.is_err() {
            frame.truncate(0);
            return false;
        }
        self.stats.packets_sent += 1;
        packet::finish(frame, self.extensions.zero_checksum);
        true
    }

    /// What is outstanding cannot be cut again when the path shrinks (section 6.9): such a chunk goes out alone, and the
    /// network may fragment its packet. `false` when the next chunk is none of that kind.
    fn write_too_large(&mut self, now: Instant, frame: &mut Frame<'_>) -> bool {
        let size = self.flight.lost_len(now).unwrap_or(0).saturating_add(packet::HEADER_LEN);
        if size <= self.mtu || self.inbound.ack.due() || self.has_replies() || !self.may_send_data(now) {
            return false;
        }
        let (earliest, mut is_earliest) = (self.flight.cumulative_ack.next(), false);
        let written = packet::start(frame, self.ports, self.peer_tag).is_ok()
            && self.flight.retransmit(now, frame.remaining()).is_some_and(|chunk| {
                is_earliest = chunk.tsn == earliest;
                chunk.write(frame).is_ok()
            });
        if !written {
            frame.truncate(0);
            return false;
        }
        frame.set_may_fragment();
        self.flight.free_retransmit = false;
        if is_earliest {
            self.timers.stop(Timer::T3Rtx); // to be started anew (section 6.1, C)
            self.path_mtu.on_fragmented();
        }
        self.pacer.spend(frame.len());
        self.last_data_sent = now;
        // The path answers: whether fragments pass it is soon known.
        let rto = if self.path_mtu.is_alive() { self.rto.measured() } else { self.rto.get() };
        self.timers.set_if_idle(Timer::T3Rtx, now + rto);
        self.set_recovery_timer();
        self.stats.data_chunks_sent += 1;
        self.stats.packets_sent += 1;
        packet::finish(frame, self.extensions.zero_checksum);
        true
    }

    fn write_single(&mut self, frame: &mut Frame<'_>, tag: u32, chunk: &[u8]) -> Result<(), Full> {
        packet::start(frame, self.ports, tag)?;
        frame.push(chunk)?;
        // Who this goes to may not share our association: only a full checksum is sure to be understood.
        packet::finish(frame, false);
        self.stats.packets_sent += 1;
        Ok(())
    }

    /// Control chunks first, then SACK, then DATA (section 6.10). `Full` when something waits for the next packet.
    fn fill(&mut self, now: Instant, frame: &mut Frame<'_>) -> Result<(), Full> {
        if self.due.any() || self.has_control() {
            self.fill_control(frame)?;
        }
        let data = self.may_send_data(now);
        if self.inbound.ack.due() || (data && self.inbound.ack.pending()) {
            self.fill_sack(frame)?;
        }
        if self.flight.forward_tsn_due {
            self.fill_forward_tsn(frame)?;
        }
        if data {
            self.fill_data(now, frame);
        }
        Ok(())
    }

    fn fill_control(&mut self, frame: &mut Frame<'_>) -> Result<(), Full> {
        if self.due.cookie_echo {
            let mut chunk = Vec::new();
            cookie::write_echo(&mut chunk, &self.cookie);
            frame.push(&chunk)?;
            self.due.cookie_echo = false;
        }
        if self.due.cookie_ack {
            let mut chunk = Vec::new();
            cookie::write_ack(&mut chunk);
            frame.push(&chunk)?;
            self.due.cookie_ack = false;
        }
        while let Some(outbox) = &mut self.outbox
            && let Some(chunk) = outbox.control.front()
        {
            match frame.push(chunk) {
                Ok(()) => {
                    outbox.control.pop_front();
                }
                // It would fit no packet: drop it.
                Err(Full) if frame.len() <= packet::HEADER_LEN => {
                    outbox.control.pop_front();
                }
                Err(Full) => return Err(Full),
            }
        }
        self.tidy_outbox();
        if self.due.reconfig {
            let chunk = self.reconfig_chunk();
            frame.push(&chunk)?;
            self.due.reconfig = false;
        }
        if self.due.shutdown {
            let mut chunk = Vec::new();
            shutdown::write(&mut chunk, self.inbound.cumulative);
            frame.push(&chunk)?;
            self.due.shutdown = false;
            if self.inbound.gaps().len() > 0 || !self.inbound.ack.duplicates().is_empty() {
                self.inbound.ack.now(); // "then a SACK chunk MUST also be sent" (section 9.2)
            }
        }
        if self.due.shutdown_ack {
            let mut chunk = Vec::new();
            shutdown::write_ack(&mut chunk);
            frame.push(&chunk)?;
            self.due.shutdown_ack = false;
        }
        Ok(())
    }

    fn fill_sack(&mut self, frame: &mut Frame<'_>) -> Result<(), Full> {
        let a_rwnd = self.inbound.a_rwnd();
        if let Some(step) = self.inbound.ack.earlier() {
            sack::write(frame, step.cumulative, a_rwnd, step.gaps.iter(), &[])?;
            self.inbound.ack.told_earlier(a_rwnd);
            self.stats.sacks_sent += 1;
            return Ok(());
        }
        sack::write(frame, self.inbound.cumulative, a_rwnd, self.inbound.gaps(), self.inbound.ack.duplicates())?;
        // Who never sent anything does not know, and finds out.
        self.inbound.ack.sent(a_rwnd, self.rto.srtt().is_none_or(|srtt| srtt < SHORT_ROUND_TRIP));
        self.timers.stop(Timer::Sack);
        self.stats.sacks_sent += 1;
        Ok(())
    }

    fn fill_forward_tsn(&mut self, frame: &mut Frame<'_>) -> Result<(), Full> {
        let interleaving = self.extensions.interleaving;
        let (empty, entry) = if interleaving {
            (IForwardTsn::wire_len(0), IForwardTsn::wire_len(1) - IForwardTsn::wire_len(0))
        } else {
            (ForwardTsn::wire_len(0), ForwardTsn::wire_len(1) - ForwardTsn::wire_len(0))
        };
        let most = frame.remaining().checked_sub(empty).ok_or(Full)? / entry;
        match self.flight.forward_tsn(most) {
            Some((cumulative, skipped)) if interleaving => i_forward_tsn::write(frame, cumulative, &skipped)?,
            Some((cumulative, skipped)) => forward_tsn::write(frame, cumulative, &skipped)?,
            None => {}
        }
        self.flight.forward_tsn_due = false;
        Ok(())
    }

    /// Whether at least one DATA chunk may leave now (section 6.1).
    fn may_send_data(&mut self, now: Instant) -> bool {
        let state = match self.state {
            // The first COOKIE ECHO takes data along. If that packet is too large for the path, the next must not be.
            State::CookieEchoed => !self.echoed_again || self.all_fits_any_path(),
            state => matches!(state, State::Established | State::ShutdownPending | State::ShutdownReceived),
        };
        if !state {
            return false;
        }
        if core::mem::take(&mut self.refill_burst) {
            self.burst = self.burst.max(self.burst_allowance());
        }
        let lost = self.flight.has_lost(now);
        self.drop_abandoned(now);
        if self.timed_out && self.flight.in_flight > 0 {
            return false; // "only one packet is allowed to be in flight until successful acknowledgement" (section 7.2.1)
        }
        if (lost && self.flight.free_retransmit) || (self.probe_new && self.queue.wants(1) > 0) {
            return true;
        }
        if self.is_shut_out() {
            self.timers.set_if_idle(Timer::T3Rtx, now + self.rto.get());
        }
        if !(lost || self.may_send_new()) {
            if !self.queue_waits_for_burst() {
                self.note_want_of_data();
            }
            return false;
        }
        if self.flight.in_flight >= self.controller.window() {
            return false;
        }
        if self.pacer.may_send(now) {
            return true;
        }
        if let Some(at) = self.pacer.next() {
            self.timers.set(Timer::Pacing, at);
        }
        false
    }

    /// There is nothing to send. While the window has room for more, what is delivered says little about the path.
    pub(super) fn note_want_of_data(&mut self) {
        if self.flight.in_flight < self.controller.window() {
            self.flight.delivery.limit(self.flight.in_flight);
        }
    }

    /// Whether all there is to send fits, beside the COOKIE ECHO, into a packet that every path takes.
    fn all_fits_any_path(&self) -> bool {
        let chunks = (self.flight.len() + self.queue.messages) * CHUNK_OVERHEAD;
        let echo = packet::HEADER_LEN + CHUNK_OVERHEAD + self.cookie.len();
        echo + chunks + self.flight.outstanding + self.queue.bytes <= self.path_mtu.least()
    }

    /// Whether new data waits for an acknowledgement to pay for it.
    fn queue_waits_for_burst(&self) -> bool {
        self.burst == 0 && self.pacer.is_idle() && !self.queue.is_empty()
    }

    #[inline]
    fn may_send_new(&mut self) -> bool {
        let wants = self.queue.wants(chunk_size(self.mtu));
        wants > 0
            && (self.burst > 0 || !self.pacer.is_idle())
            && self.flight.len() < MAX_OUTSTANDING
            && (self.flight.peer_room() >= wants || (self.flight.is_empty() && self.window_probe))
    }

    /// Whether nothing is outstanding, and the peer's window has no room for what waits: "The sender SHOULD send the first
    /// zero window probe after 1 RTO" (section 6.1, A).
    pub(super) fn is_shut_out(&mut self) -> bool {
        if !self.flight.is_empty() || self.window_probe {
            return false;
        }
        let wants = self.queue.wants(chunk_size(self.mtu));
        wants > 0 && self.flight.peer_room() < wants
    }

    /// The queue forgets what the flight gave up, and what expired unsent.
    #[inline]
    fn drop_abandoned(&mut self, now: Instant) {
        let flight = &self.flight;
        if flight.can_abandon && (flight.has_open_abandoned() || flight.ack_point_moved || self.queue.has_expired(now))
        {
            self.drop_all_abandoned(now);
        }
    }

    #[cold]
    fn drop_all_abandoned(&mut self, now: Instant) {
        loop {
            while let Some(stream) = self.flight.take_open_abandoned() {
                self.queue.drop_begun(stream);
            }
            self.queue.drop_expired(now);
            match self.queue.begun_expired(now) {
                Some(stream) => self.abandon_begun(stream),
                None => break,
            }
        }
        if core::mem::take(&mut self.flight.ack_point_moved) {
            self.timers.set(Timer::T3Rtx, now + self.rto.get()); // section 6.3.2, R3
        }
    }

    fn fill_data(&mut self, now: Instant, frame: &mut Frame<'_>) {
        let before = frame.len();
        let had_lost = self.flight.had_lost();
        let mut fresh = !(had_lost && self.fill_lost(now, frame));
        if !self.flight.has_lost(now) {
            fresh &= !self.fill_new_data(now, frame, fresh, !had_lost);
        }
        if !fresh {
            self.pacer.spend(frame.len() - before);
            // For packets of one burst the timers are the same, but for a probe of a single packet.
            let same = self.last_data_sent == now && !had_lost && self.flight.in_flight > 2 * self.mtu;
            if !(same && self.timers.is_set(Timer::T3Rtx)) {
                self.last_data_sent = now;
                self.timers.set_if_idle(Timer::T3Rtx, now + self.rto.get());
                self.set_recovery_timer();
            }
            if self.state == State::CookieEchoed {
                self.timers.stop(Timer::T3Rtx); // T1-cookie repeats it
                self.timers.stop(Timer::Recovery);
            }
        }
    }

    /// What was lost goes before what is new. `true`: some of it is in the packet.
    #[inline(never)]
    fn fill_lost(&mut self, now: Instant, frame: &mut Frame<'_>) -> bool {
        let mut filled = false;
        while self.flight.has_lost(now) {
            if self.flight.in_flight >= self.controller.window() && !self.flight.free_retransmit {
                break;
            }
            let earliest = self.flight.cumulative_ack.next();
            match self.flight.retransmit(now, frame.remaining()) {
                Some(data) if data.write(frame).is_ok() => {
                    if data.tsn == earliest {
                        self.timers.stop(Timer::T3Rtx); // to be started anew with the packet (section 6.1, C)
                    }
                }
                _ => break,
            }
            filled = true;
            self.stats.data_chunks_sent += 1;
        }
        self.drop_abandoned(now);
        if filled {
            self.flight.free_retransmit = false;
        }
        filled
    }

    /// `may`: it is known that some new data may leave.
    fn fill_new_data(&mut self, now: Instant, frame: &mut Frame<'_>, mut fresh: bool, mut may: bool) -> bool {
        let mut sent = false;
        if self.flight.is_empty() {
            self.after_idle(now);
        }
        let whole = self.mtu - packet::HEADER_LEN;
        let window = self.controller.window();
        let probe = core::mem::take(&mut self.probe_new);
        while probe || core::mem::take(&mut may) || (self.flight.in_flight < window && self.may_send_new()) {
            if !probe && let Some(bytes) = self.fill_run(now, frame, window) {
                (fresh, sent) = (false, true);
                self.burst = self.burst.saturating_sub(bytes);
                self.window_probe = false;
                self.drop_abandoned(now);
                continue;
            }
            let Some((piece, notice)) = self.queue.next_piece(frame.remaining(), whole, fresh) else { break };
            self.burst = self.burst.saturating_sub(piece.payload.len());
            self.window_probe = false;
            match self.flight.push(now, piece, notice) {
                Some(data) if data.write(frame).is_ok() => {}
                _ => break,
            }
            fresh = false;
            sent = true;
            self.stats.data_chunks_sent += 1;
            if frame.remaining() <= MIN_ROOM {
                break;
            }
            self.drop_abandoned(now);
        }
        sent
    }

    /// Small messages of one stream, one after the other; gives their bytes. `None` where none may leave so.
    #[inline]
    fn fill_run(&mut self, now: Instant, frame: &mut Frame<'_>, window: usize) -> Option<usize> {
        let mut run = self.queue.run(frame.remaining())?;
        let burst = if self.pacer.is_idle() { self.burst } else { usize::MAX };
        let limits = Limits { window, burst, outstanding: MAX_OUTSTANDING };
        let taken = self.flight.push_run(now, &mut run, frame, &limits);
        let id = run.id;
        self.queue.end_run(id, &taken);
        self.stats.data_chunks_sent += taken.count as u64;
        (taken.count > 0).then_some(taken.bytes)
    }

    /// "the cwnd ... SHOULD be adjusted to max(cwnd / 2, 4 * PMDCS) once per RTO" of silence (section 7.2.1).
    fn after_idle(&mut self, now: Instant) {
        let mut idle = now - self.last_data_sent;
        let rto = self.rto.get().max(core::time::Duration::from_millis(1));
        let mut rounds = 0;
        while idle > rto && rounds < 32 && self.stats.data_chunks_sent > 0 {
            self.controller.on_idle();
            idle -= rto;
            rounds += 1;
        }
        if self.stats.data_chunks_sent > 0 {
            self.controller.on_resume(now);
        }
        self.burst = self.burst.max(self.burst_allowance());
    }
}
