//! Messages in the order of their streams ([RFC 9260 section 6.6](https://www.rfc-editor.org/rfc/rfc9260#section-6.6)).

use bytes::Bytes;
use weft_core::Serial32;

use super::fragment::Fragment;
use super::reassembly::{Added, Whole};
use super::spares::Spares;
use super::{ENTRY_CHARGE, Held, Hold, InStream, Inbound};
use crate::message::{Message, Part};
use crate::wire::data;

impl InStream {
    /// The number of an ordered message, given what its chunk says: of the numbers with this lower half, the one nearest
    /// to the next, where that is all a chunk carries.
    #[inline]
    pub(super) fn number(&self, interleaving: bool, mid: Serial32) -> Serial32 {
        if interleaving {
            return mid;
        }
        let ahead = (mid.0 as u16).wrapping_sub(self.next.0 as u16);
        Serial32(self.next.0.wrapping_add_signed(i32::from(ahead.cast_signed())))
    }

    /// What the chunks of the next message say.
    fn next_mid(&self, interleaving: bool) -> Serial32 {
        if interleaving { self.next } else { Serial32(self.next.0 & 0xFFFF) }
    }
}

impl Inbound {
    pub(super) fn assemble(&mut self, chunk: &Fragment<'_>) {
        const WHOLE: u8 = data::BEGIN | data::END;
        let unordered = chunk.flags & data::UNORDERED != 0;
        if chunk.flags & WHOLE == WHOLE {
            let payload = Spares::copy(&mut self.spares, chunk.payload);
            return self.order(Whole {
                stream: chunk.stream,
                mid: chunk.mid,
                ppid: chunk.ppid,
                unordered,
                begun: false,
                payload,
            });
        }
        if !self.interleaving {
            let hint = self.streams.get(chunk.stream).map_or(0, |s| s.last_len);
            let added = self.reassembly.get_or_insert_default().add(chunk, hint, &mut self.spares);
            return self.on_added(chunk, unordered, added);
        }
        let stream = self.streams.entry(chunk.stream);
        let past = if unordered {
            stream.skipped.is_some_and(|last| chunk.mid.precedes_or_is(last))
        } else {
            chunk.mid.precedes(stream.next)
        };
        if past {
            return; // of a message that was delivered or given up
        }
        let added =
            self.interleaved.get_or_insert_default().add(chunk, &mut stream.making, stream.last_len, &mut self.spares);
        if stream.piecewise || !matches!(added, Added::Grown) {
            self.on_added(chunk, unordered, added);
        }
    }

    fn on_added(&mut self, chunk: &Fragment<'_>, unordered: bool, added: Added) {
        match added {
            Added::Whole(whole) => {
                let (stream, len) = (self.streams.entry(chunk.stream), whole.payload.len());
                // A short one among long ones is soon forgotten.
                stream.last_len = len.max(stream.last_len - stream.last_len / 8);
                self.order(whole);
            }
            Added::Grown if !unordered => self.hand_out(chunk.stream, Some(chunk.mid)),
            Added::Grown | Added::Nothing => {}
        }
    }

    /// Hands out the beginning of the next message of a stream that is read in pieces; with `mid` only if it is that one.
    fn hand_out(&mut self, id: u16, mid: Option<Serial32>) {
        let Some(stream) = self.streams.get(id).filter(|s| s.piecewise) else { return };
        let next = stream.next_mid(self.interleaving);
        if mid.is_some_and(|mid| mid != next) {
            return;
        }
        let head = match (&mut self.interleaved, &mut self.reassembly) {
            (Some(interleaved), _) => interleaved.take_head(id, next),
            (None, Some(spans)) => spans.take_head(id, next),
            (None, None) => None,
        };
        if let Some((ppid, first, payload)) = head {
            let part = if first { Part::First } else { Part::Next };
            self.make_ready(Message { stream: id, ppid, ordered: true, part, payload });
        }
    }

    /// Whether messages of a stream are handed out in pieces.
    pub(crate) fn set_piecewise(&mut self, id: u16, on: bool) {
        self.streams.entry(id).piecewise = on;
        self.hand_out(id, None);
    }

    /// A message handed out in part will not be completed.
    pub(super) fn break_off(&mut self, id: u16) {
        let message = Message { stream: id, ppid: 0, ordered: true, part: Part::Abandoned, payload: Bytes::new() };
        self.make_ready(message);
    }

    /// Throws away beginnings that are missing for good.
    pub(super) fn drop_headless(&mut self) {
        let Some(spans) = &mut self.reassembly else { return };
        spans.drop_headless(self.cumulative);
        for id in core::mem::take(&mut spans.broken) {
            self.break_off(id);
        }
    }

    fn order(&mut self, whole: Whole) {
        let Whole { stream: id, mid, ppid, unordered, begun, payload } = whole;
        let part = if begun { Part::Last } else { Part::Whole };
        let message = Message { stream: id, ppid, ordered: !unordered, part, payload };
        let interleaving = self.interleaving;
        let stream = self.streams.entry(id);
        if unordered {
            // Numbers are told apart only within half the circle: what was given up long ago must not look new.
            if interleaving && stream.skipped.is_some_and(|last| mid.since(last) > 1 << 30 && mid.follows(last)) {
                stream.skipped = Some(mid.minus(1 << 30));
            }
            return self.make_ready(message);
        }
        let number = stream.number(interleaving, mid);
        if stream.next == number {
            stream.next = stream.next.next();
            let more = stream.piecewise || !stream.waiting.is_empty();
            self.make_ready(message);
            if more {
                self.release(id);
            }
        } else if number.follows(stream.next) {
            let at = stream.waiting.partition_point(|(waiting, _)| waiting.precedes(number));
            if stream.waiting.get(at).is_some_and(|(waiting, _)| *waiting == number) {
                return; // two messages of one number: the second is no message
            }
            self.waiting_charge += message.payload.len() + ENTRY_CHARGE;
            self.waiting_entries += 1;
            stream.waiting.insert(at, (number, message));
        }
    }

    /// Moves what waits on `id` and is next in turn to the application.
    pub(super) fn release(&mut self, id: u16) {
        while let Some(stream) = self.streams.get_mut(id) {
            match stream.waiting.front() {
                Some((number, _)) if *number == stream.next => {}
                _ => break,
            }
            stream.next = stream.next.next();
            if let Some((_, message)) = stream.waiting.pop_front() {
                self.unwait(&message);
                self.make_ready(message);
            }
        }
        self.hand_out(id, None);
    }

    pub(super) fn unwait(&mut self, message: &Message) {
        self.waiting_charge = self.waiting_charge.saturating_sub(message.payload.len() + ENTRY_CHARGE);
        self.waiting_entries = self.waiting_entries.saturating_sub(1);
    }

    #[inline]
    pub(super) fn make_ready(&mut self, message: Message) {
        self.ready_charge += message.payload.len() + ENTRY_CHARGE;
        self.ready.push_back(message);
    }

    /// All ordered messages of a stream up to `mid` are skipped; those that waited for them are not.
    pub(super) fn skip_ordered(&mut self, id: u16, mid: Serial32) {
        let interleaving = self.interleaving;
        let stream = self.streams.entry(id);
        let number = stream.number(interleaving, mid);
        if number.precedes(stream.next) {
            return;
        }
        stream.next = number.next();
        if self.interleaved.as_mut().is_some_and(|i| i.forget(id, false, mid)) {
            self.break_off(id);
        }
        while let Some(stream) = self.streams.get_mut(id) {
            if stream.waiting.front().is_none_or(|(waiting, _)| waiting.follows(number)) {
                break;
            }
            if let Some((_, message)) = stream.waiting.pop_front() {
                self.unwait(&message);
                self.make_ready(message);
            }
        }
        self.release(id);
    }

    /// All unordered messages of a stream up to `mid` are skipped.
    pub(super) fn skip_unordered(&mut self, id: u16, mid: Serial32) {
        let stream = self.streams.entry(id);
        if stream.skipped.is_none_or(|last| mid.follows(last)) {
            stream.skipped = Some(mid);
            if let Some(interleaved) = &mut self.interleaved {
                interleaved.forget(id, true, mid);
            }
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

    pub(super) fn hold(&mut self, chunk: &Fragment<'_>) -> bool {
        let Some(hold) = &mut self.hold else { return false };
        if !chunk.tsn.follows(hold.last_tsn) || hold.streams.binary_search(&chunk.stream).is_err() {
            return false;
        }
        let Fragment { tsn, flags, stream, mid, fsn, ppid, payload } = *chunk;
        self.waiting_charge += payload.len() + ENTRY_CHARGE;
        self.waiting_entries += 1;
        hold.chunks.push(Held { tsn, flags, stream, mid, fsn, ppid, payload: Bytes::copy_from_slice(payload) });
        true
    }

    /// What was held goes its way.
    pub(crate) fn release_held(&mut self) {
        let Some(mut hold) = self.hold.take() else { return };
        let last_tsn = hold.last_tsn;
        hold.chunks.sort_unstable_by_key(|c| c.tsn.since(last_tsn));
        for Held { tsn, flags, stream, mid, fsn, ppid, payload } in hold.chunks {
            self.waiting_charge = self.waiting_charge.saturating_sub(payload.len() + ENTRY_CHARGE);
            self.waiting_entries = self.waiting_entries.saturating_sub(1);
            self.assemble(&Fragment { tsn, flags, stream, mid, fsn, ppid, payload: &payload });
        }
        self.drop_headless();
    }

    /// The peer reset its outgoing streams: theirs start again at number 0 (RFC 6525 section 5.2.2, RFC 8260 section
    /// 2.3.2).
    pub(crate) fn reset(&mut self, streams: &[u16]) {
        for id in streams {
            if let Some(stream) = self.streams.get_mut(*id) {
                stream.piecewise = false;
            }
        }
        self.restart_streams(streams);
        self.release_held();
    }

    fn restart_streams(&mut self, streams: &[u16]) {
        for id in streams {
            if let Some(stream) = self.streams.get_mut(*id) {
                stream.next = Serial32(0);
                stream.skipped = None;
                for (_, message) in core::mem::take(&mut stream.waiting) {
                    self.unwait(&message);
                }
            }
            if self.interleaved.as_mut().is_some_and(|i| i.forget_stream(*id)) {
                self.break_off(*id);
            }
        }
    }

    /// The peer may send on so many streams.
    pub(crate) fn set_streams(&mut self, count: u16) {
        self.in_streams = count;
    }

    /// The peer's next TSN, after which all streams start again (RFC 6525 section 5.2.4, G4 and G5).
    pub(crate) fn restart_at(&mut self, tsn: Serial32) {
        self.release_held();
        for id in self.used_streams() {
            while let Some(number) = self.streams.get(id).and_then(|s| s.waiting.front()).map(|w| w.0) {
                let mid = if self.interleaving { number } else { Serial32(number.0 & 0xFFFF) };
                self.skip_ordered(id, mid.previous());
            }
        }
        self.cumulative = tsn.previous();
        self.ack.forget_earlier();
        self.received.clear();
        if let Some(spans) = &mut self.reassembly {
            spans.clear();
        }
        let streams = self.used_streams();
        self.restart_streams(&streams);
        self.drop_headless();
    }
}
