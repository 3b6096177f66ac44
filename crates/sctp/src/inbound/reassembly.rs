//! Putting fragments together ([RFC 9260 section 6.9](https://www.rfc-editor.org/rfc/rfc9260#section-6.9)).
//!
//! Fragments of a message have TSNs in a row, so each message in the making is one or more spans of neighbouring TSNs.
//! In order, a fragment is appended to the span it continues: one copy into a buffer that grows by doubling, or is made
//! at once as long as the stream's last message was.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use weft_core::Serial32;

use super::ENTRY_CHARGE;
use super::fragment::Fragment;
use super::spares::Spares;
use crate::wire::data;

/// A buffer is made no longer than this on the mere hope of a message as long as the last.
const MAX_HINT: usize = 256 * 1024;

/// A list of parts with more room than this is not kept.
const KEPT_PARTS: usize = 8;

/// A message put together.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) stream: u16,
    pub(super) mid: Serial32,
    pub(super) ppid: u32,
    pub(super) unordered: bool,
    /// Part of it was handed out: this is the rest.
    pub(super) begun: bool,
    pub(super) payload: Bytes,
}

/// What a fragment came to.
#[derive(Debug)]
pub(super) enum Added {
    /// It completed a message.
    Whole(Whole),
    /// It is part of one in the making.
    Grown,
    /// It fits nowhere.
    Nothing,
}

/// Fragments with TSNs in a row that belong to one message.
#[derive(Debug)]
struct Span {
    first: Serial32,
    last: Serial32,
    /// [`data::BEGIN`] and [`data::END`] as far as seen, and [`data::UNORDERED`].
    flags: u8,
    stream: u16,
    mid: Serial32,
    ppid: u32,
    /// Bytes held.
    len: usize,
    /// Part of it was handed out.
    begun: bool,
    /// In order. Only loss makes more than one.
    parts: VecDeque<BytesMut>,
}

impl Span {
    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn charge(&self) -> usize {
        self.len + self.parts.len() * ENTRY_CHARGE
    }

    fn matches(&self, chunk: &Fragment<'_>) -> bool {
        let unordered = (self.flags ^ chunk.flags) & data::UNORDERED == 0;
        self.stream == chunk.stream && unordered && (self.has(data::UNORDERED) || self.mid == chunk.mid)
    }
}

#[derive(Debug, Default)]
pub(super) struct Reassembly {
    spans: VecDeque<Span>,
    /// Charged for all spans.
    pub(super) charge: usize,
    pub(super) entries: usize,
    longest: usize,
    /// An empty list, to be used again.
    spare: VecDeque<BytesMut>,
    /// Streams of messages thrown away of which part was handed out.
    pub(super) broken: Vec<u16>,
}

impl Reassembly {
    /// Charge of the span that ends at or before what was received in order: the one message being received in order.
    pub(super) fn in_order_charge(&self, cumulative: Serial32) -> usize {
        self.spans.front().filter(|s| s.first.precedes_or_is(cumulative)).map_or(0, Span::charge)
    }

    /// Parts of that span.
    pub(super) fn in_order_entries(&self, cumulative: Serial32) -> usize {
        self.spans.front().filter(|s| s.first.precedes_or_is(cumulative)).map_or(0, |s| s.parts.len())
    }

    /// Length of the longest message in the making that grew last.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    fn put_in(&mut self, at: usize, span: Span) {
        self.charge += span.charge();
        self.entries += span.parts.len();
        self.longest = span.len;
        self.spans.insert(at, span);
    }

    fn take_out(&mut self, at: usize) -> Option<Span> {
        let span = self.spans.remove(at)?;
        self.charge = self.charge.saturating_sub(span.charge());
        self.entries = self.entries.saturating_sub(span.parts.len());
        Some(span)
    }

    /// Adds a fragment where it is the next one of the only message in the making, neither its first nor its last, and that
    /// grows no larger than `most`. `false` where it is not.
    #[inline]
    pub(super) fn lengthen(&mut self, chunk: &Fragment<'_>, most: usize) -> bool {
        let only = self.spans.len() == 1;
        let Some(span) = self.spans.front_mut().filter(|_| only) else { return false };
        let len = span.len + chunk.payload.len();
        let open = span.flags & (data::BEGIN | data::END) == data::BEGIN;
        if !open || span.last.next() != chunk.tsn || !span.matches(chunk) || len > most {
            return false;
        }
        let Some(part) = span.parts.back_mut() else { return false };
        part.extend_from_slice(chunk.payload);
        span.len = len;
        span.last = chunk.tsn;
        self.charge += chunk.payload.len();
        self.longest = len;
        true
    }

    /// Adds a fragment that is not a whole message and was not there before; gives the message it completes.
    pub(super) fn add(&mut self, chunk: &Fragment<'_>, hint: usize, spares: &mut Option<Box<Spares>>) -> Added {
        let at = match self.spans.back() {
            Some(back) if back.last.precedes(chunk.tsn) => self.spans.len(),
            _ => self.spans.partition_point(|s| s.last.precedes(chunk.tsn)),
        };
        let begins = chunk.flags & data::BEGIN != 0;
        let ends = chunk.flags & data::END != 0;
        let continues = !begins
            && at
                .checked_sub(1)
                .and_then(|i| self.spans.get(i))
                .is_some_and(|s| s.last.next() == chunk.tsn && !s.has(data::END) && s.matches(chunk));
        let continued = !ends
            && self
                .spans
                .get(at)
                .is_some_and(|s| s.first == chunk.tsn.next() && !s.has(data::BEGIN) && s.matches(chunk));
        let here = if continues { self.append(at - 1, chunk) } else { self.start(at, chunk, continued, hint, spares) };
        if continues && continued {
            self.join(here);
        }
        if self.spans.get(here).is_some_and(|s| s.has(data::BEGIN) && s.has(data::END)) {
            return self.take_out(here).map_or(Added::Nothing, |span| Added::Whole(self.finish(span)));
        }
        Added::Grown
    }

    fn append(&mut self, at: usize, chunk: &Fragment<'_>) -> usize {
        if let Some(span) = self.spans.get_mut(at) {
            if let Some(part) = span.parts.back_mut() {
                part.extend_from_slice(chunk.payload);
            } else {
                span.parts.push_back(chunk.payload.into());
                self.charge += ENTRY_CHARGE;
                self.entries += 1;
            }
            span.len += chunk.payload.len();
            span.last = chunk.tsn;
            span.flags |= chunk.flags & data::END;
            self.charge += chunk.payload.len();
            self.longest = span.len;
        }
        at
    }

    fn start(
        &mut self,
        at: usize,
        chunk: &Fragment<'_>,
        continued: bool,
        hint: usize,
        spares: &mut Option<Box<Spares>>,
    ) -> usize {
        let len = chunk.payload.len();
        if continued {
            if let Some(mut span) = self.take_out(at) {
                span.parts.push_front(chunk.payload.into());
                span.len += len;
                span.first = chunk.tsn;
                span.flags |= chunk.flags & data::BEGIN;
                span.ppid = if chunk.flags & data::BEGIN != 0 { chunk.ppid } else { span.ppid };
                self.put_in(at, span);
            }
            return at;
        }
        // Only one at a time is hoped for: a peer that leaves holes gets no memory for it.
        let hope = chunk.flags & data::BEGIN != 0 && self.spans.is_empty();
        let expected = if hope { hint.min(MAX_HINT) } else { 0 };
        let mut part = Spares::buffer(spares, if expected >= len { expected } else { len.saturating_mul(2) });
        part.extend_from_slice(chunk.payload);
        let mut parts = core::mem::take(&mut self.spare);
        parts.push_back(part);
        self.put_in(
            at,
            Span {
                first: chunk.tsn,
                last: chunk.tsn,
                flags: chunk.flags & (data::BEGIN | data::END | data::UNORDERED),
                stream: chunk.stream,
                mid: chunk.mid,
                ppid: chunk.ppid,
                len,
                begun: false,
                parts,
            },
        );
        at
    }

    /// Joins the span at `at` with the one after it.
    fn join(&mut self, at: usize) {
        let Some(mut right) = self.take_out(at + 1) else { return };
        let Some(mut left) = self.take_out(at) else { return };
        left.last = right.last;
        left.len += right.len;
        left.flags |= right.flags & data::END;
        if right.parts.len() > left.parts.len() {
            while let Some(part) = left.parts.pop_back() {
                right.parts.push_front(part);
            }
            left.parts = right.parts;
        } else {
            left.parts.append(&mut right.parts);
        }
        self.put_in(at, left);
    }

    fn finish(&mut self, mut span: Span) -> Whole {
        let mut parts = core::mem::take(&mut span.parts);
        let payload = join_parts(span.len, &mut parts);
        if parts.capacity() <= KEPT_PARTS {
            self.spare = parts;
        }
        Whole {
            stream: span.stream,
            mid: span.mid,
            ppid: span.ppid,
            unordered: span.has(data::UNORDERED),
            begun: span.begun,
            payload,
        }
    }

    /// Hands out what came without a gap of an ordered message, and whether that is its beginning.
    pub(super) fn take_head(&mut self, stream: u16, mid: Serial32) -> Option<(u32, bool, Bytes)> {
        let span = self.spans.iter_mut().find(|s| {
            s.stream == stream && s.mid == mid && s.has(data::BEGIN) && !s.has(data::UNORDERED) && s.len > 0
        })?;
        self.charge = self.charge.saturating_sub(span.charge());
        self.entries = self.entries.saturating_sub(span.parts.len());
        let first = !core::mem::replace(&mut span.begun, true);
        Some((span.ppid, first, join_parts(core::mem::take(&mut span.len), &mut span.parts)))
    }

    /// Throws all away.
    pub(super) fn clear(&mut self) {
        while !self.spans.is_empty() {
            self.drop_out(0);
        }
    }

    /// Takes out a span that comes to nothing.
    fn drop_out(&mut self, at: usize) {
        if let Some(span) = self.take_out(at)
            && span.begun
        {
            self.broken.push(span.stream);
        }
    }

    /// Throws away what lies at the front without a beginning although everything before it was received: no message
    /// can come of it.
    pub(super) fn drop_headless(&mut self, cumulative: Serial32) {
        while self
            .spans
            .front()
            .is_some_and(|s| s.first.precedes_or_is(cumulative) && (!s.has(data::BEGIN) || s.last.precedes(cumulative)))
        {
            self.drop_out(0);
        }
    }

    /// Throws away messages that lack something at or before `tsn`. One that began before and has everything so far is
    /// still to be completed: the sender acknowledged pieces of it, and gave up only what lay before.
    pub(super) fn forget_through(&mut self, tsn: Serial32) {
        while self
            .spans
            .front()
            .is_some_and(|s| s.first.precedes_or_is(tsn) && (!s.has(data::BEGIN) || s.last.precedes(tsn)))
        {
            self.drop_out(0);
        }
    }
}

/// Empties `parts`, which hold `len` bytes.
fn join_parts(len: usize, parts: &mut VecDeque<BytesMut>) -> Bytes {
    match (parts.len(), parts.pop_front()) {
        (1, Some(part)) => Spares::freeze(part),
        (_, first) => {
            let mut all = Vec::with_capacity(len);
            for part in first.iter().chain(&*parts) {
                all.extend_from_slice(part);
            }
            parts.clear();
            Bytes::from(all)
        }
    }
}
