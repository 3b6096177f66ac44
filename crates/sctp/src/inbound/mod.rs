//! The receiving side: which TSNs arrived, messages in the making, messages waiting for their turn.

mod ack;
mod bursts;
mod fragment;
mod interleaved;
mod order;
mod reassembly;
mod run;
mod skip;
mod spares;
mod window;

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use weft_core::{Instant, Serial32};

use crate::Config;
use crate::message::Message;
use crate::ranges::Ranges;
use crate::streams::StreamTable;
use crate::wire::data;

pub(crate) use ack::AckState;
pub(crate) use fragment::Fragment;
use interleaved::Interleaved;
use reassembly::Reassembly;
use spares::Spares;
use window::Window;

/// What a held message or piece is charged against the receive buffer beside its bytes, so that tiny ones cannot take
/// memory for nothing.
const ENTRY_CHARGE: usize = 64;

/// How far beyond the cumulative TSN a chunk may lie: a Gap Ack Block cannot report more.
const MAX_DISTANCE: u32 = 65_535;

/// How many holes are remembered; more would not fit a SACK anyway.
const MAX_RANGES: usize = 1024;

/// A chunk beyond a reset that is not yet to be performed.
#[derive(Debug)]
struct Held {
    tsn: Serial32,
    flags: u8,
    stream: u16,
    mid: Serial32,
    fsn: u32,
    ppid: u32,
    payload: Bytes,
}

/// "Deferred reset processing" (RFC 6525 section 5.2.2, E2): what comes on these streams after `last_tsn` is held.
#[derive(Debug)]
struct Hold {
    last_tsn: Serial32,
    streams: Vec<u16>,
    chunks: Vec<Held>,
}

/// What became of a DATA chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Accepted,
    Duplicate,
    /// No room, or too far ahead: as if it had never come.
    Dropped,
    /// Taken and thrown away: there is no such stream.
    InvalidStream,
    Violation(&'static str),
}

#[derive(Debug, Default)]
struct InStream {
    /// Number of the ordered message whose turn is next. Stream Sequence Numbers are its lower half.
    next: Serial32,
    /// The last unordered message that the peer gave up.
    skipped: Option<Serial32>,
    /// Messages are handed out in pieces.
    piecewise: bool,
    /// Length of the last fragmented messages, as a hint for the next.
    last_len: usize,
    /// Where the interleaved message that grew last is kept.
    making: u32,
    /// Whole messages whose turn has not come, by number.
    waiting: VecDeque<(Serial32, Message)>,
}

#[derive(Debug)]
pub(crate) struct Inbound {
    /// Cumulative TSN.
    pub(crate) cumulative: Serial32,
    received: Ranges,
    streams: StreamTable<InStream>,
    in_streams: u16,
    /// Chunks are I-DATA.
    interleaving: bool,
    /// Messages in the making, once there were any: of DATA chunks, or of I-DATA chunks.
    reassembly: Option<Box<Reassembly>>,
    interleaved: Option<Box<Interleaved>>,
    /// Buffers to be used again, once messages are read in place.
    spares: Option<Box<Spares>>,
    ready: VecDeque<Message>,
    /// Charged for whole messages the application has not taken.
    ready_charge: usize,
    /// Charged for whole messages whose turn has not come.
    waiting_charge: usize,
    waiting_entries: usize,
    taken_entries: usize,
    window: Window,
    max_entries: usize,
    max_message: usize,
    hold: Option<Box<Hold>>,
    pub(crate) ack: AckState,
}

impl Inbound {
    pub(crate) fn new(config: &Config, peer_initial_tsn: Serial32, in_streams: u16, interleaving: bool) -> Self {
        Self {
            cumulative: peer_initial_tsn.previous(),
            received: Ranges::default(),
            streams: StreamTable::default(),
            in_streams,
            interleaving,
            reassembly: None,
            interleaved: None,
            spares: None,
            ready: VecDeque::new(),
            ready_charge: 0,
            waiting_charge: 0,
            waiting_entries: 0,
            taken_entries: 0,
            window: Window::new(config.receive_buffer, config.max_receive_buffer),
            max_entries: config.max_receive_entries,
            max_message: config.max_message_size,
            hold: None,
            ack: AckState::default(),
        }
    }

    /// Everything held but the message being received in order, or, of interleaved ones, what they have room of their own
    /// for: the application can do nothing about messages that are not whole, so they must not shut the window for good.
    #[inline]
    fn held(&self) -> usize {
        let making = match (&self.interleaved, &self.reassembly) {
            (Some(interleaved), _) => {
                interleaved.charge.saturating_sub(self.window.limit.saturating_add(self.max_message))
            }
            (None, Some(spans)) => spans.charge.saturating_sub(spans.in_order_charge(self.cumulative)),
            (None, None) => 0,
        };
        self.ready_charge + self.waiting_charge + making
    }

    #[inline]
    fn entries(&self) -> usize {
        let making = match (&self.interleaved, &self.reassembly) {
            (Some(interleaved), _) => interleaved.entries,
            (None, Some(spans)) => spans.entries.saturating_sub(spans.in_order_entries(self.cumulative)),
            (None, None) => 0,
        };
        self.ready.len() + self.taken_entries + self.waiting_entries + making
    }

    /// The window to advertise.
    #[inline]
    pub(crate) fn a_rwnd(&self) -> u32 {
        if self.entries() >= self.max_entries {
            return 0;
        }
        u32::try_from(self.window.limit.saturating_sub(self.held())).unwrap_or(u32::MAX)
    }

    #[inline]
    fn has_room(&self, tsn: Serial32, len: usize) -> bool {
        self.has_plenty_next(tsn) || self.finds_room(tsn, len)
    }

    /// Whether `tsn` is the next, nothing beyond it came yet, and there is room even if all that is held counted.
    #[inline]
    fn has_plenty_next(&self, tsn: Serial32) -> bool {
        self.received.is_empty() && tsn == self.cumulative.next() && self.has_plenty()
    }

    /// Whether there is room even if all that is held counted.
    #[inline]
    fn has_plenty(&self) -> bool {
        let (charge, entries) = match (&self.interleaved, &self.reassembly) {
            (Some(interleaved), _) => (interleaved.charge, interleaved.entries),
            (None, Some(spans)) => (spans.charge, spans.entries),
            (None, None) => (0, 0),
        };
        self.ready_charge + self.waiting_charge + charge < self.window.limit
            && self.ready.len() + self.taken_entries + self.waiting_entries + entries < self.max_entries
    }

    fn finds_room(&self, tsn: Serial32, len: usize) -> bool {
        if tsn == self.cumulative.next() {
            if self.received.is_empty() {
                // "When the receiver's advertised window is 0, the receiver MUST drop any new incoming DATA chunk with a
                // TSN larger than the largest TSN received so far" (section 6.2).
                return self.a_rwnd() > 0;
            }
            // It fills a hole, and is what everything else waits for. It may find room as long as the application keeps
            // taking: it either becomes ready or lengthens the message in the making.
            return self.ready_charge <= self.window.limit && self.ready.len() + self.taken_entries < self.max_entries;
        }
        let (mut limit, mut entries) = (self.window.limit, self.max_entries);
        if self.received.last().is_some_and(|last| tsn.precedes(last)) {
            // It fills a hole: the peer had leave to send it.
            limit = limit.saturating_mul(2);
            entries = entries.saturating_mul(2);
        }
        self.held().saturating_add(len).saturating_add(ENTRY_CHARGE) <= limit
            && self.entries() < entries
            && (self.received.len() < MAX_RANGES || self.received.contains(tsn.previous()))
    }

    #[inline]
    pub(crate) fn on_data(&mut self, chunk: &Fragment<'_>) -> Outcome {
        let middle = chunk.flags & !data::UNORDERED == 0;
        if middle && self.has_plenty_next(chunk.tsn) && self.append(chunk) {
            // No limit was passed: a message that would grow too long is not lengthened so.
            self.cumulative = chunk.tsn;
            return Outcome::Accepted;
        }
        self.on_any_data(chunk)
    }

    fn on_any_data(&mut self, chunk: &Fragment<'_>) -> Outcome {
        let distance = chunk.tsn.since(self.cumulative);
        let in_order = distance == 1;
        if distance == 0 || distance > u32::MAX / 2 || (!in_order && self.received.contains(chunk.tsn)) {
            self.ack.duplicate(chunk.tsn);
            return Outcome::Duplicate;
        }
        if distance > MAX_DISTANCE || !self.has_room(chunk.tsn, chunk.payload.len()) {
            self.ack.now();
            if in_order && self.received.is_empty() && self.ready_charge == 0 {
                // The window is shut, and nothing the application does opens it.
                return Outcome::Violation("messages wait for others that were never sent");
            }
            return Outcome::Dropped;
        }
        if in_order && self.received.is_empty() {
            self.cumulative = chunk.tsn;
            if self.append(chunk) {
                return self.check_limits();
            }
        } else if in_order {
            self.cumulative = self.received.advance(chunk.tsn);
            self.ack.now();
        } else {
            self.received.insert(chunk.tsn, chunk.tsn);
            self.ack.now();
        }
        if chunk.flags & data::IMMEDIATE != 0 {
            self.ack.now();
        }
        if chunk.stream >= self.in_streams {
            return Outcome::InvalidStream;
        }
        if !self.hold(chunk) {
            self.assemble(chunk);
        }
        self.drop_headless();
        self.check_limits()
    }

    /// A fragment that merely lengthens a message in the making.
    #[inline]
    fn append(&mut self, chunk: &Fragment<'_>) -> bool {
        if chunk.flags & !data::UNORDERED != 0 || self.hold.is_some() || chunk.stream >= self.in_streams {
            return false;
        }
        let Some(stream) = self.streams.get(chunk.stream).filter(|stream| !stream.piecewise) else { return false };
        match (&mut self.interleaved, &mut self.reassembly) {
            (Some(interleaved), _) => interleaved.append(chunk, stream.making, self.max_message),
            (None, Some(spans)) => spans.lengthen(chunk, self.max_message),
            (None, None) => false,
        }
    }

    /// After a chunk: messages in the making, and those that wait, are bounded.
    #[inline]
    fn check_limits(&self) -> Outcome {
        let (longest, making, times) = match (&self.interleaved, &self.reassembly) {
            (Some(interleaved), _) => (interleaved.longest(), interleaved.charge, 3),
            (None, Some(spans)) => (spans.longest(), spans.charge, 2),
            (None, None) => (0, 0, if self.interleaving { 3 } else { 2 }),
        };
        if longest > self.max_message {
            return Outcome::Violation("a message is larger than was allowed");
        }
        if self.waiting_charge + making > self.window.limit.saturating_mul(times).saturating_add(self.max_message) {
            return Outcome::Violation("messages wait for others that were never sent");
        }
        Outcome::Accepted
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Nothing has happened for a while: memory that many messages took is given back.
    pub(crate) fn rest(&mut self) {
        self.spares = None;
        if self.ready.is_empty() {
            self.ready = VecDeque::new();
        }
        if self.reassembly.as_ref().is_some_and(|spans| spans.is_empty()) {
            self.reassembly = None;
        }
        if self.interleaved.as_ref().is_some_and(|interleaved| interleaved.is_empty()) {
            self.interleaved = None;
        }
    }

    /// Takes a message without giving its room back: [`give_back`](Self::give_back) does.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Message> {
        let message = self.ready.pop_front()?;
        self.taken_entries += 1;
        Some(message)
    }

    /// A message was read in place: its buffer is used again.
    pub(crate) fn recycle(&mut self, payload: Bytes) {
        self.spares.get_or_insert_default().keep(payload);
    }

    /// The application is done with a message of `len` bytes. A SACK goes out when that opens a window that was nearly
    /// shut.
    #[inline]
    pub(crate) fn give_back(&mut self, len: usize, packet: usize) -> bool {
        let (told, limit) = (self.ack.told_rwnd, self.window.limit);
        if told as usize >= (limit / 4).max(packet) {
            self.take_back(len);
            return false;
        }
        // Silly window avoidance as in RFC 1122 section 4.2.3.3: tell of a worthwhile step only.
        let step = u32::try_from((limit / 4).max(packet).min(limit)).unwrap_or(u32::MAX);
        let before = self.a_rwnd();
        self.take_back(len);
        let after = self.a_rwnd();
        told < step && after > before && after >= told.saturating_add(step / 2)
    }

    #[inline]
    fn take_back(&mut self, len: usize) {
        self.window.on_taken(len);
        self.ready_charge = self.ready_charge.saturating_sub(len + ENTRY_CHARGE);
        self.taken_entries = self.taken_entries.saturating_sub(1);
    }

    /// A packet with DATA arrived, which is to be acknowledged.
    #[inline]
    pub(crate) fn packet_arrived(&mut self) {
        self.ack.packet(self.cumulative, &self.received);
    }

    /// A packet with DATA arrived: the window may grow.
    pub(crate) fn tune_window(&mut self, now: Instant, srtt: Option<Duration>) {
        self.window.tune(now, srtt);
    }

    /// `len` bytes of a message taken are not held after all.
    pub(crate) fn give_back_part(&mut self, len: usize) {
        self.ready_charge = self.ready_charge.saturating_sub(len);
    }

    /// Ids of the streams in use.
    pub(crate) fn used_streams(&mut self) -> Vec<u16> {
        self.streams.iter_mut().map(|(id, _)| id).collect()
    }

    pub(crate) fn gaps(&self) -> std::collections::vec_deque::Iter<'_, (Serial32, Serial32)> {
        self.received.iter()
    }
}
