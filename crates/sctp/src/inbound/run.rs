//! Many small messages in one packet.
//!
//! What leaves together arrives together: a packet full of small messages of one stream, each whole and the next in order.
//! Such a run is taken in one step. Its messages share one buffer, as they would share the packet. They are handed out one
//! after the other and nothing else is in that buffer, so that what is held is never more than what is accounted for by
//! more than the messages of the run already handed out.

use weft_core::Serial32;

use super::fragment::Fragment;
use super::spares::Spares;
use super::{ENTRY_CHARGE, Inbound};
use crate::message::{Message, Part};
use crate::wire::packet::{CHUNK_HEADER_LEN, Chunks};
use crate::wire::{data, i_data, kind, padded};

/// A shared buffer is worth it from so many messages on.
const LEAST: usize = 3;
/// The most that are taken in one step.
const MOST: usize = 64;

/// A message in a run: its Payload Protocol Identifier, and where it begins and ends.
type Place = (u32, u32, u32);

/// What is found ahead.
struct Run {
    messages: [Place; MOST],
    count: usize,
    bytes: usize,
    /// Where the last message ends, and the next chunk begins.
    end: usize,
    next: usize,
}

impl Run {
    /// The whole messages in a row with which `chunks` begins.
    #[inline]
    fn find(first: &Fragment<'_>, interleaving: bool, chunks: &Chunks<'_>) -> Self {
        let mut run = Self { messages: [(0, 0, 0); MOST], count: 0, bytes: 0, end: 0, next: 0 };
        let (kind, header) =
            if interleaving { (kind::I_DATA, i_data::I_DATA_HEADER_LEN) } else { (kind::DATA, data::DATA_HEADER_LEN) };
        let all = if interleaving { u32::MAX } else { 0xFFFF };
        let (mut tsn, mut mid, mut ahead) = (first.tsn, first.mid, chunks.clone());
        for slot in &mut run.messages {
            let Some(chunk) = ahead.next().filter(|chunk| chunk.kind == kind) else { break };
            let Some(next) = Fragment::parse(&chunk) else { break };
            let follows = next.tsn == tsn && next.mid == mid && next.stream == first.stream;
            if !follows || !next.is_whole() || next.payload.is_empty() {
                break;
            }
            let (start, len) = (run.next + header, next.payload.len());
            run.end = start + len;
            run.next = start + padded(len);
            *slot = (next.ppid, start as u32, run.end as u32);
            run.count += 1;
            run.bytes += len;
            tsn = tsn.next();
            mid = Serial32(mid.next().0 & all);
        }
        run
    }
}

impl Inbound {
    /// Takes the run of messages with which `chunks` begins, if there is one, all of it is next in order, and there is room
    /// for it; gives how many they were, and what follows.
    #[inline]
    pub(crate) fn on_run<'d>(&mut self, first: &Fragment<'d>, chunks: &Chunks<'d>) -> Option<(usize, Chunks<'d>)> {
        let few = chunks.rest().len() < LEAST * (first.payload.len() + CHUNK_HEADER_LEN);
        if few || first.tsn != self.cumulative.next() || !self.received.is_empty() || self.hold.is_some() {
            return None;
        }
        self.take_run(first, chunks)
    }

    fn take_run<'d>(&mut self, first: &Fragment<'d>, chunks: &Chunks<'d>) -> Option<(usize, Chunks<'d>)> {
        let interleaving = self.interleaving;
        let id = first.stream;
        let room = self.window.limit.checked_sub(self.held())?;
        let entries = self.max_entries.checked_sub(self.entries())?;
        let stream = self.streams.get_mut(id).filter(|_| id < self.in_streams)?;
        if !stream.waiting.is_empty() || stream.number(interleaving, first.mid) != stream.next {
            return None;
        }
        let Run { messages, count, bytes, end, next } = Run::find(first, interleaving, chunks);
        let charge = bytes + count * ENTRY_CHARGE;
        if count < LEAST || charge > room || count > entries {
            return None;
        }
        stream.next = stream.next.plus(count as u32);
        self.cumulative = self.cumulative.plus(count as u32);
        self.ready_charge += charge;
        let content = chunks.rest().get(..end).unwrap_or_default();
        let block = Spares::copy_to_share(&mut self.spares, content);
        for &(ppid, start, end) in messages.get(..count).unwrap_or_default() {
            let (start, end) = (start as usize, end as usize);
            if start > end || end > block.len() {
                break; // cannot be: they were found there
            }
            let payload = block.slice(start..end);
            self.ready.push_back(Message { stream: id, ppid, ordered: true, part: Part::Whole, payload });
        }
        Some((count, chunks.after(next)))
    }
}
