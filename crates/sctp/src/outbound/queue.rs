//! Messages waiting to be sent, by stream.
//!
//! The [scheduler](super::scheduler) says whose turn it is, so that a message's cost depends neither on how much is queued
//! nor, but for a logarithm, on how many streams there are. Without interleaving a message once begun is finished first:
//! its fragments must have TSNs in a row (RFC 9260 section 6.9).

use std::collections::{VecDeque, vec_deque};

use bytes::Bytes;
use weft_core::{Instant, Serial32};

use super::chunk::{Piece, header_len, wire_len};
use super::message::OutMessage;
use super::scheduler::{Scheduler, Share, Turns};
use crate::error::SendError;
use crate::streams::StreamTable;
use crate::wire::data;

/// A piece is cut to fill up a packet only when at least this many bytes go in.
const MIN_CUT: usize = 256;

#[derive(Debug, Default)]
struct OutStream {
    /// Message Identifiers of the next ordered and the next unordered message.
    next_mid: [Serial32; 2],
    queue: VecDeque<OutMessage>,
    /// Counted bytes in the queue.
    counted: usize,
    threshold: usize,
    share: Share,
    /// A reset was asked for: nothing new is taken until it is done.
    resetting: bool,
}

impl OutStream {
    /// The message at the front, if some of it may be sent now.
    #[inline]
    fn sendable(&self, held: bool) -> Option<&OutMessage> {
        self.queue.front().filter(|m| m.available() > 0 && (m.begun() || !held))
    }

    /// The last message, if it is given in pieces and not complete.
    #[inline]
    fn open(&self) -> Option<&OutMessage> {
        self.queue.back().filter(|m| !m.is_complete())
    }
}

/// What goes next: the message at the front of the stream whose turn it is.
#[derive(Clone, Copy, Debug)]
struct Head {
    id: u16,
    begun: bool,
    /// Bytes of it that may be sent now, at least one.
    available: usize,
    expires: Instant,
}

impl Head {
    #[inline]
    fn new(id: u16, message: &OutMessage) -> Self {
        Self { id, begun: message.begun(), available: message.available(), expires: message.piece.expires }
    }
}

/// A message that fills several chunks while no other may come between.
#[derive(Debug)]
struct Current {
    id: u16,
    sent: usize,
}

/// What is to be told of.
#[derive(Debug, Default)]
struct Told {
    /// Streams whose buffered amount fell to the threshold.
    low: VecDeque<u16>,
    /// Notices of messages that were given up before all of them was sent.
    given_up: VecDeque<u64>,
}

impl Told {
    fn fall(told: &mut Option<Box<Self>>, id: u16) {
        told.get_or_insert_default().low.push_back(id);
    }

    fn give_up(told: &mut Option<Box<Self>>, notice: Option<u64>) {
        if let Some(notice) = notice {
            told.get_or_insert_default().given_up.push_back(notice);
        }
    }
}

/// Whole messages of one stream that leave one after the other ([`SendQueue::run`]).
#[derive(Debug)]
pub(crate) struct Run<'q> {
    interleaving: bool,
    stream: &'q mut OutStream,
    pub(crate) id: u16,
}

/// The messages of a [`Run`], and what their numbers are taken from.
#[derive(Debug)]
pub(crate) struct Waiting<'q> {
    interleaving: bool,
    messages: vec_deque::IterMut<'q, OutMessage>,
    next_mid: &'q mut [Serial32; 2],
}

/// What a [`Run`] took: messages, their bytes, those of them that count, and those of the last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) count: usize,
    pub(crate) bytes: usize,
    counted: usize,
    last: usize,
}

impl Run<'_> {
    #[inline]
    pub(crate) fn waiting(&mut self) -> Waiting<'_> {
        let OutStream { queue, next_mid, .. } = &mut *self.stream;
        Waiting { interleaving: self.interleaving, messages: queue.iter_mut(), next_mid }
    }

    /// Moves the first of what was taken out of the queue.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Piece> {
        self.stream.queue.pop_front().map(|message| message.piece)
    }
}

impl Waiting<'_> {
    /// The next message, if it takes at most `room` bytes of the packet and goes the usual way; it is added to `taken`.
    /// None follows after one that is not.
    #[inline]
    pub(crate) fn next(&mut self, now: Instant, room: usize, taken: &mut Taken) -> Option<&OutMessage> {
        let message = self.messages.next()?;
        let len = message.piece.payload.len();
        let usual = message.pieces.is_none() && !message.begun() && message.piece.expires > now;
        if !usual || wire_len(self.interleaving, len) > room {
            return None;
        }
        let [ordered, unordered] = &mut *self.next_mid;
        let next = if message.is_unordered() { unordered } else { ordered };
        message.piece.flags |= data::END;
        message.piece.mid = *next;
        *next = next.next();
        taken.count += 1;
        taken.bytes += len;
        taken.counted += if message.counted { len } else { 0 };
        taken.last = len;
        Some(message)
    }
}

#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    streams: StreamTable<OutStream>,
    turns: Turns,
    /// What was found to go next, until something changes that. It is asked for several times a packet.
    head: Option<Head>,
    /// Messages of different streams may be interleaved.
    pub(crate) interleaving: bool,
    current: Option<Current>,
    /// Messages not begun stay.
    held: bool,
    next_turn: u64,
    pub(crate) bytes: usize,
    pub(crate) messages: usize,
    pub(crate) expired: u64,
    told: Option<Box<Told>>,
}

impl SendQueue {
    #[inline]
    pub(crate) fn push(&mut self, id: u16, message: impl FnOnce(u64) -> OutMessage) {
        let message = message(self.next_turn);
        self.next_turn += 1;
        let len = message.remaining();
        self.bytes += len;
        self.messages += 1;
        if self.streams.get(id).is_none() {
            self.streams.entry(id); // made when first used
        }
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.counted += if message.counted { len } else { 0 };
        stream.queue.push_back(message);
        if !stream.share.listed {
            self.list(id);
        }
    }

    /// Whether messages are taken on stream `id`.
    #[inline]
    pub(crate) fn may_push(&self, id: u16) -> Result<(), SendError> {
        match self.streams.get(id) {
            Some(stream) if stream.resetting => Err(SendError::Closed),
            Some(stream) if stream.open().is_some() => Err(SendError::Unfinished),
            _ => Ok(()),
        }
    }

    /// Adds to the message given in pieces that is the last of stream `id`. `false` when there is none.
    pub(crate) fn add_piece(&mut self, id: u16, piece: Bytes, last: bool) -> bool {
        let Some(stream) = self.streams.get_mut(id) else { return false };
        let Some(message) = stream.queue.back_mut().filter(|m| !m.is_complete()) else { return false };
        self.bytes += piece.len();
        if message.counted {
            stream.counted += piece.len();
        }
        message.add(piece);
        if let Some(pieces) = &mut message.pieces {
            pieces.complete = last;
        }
        self.head = None;
        self.list(id);
        true
    }

    /// The last message of stream `id`, if it is given in pieces and not complete.
    pub(crate) fn open(&self, id: u16) -> Option<&OutMessage> {
        self.streams.get(id).and_then(OutStream::open)
    }

    /// Messages given in pieces need not wait for their end.
    pub(crate) fn release_withheld(&mut self) {
        let withheld = |m: &&mut OutMessage| m.is_withheld();
        let mut released = Vec::new();
        self.head = None;
        for (id, stream) in self.streams.iter_mut() {
            if let Some(pieces) = stream.queue.back_mut().filter(withheld).and_then(|m| m.pieces.as_mut()) {
                pieces.withheld = false;
                released.push(id);
            }
        }
        for id in released {
            self.list(id);
        }
    }

    /// Puts a stream among those with something to send, if it has.
    fn list(&mut self, id: u16) {
        let held = self.held;
        if self.current.as_ref().is_some_and(|c| c.id == id) {
            return;
        }
        if let Some(stream) = self.streams.get_mut(id)
            && !stream.share.listed
            && let Some(turn) = stream.sendable(held).map(|m| m.turn)
        {
            self.turns.list(id, &mut stream.share, turn);
            self.head = None;
        }
    }

    /// Messages that were given up unknown to the queue.
    pub(crate) fn give_up(&mut self, notices: impl IntoIterator<Item = u64>) {
        let mut notices = notices.into_iter().peekable();
        if notices.peek().is_some() {
            self.told.get_or_insert_default().given_up.extend(notices);
        }
    }

    /// Whether there may be something to tell.
    #[inline]
    pub(crate) fn has_told(&self) -> bool {
        self.told.as_ref().is_some_and(|told| !told.low.is_empty() || !told.given_up.is_empty())
    }

    /// A stream whose buffered amount fell to its threshold.
    #[inline]
    pub(crate) fn take_low(&mut self) -> Option<u16> {
        self.told.as_mut()?.low.pop_front()
    }

    /// The notice of a message that was given up before all of it was sent.
    pub(crate) fn take_given_up(&mut self) -> Option<u64> {
        self.told.as_mut()?.given_up.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// What goes next.
    #[inline]
    fn head(&mut self) -> Option<Head> {
        if self.head.is_none() && self.messages > 0 {
            self.head = self.find_head();
        }
        self.head
    }

    fn find_head(&mut self) -> Option<Head> {
        if let Some(current) = &self.current {
            let message = self.streams.get(current.id)?.sendable(self.held)?;
            return Some(Head::new(current.id, message));
        }
        loop {
            let id = self.turns.first()?;
            let stream = self.streams.get_mut(id)?;
            if let Some(message) = stream.sendable(self.held) {
                return Some(Head::new(id, message));
            }
            stream.share.listed = false;
            self.turns.remove_first();
        }
    }

    fn front(&self, id: u16) -> Option<&OutMessage> {
        self.streams.get(id)?.queue.front()
    }

    /// Whether the message whose turn it is has expired.
    #[inline]
    pub(crate) fn has_expired(&mut self, now: Instant) -> bool {
        self.head().is_some_and(|head| head.expires <= now)
    }

    /// Removes messages whose turn it is and that expired unsent.
    pub(crate) fn drop_expired(&mut self, now: Instant) {
        while let Some(head) = self.head().filter(|head| !head.begun && head.expires <= now) {
            self.expired += 1;
            self.drop_front(head.id);
        }
    }

    /// The stream whose turn it is, if its message was begun and has expired since.
    pub(crate) fn begun_expired(&mut self, now: Instant) -> Option<u16> {
        self.head().filter(|head| head.begun && head.expires <= now).map(|head| head.id)
    }

    /// The message at the front of stream `id`, if part of it was sent: whether it is unordered, and its number.
    pub(crate) fn begun(&self, id: u16) -> Option<(bool, Serial32)> {
        self.front(id).filter(|m| m.begun()).map(|m| (m.is_unordered(), m.piece.mid))
    }

    pub(crate) fn front_ppid(&self, id: u16) -> Option<u32> {
        self.front(id).map(|m| m.piece.ppid)
    }

    /// Removes the message at the front of stream `id`, wholly.
    fn drop_front(&mut self, id: u16) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let Some(message) = stream.queue.pop_front() else { return };
        self.head = None;
        let len = message.remaining();
        self.bytes -= len;
        self.messages -= 1;
        Told::give_up(&mut self.told, message.notice);
        if message.counted {
            Self::count_down(&mut self.told, id, stream, len);
        }
        self.end_current(id);
        self.list(id);
    }

    /// The rest of a message whose sent part was given up.
    pub(crate) fn drop_begun(&mut self, id: u16) {
        if self.begun(id).is_some() {
            self.drop_front(id);
        }
    }

    /// Everything queued on stream `id` but a message already begun and those of Payload Protocol Identifier `keep`.
    pub(crate) fn drop_waiting(&mut self, id: u16, keep: Option<u32>) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let mut len = 0;
        self.head = None;
        stream.queue.retain(|message| {
            let stays = message.begun() || Some(message.piece.ppid) == keep;
            if !stays {
                self.messages -= 1;
                self.bytes -= message.remaining();
                Told::give_up(&mut self.told, message.notice);
                len += if message.counted { message.remaining() } else { 0 };
            }
            stays
        });
        Self::count_down(&mut self.told, id, stream, len);
    }

    /// The message given in pieces that is the last of stream `id`, if nothing of it was sent.
    pub(crate) fn drop_open(&mut self, id: u16) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.queue.back().is_some_and(|m| !m.is_complete() && !m.begun())
            && let Some(message) = stream.queue.pop_back()
        {
            let len = message.remaining();
            self.head = None;
            self.messages -= 1;
            self.bytes -= len;
            Told::give_up(&mut self.told, message.notice);
            Self::count_down(&mut self.told, id, stream, if message.counted { len } else { 0 });
        }
    }

    /// Stands for the rest of the message at the front of stream `id`, which is given up with it: a chunk that never
    /// leaves, whose TSN the receiver is told to skip.
    pub(crate) fn stub(&self, id: u16) -> Option<Piece> {
        let message = self.front(id).filter(|m| m.begun())?;
        Some(Piece { payload: Bytes::new(), ..message.piece })
    }

    /// If it was the message of stream `id` that others wait for, they need wait no longer.
    fn end_current(&mut self, id: u16) {
        let Some(current) = self.current.take_if(|c| c.id == id) else { return };
        self.head = None;
        let held = self.held;
        if let Some(stream) = self.streams.get_mut(id) {
            self.turns.charge(&mut stream.share, current.sent);
            stream.share.listed = false;
            if let Some(turn) = stream.sendable(held).map(|m| m.turn) {
                self.turns.list(id, &mut stream.share, turn);
            }
        }
    }

    #[inline]
    fn count_down(told: &mut Option<Box<Told>>, id: u16, stream: &mut OutStream, len: usize) {
        let before = stream.counted;
        stream.counted = before.saturating_sub(len);
        if before > stream.threshold && stream.counted <= stream.threshold {
            Told::fall(told, id);
        }
    }

    /// The next chunk's worth for a packet with `room` bytes left, where an empty packet holds `whole`; `fresh` when no
    /// DATA is in it yet. With it comes the notice of a message that ends.
    #[inline]
    pub(crate) fn next_piece(&mut self, room: usize, whole: usize, fresh: bool) -> Option<(Piece, Option<u64>)> {
        let Head { id, available: left, .. } = self.head()?;
        let header = header_len(self.interleaving);
        let room = (room & !3).checked_sub(header)?;
        let whole = (whole & !3).saturating_sub(header);
        let len = if left <= room {
            left
        } else if room >= MIN_CUT.min(whole) && (fresh || left > whole) {
            room
        } else {
            return None;
        };
        let stream = self.streams.get_mut(id)?;
        let message = stream.queue.front_mut()?;
        if !message.begun() {
            let [ordered, unordered] = &mut stream.next_mid;
            let next = if message.is_unordered() { unordered } else { ordered };
            message.piece.mid = *next;
            *next = next.next();
        }
        let payload = message.cut(len);
        let len = payload.len();
        let ends = message.is_complete() && message.remaining() == 0;
        let end = if ends { data::END } else { 0 };
        let piece = Piece { payload, flags: message.piece.flags | end, ..message.piece };
        let notice = message.notice.filter(|_| ends);
        message.piece.flags &= !data::BEGIN;
        message.piece.fsn = message.piece.fsn.wrapping_add(1);
        self.bytes -= len;
        let counted = message.counted;
        if ends {
            stream.queue.pop_front();
            self.messages -= 1;
        }
        if counted {
            Self::count_down(&mut self.told, id, stream, len);
        }
        self.after_piece(id, len, ends);
        Some((piece, notice))
    }

    /// The stream that goes next, if it is the only one with something to send, and its next message fits `room` whole:
    /// then its messages may leave one after the other.
    #[inline]
    pub(crate) fn run(&mut self, room: usize) -> Option<Run<'_>> {
        let head = self.head()?;
        let fits = !head.begun && wire_len(self.interleaving, head.available) <= room;
        if !fits || self.held || self.current.is_some() || !self.turns.has_one() {
            return None;
        }
        let stream = self.streams.get_mut(head.id)?;
        Some(Run { interleaving: self.interleaving, stream, id: head.id })
    }

    /// What a [`Run`] took is accounted for, as if each message had had its turn.
    pub(crate) fn end_run(&mut self, id: u16, taken: &Taken) {
        let Taken { count, bytes, counted, last } = *taken;
        let Some(stream) = self.streams.get_mut(id).filter(|_| count > 0) else { return };
        self.messages -= count;
        self.bytes -= bytes;
        Self::count_down(&mut self.told, id, stream, counted);
        self.turns.charge(&mut stream.share, bytes - last);
        self.after_piece(id, last, true);
    }

    /// Stream `id` had its turn, or part of it.
    #[inline]
    fn after_piece(&mut self, id: u16, len: usize, ends: bool) {
        self.head = None;
        let Some(stream) = self.streams.get_mut(id) else { return };
        if let Some(current) = &mut self.current {
            current.sent += len;
            if ends {
                self.end_current(id);
            } else {
                self.head = stream.sendable(self.held).map(|message| Head::new(id, message));
            }
            return;
        }
        let next = stream.sendable(self.held).map(|message| (message.turn, Head::new(id, message)));
        if !ends && !self.interleaving {
            self.turns.remove_first();
            stream.share.listed = false;
            self.current = Some(Current { id, sent: len });
            self.head = next.map(|next| next.1);
        } else if let Some((turn, head)) = next {
            let again = self.turns.served(id, &mut stream.share, len, turn, ends);
            self.head = again.then_some(head);
        } else {
            self.turns.finished(id, &mut stream.share, len);
        }
    }

    /// Wire length of the least the next chunk can be, or 0 when there is none.
    #[inline]
    pub(crate) fn wants(&mut self, whole: usize) -> usize {
        let interleaving = self.interleaving;
        self.head().map_or(0, |head| wire_len(interleaving, head.available).min(whole))
    }

    /// What a message may send before others have their turn, bytes, where messages are interleaved.
    pub(crate) fn set_turn(&mut self, bytes: u32) {
        self.turns.set_most(bytes);
    }

    pub(crate) fn scheduler(&self) -> Scheduler {
        self.turns.kind()
    }

    pub(crate) fn set_scheduler(&mut self, kind: Scheduler) {
        self.turns.restart(kind);
        self.relist();
    }

    pub(crate) fn priority(&self, id: u16) -> u16 {
        self.streams.get(id).map_or(Share::default().priority, |s| s.share.priority)
    }

    pub(crate) fn set_priority(&mut self, id: u16, priority: u16) {
        let share = &mut self.streams.entry(id).share;
        let changed = core::mem::replace(&mut share.priority, priority) != priority;
        if changed && share.listed && self.turns.kind() == Scheduler::Priority {
            self.set_scheduler(Scheduler::Priority);
        }
    }

    /// While held, no message is begun; those begun are finished.
    pub(crate) fn hold(&mut self, held: bool) {
        if self.held == held {
            return;
        }
        self.held = held;
        self.head = None;
        self.turns.restart(self.turns.kind());
        self.relist();
    }

    /// Whether part of some message was sent and part is still to be.
    pub(crate) fn has_begun(&mut self) -> bool {
        self.streams.iter_mut().any(|(_, s)| s.queue.front().is_some_and(OutMessage::begun))
    }

    fn relist(&mut self) {
        self.head = None;
        let mut waiting = Vec::new();
        for (id, stream) in self.streams.iter_mut() {
            stream.share.restart();
            if let Some(message) = stream.queue.front() {
                waiting.push((message.turn, id));
            }
        }
        waiting.sort_unstable();
        for (_, id) in waiting {
            self.list(id);
        }
    }

    pub(crate) fn buffered(&self, id: u16) -> usize {
        self.streams.get(id).map_or(0, |s| s.counted)
    }

    pub(crate) fn is_drained(&self, id: u16) -> bool {
        self.streams.get(id).is_none_or(|s| s.queue.is_empty())
    }

    pub(crate) fn set_threshold(&mut self, id: u16, bytes: usize) {
        let stream = self.streams.entry(id);
        let fell = stream.counted > stream.threshold && stream.counted <= bytes;
        stream.threshold = bytes;
        if fell {
            Told::fall(&mut self.told, id);
        }
    }

    pub(crate) fn is_resetting(&self, id: u16) -> bool {
        self.streams.get(id).is_some_and(|s| s.resetting)
    }

    pub(crate) fn set_resetting(&mut self, id: u16, on: bool) {
        self.streams.entry(id).resetting = on;
    }

    /// The stream was reset: SSNs start again (RFC 6525 section 5.2.7 H4), and so do both counts of MIDs (RFC 8260 section
    /// 2.3.2).
    pub(crate) fn reset(&mut self, id: u16) {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.resetting = false;
            stream.next_mid = [Serial32(0); 2];
            stream.threshold = 0;
            stream.share.priority = Share::default().priority;
        }
    }

    /// All streams start again at SSN 0 (RFC 6525 section 5.2.7 H5).
    pub(crate) fn restart_numbers(&mut self) {
        for (_, stream) in self.streams.iter_mut() {
            stream.next_mid = [Serial32(0); 2];
        }
    }

    /// Nothing has happened for a while: memory of streams with nothing to send is given back.
    pub(crate) fn rest(&mut self) {
        if !self.has_told() {
            self.told = None;
        }
        if self.messages == 0 {
            for (_, stream) in self.streams.iter_mut() {
                stream.queue = VecDeque::new();
            }
        }
    }

    /// Throws everything away.
    pub(crate) fn clear(&mut self) {
        let (kind, interleaving) = (self.turns.kind(), self.interleaving);
        for (_, stream) in self.streams.iter_mut() {
            for message in stream.queue.drain(..) {
                Told::give_up(&mut self.told, message.notice);
            }
        }
        let mut told = self.told.take();
        if let Some(told) = &mut told {
            told.low.clear();
        }
        let next_turn = self.next_turn;
        *self = Self { interleaving, next_turn, told, ..Self::default() };
        self.turns.restart(kind);
    }

    pub(crate) fn used_streams(&mut self) -> Vec<u16> {
        self.streams.iter_mut().map(|(id, _)| id).collect()
    }
}
