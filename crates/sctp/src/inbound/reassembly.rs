//! Putting fragments together ([RFC 9260 section 6.9](https://www.rfc-editor.org/rfc/rfc9260#section-6.9)).
//!
//! Fragments of a message have TSNs in a row, so each message in the making is one or more spans of neighbouring TSNs.
//! In order, a fragment is appended to the span it continues: one copy into a buffer that grows by doubling, or is made
//! at once as long as the stream's last message was.

use std::collections::VecDeque;

use bytes::Bytes;
use weft_core::{Serial16, Serial32};

use super::ENTRY_CHARGE;
use crate::wire::{Data, data};

/// A buffer is made no longer than this on the mere hope of a message as long as the last.
const MAX_HINT: usize = 256 * 1024;

/// A message put together.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) stream: u16,
    pub(super) ssn: Serial16,
    pub(super) ppid: u32,
    pub(super) unordered: bool,
    pub(super) payload: Bytes,
}

/// Fragments with TSNs in a row that belong to one message.
#[derive(Debug)]
struct Span {
    first: Serial32,
    last: Serial32,
    /// [`data::BEGIN`] and [`data::END`] as far as seen, and [`data::UNORDERED`].
    flags: u8,
    stream: u16,
    ssn: Serial16,
    ppid: u32,
    len: usize,
    /// In order. Only loss makes more than one.
    parts: VecDeque<Vec<u8>>,
}

impl Span {
    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn charge(&self) -> usize {
        self.len + self.parts.len() * ENTRY_CHARGE
    }

    fn matches(&self, chunk: &Data<'_>) -> bool {
        let unordered = (self.flags ^ chunk.flags) & data::UNORDERED == 0;
        self.stream == chunk.stream && unordered && (self.has(data::UNORDERED) || self.ssn == chunk.ssn)
    }
}

#[derive(Debug, Default)]
pub(super) struct Reassembly {
    spans: VecDeque<Span>,
    /// Charged for all spans.
    pub(super) charge: usize,
    pub(super) entries: usize,
    longest: usize,
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

    /// Adds a fragment that is not a whole message and was not there before; gives the message it completes.
    pub(super) fn add(&mut self, chunk: &Data<'_>, hint: usize) -> Option<Whole> {
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
        let here = if continues { self.append(at - 1, chunk) } else { self.start(at, chunk, continued, hint) };
        if continues && continued {
            self.join(here);
        }
        let span = self.spans.get(here)?;
        if span.has(data::BEGIN) && span.has(data::END) {
            return self.take_out(here).map(finish);
        }
        None
    }

    fn append(&mut self, at: usize, chunk: &Data<'_>) -> usize {
        if let Some(span) = self.spans.get_mut(at) {
            if let Some(part) = span.parts.back_mut() {
                part.extend_from_slice(chunk.payload);
            }
            span.len += chunk.payload.len();
            span.last = chunk.tsn;
            span.flags |= chunk.flags & data::END;
            self.charge += chunk.payload.len();
            self.longest = span.len;
        }
        at
    }

    fn start(&mut self, at: usize, chunk: &Data<'_>, continued: bool, hint: usize) -> usize {
        let len = chunk.payload.len();
        if continued {
            if let Some(mut span) = self.take_out(at) {
                span.parts.push_front(chunk.payload.to_vec());
                span.len += len;
                span.first = chunk.tsn;
                span.flags |= chunk.flags & data::BEGIN;
                span.ppid = if chunk.flags & data::BEGIN != 0 { chunk.ppid } else { span.ppid };
                self.put_in(at, span);
            }
            return at;
        }
        let expected = if chunk.flags & data::BEGIN != 0 { hint.min(MAX_HINT) } else { 0 };
        let mut part = Vec::with_capacity(expected.max(len.saturating_mul(2)));
        part.extend_from_slice(chunk.payload);
        self.put_in(
            at,
            Span {
                first: chunk.tsn,
                last: chunk.tsn,
                flags: chunk.flags & (data::BEGIN | data::END | data::UNORDERED),
                stream: chunk.stream,
                ssn: chunk.ssn,
                ppid: chunk.ppid,
                len,
                parts: VecDeque::from([part]),
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

    /// Throws away what lies at the front without a beginning although everything before it was received: no message
    /// can come of it.
    pub(super) fn drop_headless(&mut self, cumulative: Serial32) {
        while self
            .spans
            .front()
            .is_some_and(|s| s.first.precedes_or_is(cumulative) && (!s.has(data::BEGIN) || s.last.precedes(cumulative)))
        {
            self.take_out(0);
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
            self.take_out(0);
        }
    }
}

fn finish(mut span: Span) -> Whole {
    let payload = match (span.parts.len(), span.parts.pop_front()) {
        (1, Some(mut part)) => {
            // A buffer half empty would be held as long as the message is.
            if part.capacity() > part.len() + part.len() / 2 {
                part.shrink_to_fit();
            }
            part
        }
        (_, first) => {
            let mut all = Vec::with_capacity(span.len);
            for part in first.iter().chain(&span.parts) {
                all.extend_from_slice(part);
            }
            all
        }
    };
    Whole {
        stream: span.stream,
        ssn: span.ssn,
        ppid: span.ppid,
        unordered: span.flags & data::UNORDERED != 0,
        payload: Bytes::from(payload),
    }
}
