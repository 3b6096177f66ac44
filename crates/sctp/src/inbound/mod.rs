//! The receiving side: which TSNs arrived, messages in the making, messages waiting for their turn.

mod ack;
mod reassembly;

use std::collections::VecDeque;

use bytes::Bytes;
use weft_core::{Serial16, Serial32};

use crate::message::Message;
use crate::ranges::Ranges;
use crate::streams::StreamTable;
use crate::wire::{Data, data};
use crate::{Config, wire::ForwardTsn};

pub(crate) use ack::AckState;
use reassembly::{Reassembly, Whole};

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
    ssn: Serial16,
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
    next_ssn: Serial16,
    /// Length of the last fragmented message, as a hint for the next.
    last_len: usize,
    /// Whole messages whose turn has not come, by SSN.
    waiting: VecDeque<(Serial16, Message)>,
}

#[derive(Debug)]
pub(crate) struct Inbound {
    /// Cumulative TSN.
    pub(crate) cumulative: Serial32,
    received: Ranges,
    streams: StreamTable<InStream>,
    in_streams: u16,
    reassembly: Reassembly,
    ready: VecDeque<Message>,
    /// Charged for whole messages the application has not taken.
    ready_charge: usize,
    /// Charged for whole messages whose turn has not come.
    waiting_charge: usize,
    waiting_entries: usize,
    taken_entries: usize,
    limit: usize,
    max_entries: usize,
    max_message: usize,
    hold: Option<Box<Hold>>,
    pub(crate) ack: AckState,
}

impl Inbound {
    pub(crate) fn new(config: &Config, peer_initial_tsn: Serial32, in_streams: u16) -> Self {
        Self {
            cumulative: peer_initial_tsn.previous(),
            received: Ranges::default(),
            streams: StreamTable::default(),
            in_streams,
            reassembly: Reassembly::default(),
            ready: VecDeque::new(),
            ready_charge: 0,
            waiting_charge: 0,
            waiting_entries: 0,
            taken_entries: 0,
            limit: config.receive_buffer,
            max_entries: config.max_receive_entries,
            max_message: config.max_message_size,
            hold: None,
            ack: AckState::default(),
        }
    }

    /// Everything held but the message being received in order.
    fn held(&self) -> usize {
        (self.ready_charge + self.waiting_charge + self.reassembly.charge)
            .saturating_sub(self.reassembly.in_order_charge(self.cumulative))
    }

    fn entries(&self) -> usize {
        (self.ready.len() + self.taken_entries + self.waiting_entries + self.reassembly.entries)
            .saturating_sub(self.reassembly.in_order_entries(self.cumulative))
    }

    /// The window to advertise.
    pub(crate) fn a_rwnd(&self) -> u32 {
        if self.entries() >= self.max_entries {
            return 0;
        }
        u32::try_from(self.limit.saturating_sub(self.held())).unwrap_or(u32::MAX)
    }

    fn has_room(&self, tsn: Serial32, len: usize) -> bool {
        if tsn == self.cumulative.next() {
            if self.received.is_empty() {
                // "When the receiver's advertised window is 0, the receiver MUST drop any new incoming DATA chunk with a
                // TSN larger than the largest TSN received so far" (section 6.2).
                return self.a_rwnd() > 0;
            }
            // It fills a hole, and is what everything else waits for. It may find room as long as the application keeps
            // taking: it either becomes ready or lengthens the message in the making.
            return self.ready_charge <= self.limit && self.ready.len() + self.taken_entries < self.max_entries;
        }
        let (mut limit, mut entries) = (self.limit, self.max_entries);
        if self.received.last().is_some_and(|last| tsn.precedes(last)) {
            // It fills a hole: the peer had leave to send it.
            limit = limit.saturating_mul(2);
            entries = entries.saturating_mul(2);
        }
        self.held().saturating_add(len).saturating_add(ENTRY_CHARGE) <= limit
            && self.entries() < entries
            && (self.received.len() < MAX_RANGES || self.received.contains(tsn.previous()))
    }

    pub(crate) fn on_data(&mut self, chunk: &Data<'_>) -> Outcome {
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
        self.reassembly.drop_headless(self.cumulative);
        if self.reassembly.longest() > self.max_message {
            return Outcome::Violation("a message is larger than was allowed");
        }
        if self.waiting_charge + self.reassembly.charge > self.limit.saturating_mul(2).saturating_add(self.max_message)
        {
            return Outcome::Violation("messages wait for others that were never sent");
        }
        Outcome::Accepted
    }

    fn assemble(&mut self, chunk: &Data<'_>) {
        const WHOLE: u8 = data::BEGIN | data::END;
        let whole = if chunk.flags & WHOLE == WHOLE {
            Whole {
                stream: chunk.stream,
                ssn: chunk.ssn,
                ppid: chunk.ppid,
                unordered: chunk.flags & data::UNORDERED != 0,
                payload: Bytes::copy_from_slice(chunk.payload),
            }
        } else {
            let hint = self.streams.get(chunk.stream).map_or(0, |s| s.last_len);
            let Some(whole) = self.reassembly.add(chunk, hint) else { return };
            self.streams.entry(chunk.stream).last_len = whole.payload.len();
            whole
        };
        self.order(whole);
    }

    fn order(&mut self, whole: Whole) {
        let message =
            Message { stream: whole.stream, ppid: whole.ppid, ordered: !whole.unordered, payload: whole.payload };
        if whole.unordered {
            self.make_ready(message);
            return;
        }
        let stream = self.streams.entry(message.stream);
        if stream.next_ssn == whole.ssn {
            stream.next_ssn = stream.next_ssn.next();
            let id = message.stream;
            self.make_ready(message);
            self.release(id);
        } else if whole.ssn.follows(stream.next_ssn) {
            let at = stream.waiting.partition_point(|(ssn, _)| ssn.precedes(whole.ssn));
            if stream.waiting.get(at).is_some_and(|(ssn, _)| *ssn == whole.ssn) {
                return; // two messages of one number: the second is no message
            }
            self.waiting_charge += message.payload.len() + ENTRY_CHARGE;
            self.waiting_entries += 1;
            stream.waiting.insert(at, (whole.ssn, message));
        }
    }

    /// Moves what waits on `id` and is next in turn to the application.
    fn release(&mut self, id: u16) {
        while let Some(stream) = self.streams.get_mut(id) {
            match stream.waiting.front() {
                Some((ssn, _)) if *ssn == stream.next_ssn => {}
                _ => return,
            }
            stream.next_ssn = stream.next_ssn.next();
            if let Some((_, message)) = stream.waiting.pop_front() {
                self.unwait(&message);
                self.make_ready(message);
            }
        }
    }

    fn unwait(&mut self, message: &Message) {
        self.waiting_charge = self.waiting_charge.saturating_sub(message.payload.len() + ENTRY_CHARGE);
        self.waiting_entries = self.waiting_entries.saturating_sub(1);
    }

    fn make_ready(&mut self, message: Message) {
        self.ready_charge += message.payload.len() + ENTRY_CHARGE;
        self.ready.push_back(message);
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes a message without giving its room back: [`give_back`](Self::give_back) does.
    pub(crate) fn take(&mut self) -> Option<Message> {
        let message = self.ready.pop_front()?;
        self.taken_entries += 1;
        Some(message)
    }

    /// The application is done with a message of `len` bytes. A SACK goes out when that opens a window that was nearly
    /// shut.
    pub(crate) fn give_back(&mut self, len: usize, packet: usize) -> bool {
        let before = self.a_rwnd();
        self.ready_charge = self.ready_charge.saturating_sub(len + ENTRY_CHARGE);
        self.taken_entries = self.taken_entries.saturating_sub(1);
        let after = self.a_rwnd();
        // Silly window avoidance as in RFC 1122 section 4.2.3.3: tell of a worthwhile step only.
        let step = u32::try_from((self.limit / 4).max(packet)).unwrap_or(u32::MAX).min(self.limit as u32);
        let told = self.ack.told_rwnd;
        after > before && told < step && after >= told.saturating_add(step / 2)
    }

    /// `len` bytes of a message taken are not held after all.
    pub(crate) fn give_back_part(&mut self, len: usize) {
        self.ready_charge = self.ready_charge.saturating_sub(len);
    }

    /// FORWARD TSN (RFC 3758 section 3.6).
    pub(crate) fn on_forward_tsn(&mut self, chunk: &ForwardTsn<'_>) {
        if !chunk.new_cumulative_tsn.follows(self.cumulative) {
            self.ack.now();
            return;
        }
        let gaps = !self.received.is_empty();
        self.cumulative = self.received.advance(chunk.new_cumulative_tsn);
        self.reassembly.forget_through(chunk.new_cumulative_tsn);
        for (id, ssn) in chunk.skipped() {
            if id >= self.in_streams {
                continue;
            }
            // "the data receiver ... MUST deliver ... those messages that were waiting" up to the skipped one and after.
            let stream = self.streams.entry(id);
            if ssn.precedes(stream.next_ssn) {
                continue;
            }
            stream.next_ssn = ssn.next();
            while let Some(stream) = self.streams.get_mut(id) {
                if stream.waiting.front().is_none_or(|(waiting, _)| waiting.follows(ssn)) {
                    break;
                }
                if let Some((_, message)) = stream.waiting.pop_front() {
                    self.unwait(&message);
                    self.make_ready(message);
                }
            }
            self.release(id);
        }
        self.reassembly.drop_headless(self.cumulative);
        if gaps {
            self.ack.now(); // as for DATA that fills a hole
        }
    }

    /// Holds what comes on `streams` (sorted) after `last_tsn` until they are reset.
    pub(crate) fn hold_after(&mut self, last_tsn: Serial32, streams: &[u16]) {
        let same = self.hold.as_ref().is_some_and(|h| h.last_tsn == last_tsn && h.streams == streams);
        if !same {
            self.release_held();
            self.hold = Some(Box::new(Hold { last_tsn, streams: streams.to_vec(), chunks: Vec::new() }));
        }
    }

    fn hold(&mut self, chunk: &Data<'_>) -> bool {
        let Some(hold) = &mut self.hold else { return false };
        if !chunk.tsn.follows(hold.last_tsn) || hold.streams.binary_search(&chunk.stream).is_err() {
            return false;
        }
        let Data { tsn, flags, stream, ssn, ppid, payload } = *chunk;
        self.waiting_charge += payload.len() + ENTRY_CHARGE;
        self.waiting_entries += 1;
        hold.chunks.push(Held { tsn, flags, stream, ssn, ppid, payload: Bytes::copy_from_slice(payload) });
        true
    }

    /// What was held goes its way.
    pub(crate) fn release_held(&mut self) {
        let Some(mut hold) = self.hold.take() else { return };
        let last_tsn = hold.last_tsn;
        hold.chunks.sort_unstable_by_key(|c| c.tsn.since(last_tsn));
        for Held { tsn, flags, stream, ssn, ppid, payload } in hold.chunks {
            self.waiting_charge = self.waiting_charge.saturating_sub(payload.len() + ENTRY_CHARGE);
            self.waiting_entries = self.waiting_entries.saturating_sub(1);
            self.assemble(&Data { flags, tsn, stream, ssn, ppid, payload: &payload });
        }
        self.reassembly.drop_headless(self.cumulative);
    }

    /// The peer reset its outgoing streams: theirs start again at SSN 0 (RFC 6525 section 5.2.2).
    pub(crate) fn reset(&mut self, streams: &[u16]) {
        for id in streams {
            if let Some(stream) = self.streams.get_mut(*id) {
                stream.next_ssn = Serial16(0);
                for (_, message) in core::mem::take(&mut stream.waiting) {
                    self.unwait(&message);
                }
            }
        }
        self.release_held();
    }

    /// Ids of the streams in use.
    pub(crate) fn used_streams(&mut self) -> Vec<u16> {
        self.streams.iter_mut().map(|(id, _)| id).collect()
    }

    pub(crate) fn gaps(&self) -> std::collections::vec_deque::Iter<'_, (Serial32, Serial32)> {
        self.received.iter()
    }
}
