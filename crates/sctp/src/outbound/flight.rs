//! What is outstanding: a ring indexed by TSN.

use std::collections::VecDeque;

use weft_core::{Frame, Instant, Serial32};

use super::chunk::{OutChunk, Piece, wire_len};
use super::message::OutMessage;
use super::notices::Notices;
use super::queue::{Run, Taken};
use crate::ranges::Ranges;
use crate::recovery::{Delivery, Rack, Transmission, Transmissions, Undo};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ChunkState {
    InFlight,
    /// Acknowledged by a Gap Ack Block.
    Acked,
    /// To be sent again.
    Lost,
    /// Given up (RFC 3758).
    Abandoned,
}

/// A DATA chunk that was sent and not yet acknowledged cumulatively.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) piece: Piece,
    pub(super) state: ChunkState,
    /// Miss indications; [`FAST_RETRANSMITTED`] once it was sent again for them.
    pub(super) misses: u8,
    pub(super) transmissions: u16,
    /// Number of its last [`Transmission`].
    pub(super) transmission: u32,
}

impl Sent {
    /// One that leaves for the first time, by this transmission.
    #[inline]
    fn new(piece: Piece, transmission: u32) -> Self {
        Self { piece, state: ChunkState::InFlight, misses: 0, transmissions: 1, transmission }
    }
}

/// "Mark the DATA chunk(s) as being fast retransmitted so that they will be ineligible for a subsequent fast
/// retransmit" (RFC 9260 section 7.2.4).
pub(super) const FAST_RETRANSMITTED: u8 = u8::MAX;

/// Messages taken in at once.
const MAX_RUN: usize = 64;

/// What bounds a run: the window, bytes that may leave at once, and chunks outstanding.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) window: usize,
    pub(crate) burst: usize,
    pub(crate) outstanding: usize,
}

#[allow(clippy::struct_field_names)] // "in flight" is what it is called
#[derive(Debug)]
pub(crate) struct Flight {
    /// Cumulative TSN Ack Point; the ring starts right after it.
    pub(crate) cumulative_ack: Serial32,
    pub(super) ring: VecDeque<Sent>,
    /// TSNs acknowledged by Gap Ack Blocks.
    pub(super) acked: Ranges,
    /// Lost TSNs in their order. Entries no longer lost are skipped.
    pub(super) lost: VecDeque<Serial32>,
    /// Every hole before this has been dealt with.
    pub(super) scan_from: Serial32,
    /// User bytes in flight.
    pub(crate) in_flight: usize,
    /// User bytes in the ring.
    pub(crate) outstanding: usize,
    /// Highest TSN outstanding when Fast Recovery was entered: it ends there.
    pub(super) recovery_exit: Option<Serial32>,
    /// One packet of retransmissions may go out whatever the window says (RFC 9260 section 7.2.4, 3).
    pub(crate) free_retransmit: bool,
    /// No round-trip sample before this TSN: "no more than once per round trip".
    pub(super) sample_from: Serial32,
    /// The peer's window as last advertised.
    pub(crate) a_rwnd: usize,
    /// Advanced.Peer.Ack.Point (RFC 3758 section 3.5).
    pub(super) advanced_ack: Serial32,
    /// Chunks are I-DATA (RFC 8260).
    pub(crate) interleaving: bool,
    /// The peer takes FORWARD TSN, or I-FORWARD-TSN where messages are interleaved.
    pub(crate) can_abandon: bool,
    pub(crate) forward_tsn_due: bool,
    /// Streams whose newest message was given up before all of it was sent: the rest must not follow.
    pub(super) open_abandoned: Vec<u16>,
    pub(super) notices: Option<Box<Notices>>,
    /// The Advanced.Peer.Ack.Point moved: giving up counts as acknowledgement (RFC 3758 section 3.5, A2).
    pub(crate) ack_point_moved: bool,
    pub(crate) abandoned: u64,
    pub(crate) retransmitted: u64,
    pub(crate) fast_retransmitted: u64,
    pub(super) transmissions: Transmissions,
    pub(crate) rack: Rack,
    pub(crate) delivery: Delivery,
    pub(super) undo: Undo,
    /// Fast Recovery as loss detection by time has it: it lasts until a transmission from this number on is acknowledged.
    pub(super) recovering: bool,
    pub(super) recovery_start: u32,
    /// Transmissions of more bytes than this are large ones, by which a black hole shows.
    pub(crate) large: u32,
}

impl Flight {
    pub(crate) fn new(initial_tsn: Serial32, rack: bool) -> Self {
        Self {
            cumulative_ack: initial_tsn.previous(),
            ring: VecDeque::new(),
            acked: Ranges::default(),
            lost: VecDeque::new(),
            scan_from: initial_tsn,
            in_flight: 0,
            outstanding: 0,
            recovery_exit: None,
            free_retransmit: false,
            sample_from: initial_tsn,
            a_rwnd: 0,
            advanced_ack: initial_tsn.previous(),
            interleaving: false,
            can_abandon: false,
            open_abandoned: Vec::new(),
            notices: None,
            forward_tsn_due: false,
            ack_point_moved: false,
            abandoned: 0,
            retransmitted: 0,
            fast_retransmitted: 0,
            transmissions: Transmissions::default(),
            rack: Rack::new(rack),
            delivery: Delivery::new(),
            undo: Undo::default(),
            recovering: false,
            recovery_start: 0,
            large: u32::MAX,
        }
    }

    /// Begins anew; what was counted stays.
    pub(crate) fn restart(&mut self, initial_tsn: Serial32, rack: bool) {
        let new = Self::new(initial_tsn, rack);
        let Self { abandoned, retransmitted, fast_retransmitted, .. } = std::mem::replace(self, new);
        (self.abandoned, self.retransmitted) = (abandoned, retransmitted);
        self.fast_retransmitted = fast_retransmitted;
    }

    /// The TSN the next new chunk gets.
    pub(crate) fn next_tsn(&self) -> Serial32 {
        self.cumulative_ack.plus(self.ring.len() as u32).next()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }

    pub(crate) fn in_recovery(&self) -> bool {
        self.recovery_exit.is_some() || self.recovering
    }

    #[inline]
    pub(super) fn get_mut(&mut self, tsn: Serial32) -> Option<&mut Sent> {
        let at = tsn.since(self.cumulative_ack).checked_sub(1)?;
        self.ring.get_mut(at as usize)
    }

    /// Number of the transmission by which chunk `tsn` of `len` bytes leaves now.
    #[inline]
    fn transmit(&mut self, now: Instant, tsn: Serial32, len: usize, again: bool) -> u32 {
        if self.in_flight == 0 {
            self.delivery.on_send(now);
        }
        self.in_flight += len;
        let bytes = u32::try_from(wire_len(self.interleaving, len)).unwrap_or(u32::MAX);
        if let Some(number) = self.transmissions.extend(tsn, bytes, again, now) {
            return number;
        }
        let flight = u32::try_from(self.in_flight).unwrap_or(u32::MAX);
        self.transmissions.push(Transmission {
            first: tsn,
            last: tsn,
            left: 1,
            bytes,
            again,
            sent: now,
            flight,
            stamp: self.delivery.stamp(),
        })
    }

    /// Takes in a new chunk, which gets the next TSN, and lends it to be written.
    #[inline]
    pub(crate) fn push(&mut self, now: Instant, piece: Piece, notice: Option<u64>) -> Option<OutChunk<'_>> {
        let tsn = self.next_tsn();
        let transmission = self.transmit(now, tsn, piece.payload.len(), false);
        self.outstanding += piece.payload.len();
        if let Some(number) = notice {
            self.note(tsn, number);
        }
        self.ring.push_back(Sent::new(piece, transmission));
        Some(OutChunk { tsn, piece: &self.ring.back()?.piece, interleaving: self.interleaving })
    }

    /// Takes in the messages of a run and writes them, as long as the window, the peer's, `burst` and the frame have room.
    /// They leave in one packet, so that what is kept of that is written once.
    pub(crate) fn push_run(
        &mut self,
        now: Instant,
        run: &mut Run<'_>,
        frame: &mut Frame<'_>,
        limits: &Limits,
    ) -> Taken {
        let interleaving = self.interleaving;
        let first = self.next_tsn();
        let (before, mut first_len, mut last, mut taken) = (frame.len(), 0, first, Taken::default());
        let most = limits.outstanding.saturating_sub(self.ring.len()).min(MAX_RUN);
        let window = limits.window.saturating_sub(self.in_flight).min(limits.burst);
        let room = self.a_rwnd.saturating_sub(self.in_flight);
        let mut waiting = run.waiting();
        while taken.count < most && taken.bytes < window {
            let tsn = first.plus(taken.count as u32);
            let room = frame.remaining().min(room.saturating_sub(taken.bytes));
            let Some(OutMessage { piece, notice, .. }) = waiting.next(now, room, &mut taken) else { break };
            // There is room, as was asked for.
            let _ = OutChunk { tsn, piece, interleaving }.write(frame);
            if tsn == first {
                first_len = piece.payload.len();
            }
            if let Some(number) = *notice {
                self.note(tsn, number);
            }
            last = tsn;
        }
        let Taken { count, bytes, .. } = taken;
        if count == 0 {
            return taken;
        }
        let transmission = self.transmit(now, first, first_len, false);
        self.in_flight += bytes - first_len;
        self.outstanding += bytes;
        if count > 1 {
            let more = frame.len() - before - wire_len(interleaving, first_len);
            self.transmissions.extend_by(count - 1, last, more);
        }
        for _ in 0..count {
            let Some(piece) = run.pop() else { break };
            self.ring.push_back(Sent::new(piece, transmission));
        }
        taken
    }

    /// The first chunk to be sent again, if it fits into `room`. Chunks whose message is to be given up are passed over.
    pub(crate) fn retransmit(&mut self, now: Instant, room: usize) -> Option<OutChunk<'_>> {
        let tsn = self.first_lost(now)?;
        let interleaving = self.interleaving;
        let len = self.get_mut(tsn)?.piece.payload.len();
        if wire_len(interleaving, len) > room {
            return None;
        }
        self.lost.pop_front();
        self.retransmitted += 1;
        let transmission = self.transmit(now, tsn, len, true);
        let sent = self.get_mut(tsn)?;
        sent.state = ChunkState::InFlight;
        sent.transmissions = sent.transmissions.saturating_add(1);
        sent.transmission = transmission;
        Some(OutChunk { tsn, piece: &sent.piece, interleaving })
    }

    /// What the oldest chunk outstanding takes of a packet, bytes.
    pub(crate) fn oldest_len(&self) -> usize {
        self.ring.front().map_or(0, |sent| wire_len(self.interleaving, sent.piece.payload.len()))
    }

    /// What the first chunk to be sent again takes of a packet, bytes.
    pub(crate) fn lost_len(&mut self, now: Instant) -> Option<usize> {
        let tsn = self.first_lost(now)?;
        let len = self.get_mut(tsn)?.piece.payload.len();
        Some(wire_len(self.interleaving, len))
    }

    /// Whether something is to be sent again.
    #[inline]
    pub(crate) fn has_lost(&mut self, now: Instant) -> bool {
        self.had_lost() && self.first_lost(now).is_some()
    }

    /// Whether something was lost that has not been dealt with.
    #[inline]
    pub(crate) fn had_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whether there is something to send but for new data.
    #[inline]
    pub(crate) fn wants_transmit(&self) -> bool {
        self.had_lost()
            || self.forward_tsn_due
            || (self.can_abandon && (self.ack_point_moved || self.has_open_abandoned()))
    }

    fn first_lost(&mut self, now: Instant) -> Option<Serial32> {
        while let Some(&tsn) = self.lost.front() {
            let can_abandon = self.can_abandon;
            match self.get_mut(tsn) {
                Some(sent) if sent.state == ChunkState::Lost => {
                    let spent = sent.piece.max_retransmits != u16::MAX
                        && sent.transmissions > sent.piece.max_retransmits
                        || sent.piece.expires <= now;
                    if !(can_abandon && spent) {
                        return Some(tsn);
                    }
                    self.abandon(tsn.since(self.cumulative_ack).wrapping_sub(1) as usize);
                }
                _ => {
                    self.lost.pop_front();
                }
            }
        }
        None
    }

    /// Chunk `tsn` is no longer in flight: it is to be sent again.
    pub(super) fn lose(&mut self, tsn: Serial32) {
        let Some(sent) = self.get_mut(tsn) else { return };
        let (len, transmission) = (sent.piece.payload.len(), sent.transmission);
        sent.state = ChunkState::Lost;
        self.in_flight = self.in_flight.saturating_sub(len);
        self.transmissions.leave(transmission, 1);
        self.delivery.lost += len as u64;
        if self.lost.back().is_none_or(|last| last.precedes(tsn)) {
            self.lost.push_back(tsn);
        } else {
            let at = self.lost.partition_point(|other| other.precedes(tsn));
            if self.lost.get(at) != Some(&tsn) {
                self.lost.insert(at, tsn);
            }
        }
    }

    /// T3-rtx expired, or the handshake is repeated: everything not acknowledged is lost (RFC 9260 section 6.3.3, E3).
    pub(crate) fn lose_all(&mut self) {
        self.lost.clear();
        self.in_flight = 0;
        self.recovery_exit = None;
        self.recovering = false;
        self.recovery_start = self.transmissions.next();
        self.free_retransmit = false;
        self.transmissions.clear();
        self.rack.forget_probe();
        self.undo = Undo::default();
        let first = self.cumulative_ack.next();
        self.scan_from = first;
        for (n, sent) in self.ring.iter_mut().enumerate() {
            if matches!(sent.state, ChunkState::InFlight | ChunkState::Lost) {
                sent.state = ChunkState::Lost;
                if sent.misses != FAST_RETRANSMITTED {
                    sent.misses = 0;
                }
                self.lost.push_back(first.plus(n as u32));
            }
        }
        // Chunks sent so far say nothing about the time a new one takes.
        self.sample_from = self.next_tsn();
        if self.advanced_ack.follows(self.cumulative_ack) {
            self.forward_tsn_due = true;
        }
    }

    /// T3-rtx expired, and congestion control was told: it may turn out to have been for nothing.
    pub(crate) fn time_out(&mut self) {
        self.lose_all();
        if let (Some(&first), Some(&last), true) = (self.lost.front(), self.lost.back(), self.rack.enabled) {
            self.undo.begin(true);
            self.undo.on_all_lost(first, last);
        }
    }

    /// What T3-rtx took for lost is in flight after all.
    pub(super) fn unlose(&mut self, now: Instant) {
        let lost = core::mem::take(&mut self.lost);
        for tsn in lost {
            let Some(sent) = self.get_mut(tsn).filter(|s| s.state == ChunkState::Lost) else { continue };
            let len = sent.piece.payload.len();
            let transmission = self.transmit(now, tsn, len, true);
            if let Some(sent) = self.get_mut(tsn) {
                sent.state = ChunkState::InFlight;
                sent.transmission = transmission;
            }
        }
    }

    /// What is outstanding left by another path than what follows.
    pub(crate) fn change_path(&mut self, now: Instant) {
        self.sample_from = self.next_tsn();
        self.delivery.change_path(now);
        self.rack.change_path();
    }

    /// When the newest transmission left.
    pub(crate) fn last_sent(&self) -> Option<Instant> {
        self.transmissions.last_sent()
    }

    /// The peer's window less what is on its way to it.
    pub(crate) fn peer_room(&self) -> usize {
        self.a_rwnd.saturating_sub(self.in_flight)
    }

    /// The next chunk gets this TSN. Nothing is outstanding.
    pub(crate) fn restart_at(&mut self, tsn: Serial32) {
        debug_assert!(self.ring.is_empty());
        self.cumulative_ack = tsn.previous();
        self.advanced_ack = tsn.previous();
        self.acked.clear();
        self.lost.clear();
        self.scan_from = tsn;
        self.sample_from = tsn;
        self.recovery_exit = None;
        self.forward_tsn_due = false;
    }

    /// Nothing has happened for a while: memory that a large flight took is given back.
    pub(crate) fn rest(&mut self) {
        if self.ring.is_empty() {
            self.ring = VecDeque::new();
            self.lost = VecDeque::new();
            self.acked = Ranges::default();
            self.transmissions.rest();
        }
    }
}
