//! Messages waiting to be sent, by stream.
//!
//! Streams with something to send take turns, a message each, so that a message's cost depends neither on how much is
//! queued nor on how many streams there are. A message once begun is finished first: without interleaving its fragments
//! must have TSNs in a row (RFC 9260 section 6.9).

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use weft_core::{Instant, Serial16};

use super::Piece;
use crate::streams::StreamTable;
use crate::wire::{Data, data};

/// A piece is cut to fill up a packet only when at least this many bytes go in.
const MIN_CUT: usize = 256;

/// A message on its way out.
#[derive(Debug)]
pub(crate) struct OutMessage {
    pub(crate) payload: Bytes,
    pub(crate) ppid: u32,
    pub(crate) ordered: bool,
    pub(crate) counted: bool,
    /// Retransmissions allowed; `u16::MAX` for any number.
    pub(crate) max_retransmits: u16,
    /// Given up from then on.
    pub(crate) expires: Instant,
    /// Part of it was sent.
    pub(crate) begun: bool,
}

#[derive(Debug, Default)]
struct OutStream {
    next_ssn: Serial16,
    queue: VecDeque<OutMessage>,
    /// Counted bytes in the queue.
    counted: usize,
    threshold: usize,
    listed: bool,
    /// A reset was asked for: nothing new is taken until it is done.
    resetting: bool,
}

#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    streams: StreamTable<OutStream>,
    /// Streams with something to send; the front one's turn it is.
    ready: VecDeque<u16>,
    pub(crate) bytes: usize,
    pub(crate) messages: usize,
    /// Streams whose buffered amount fell to the threshold.
    pub(crate) low: VecDeque<u16>,
    pub(crate) expired: u64,
}

impl SendQueue {
    pub(crate) fn push(&mut self, id: u16, message: OutMessage) {
        let len = message.payload.len();
        self.bytes += len;
        self.messages += 1;
        let stream = self.streams.entry(id);
        if message.counted {
            stream.counted += len;
        }
        stream.queue.push_back(message);
        if !stream.listed {
            stream.listed = true;
            self.ready.push_back(id);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Removes messages at the front that expired unsent.
    pub(crate) fn drop_expired(&mut self, now: Instant) {
        while let Some(&id) = self.ready.front() {
            let front = self.streams.get(id).and_then(|s| s.queue.front());
            if front.is_none_or(|m| m.begun || m.expires > now) {
                break;
            }
            self.expired += 1;
            self.drop_front(id);
        }
    }

    /// Removes the message at the front of stream `id`, wholly.
    fn drop_front(&mut self, id: u16) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let Some(message) = stream.queue.pop_front() else { return };
        if message.begun && message.ordered {
            stream.next_ssn = stream.next_ssn.next();
        }
        let len = message.payload.len();
        self.bytes -= len;
        self.messages -= 1;
        if message.counted {
            Self::count_down(&mut self.low, id, stream, len);
        }
        self.next_turn(id);
    }

    /// The rest of a message whose sent part was given up.
    pub(crate) fn drop_begun(&mut self, id: u16) {
        if self.streams.get(id).and_then(|s| s.queue.front()).is_some_and(|m| m.begun) {
            self.drop_front(id);
        }
    }

    /// The front stream finished a message.
    fn next_turn(&mut self, id: u16) {
        if self.ready.front() != Some(&id) {
            return;
        }
        self.ready.pop_front();
        if let Some(stream) = self.streams.get_mut(id) {
            stream.listed = !stream.queue.is_empty();
            if stream.listed {
                self.ready.push_back(id);
            }
        }
    }

    fn count_down(low: &mut VecDeque<u16>, id: u16, stream: &mut OutStream, len: usize) {
        let before = stream.counted;
        stream.counted = before.saturating_sub(len);
        if before > stream.threshold && stream.counted <= stream.threshold {
            low.push_back(id);
        }
    }

    /// The next chunk's worth for a packet with `room` bytes left, where an empty packet holds `whole`; `fresh` when no
    /// DATA is in it yet.
    pub(crate) fn next_piece(&mut self, room: usize, whole: usize, fresh: bool) -> Option<Piece> {
        let id = *self.ready.front()?;
        let stream = self.streams.get_mut(id)?;
        let message = stream.queue.front_mut()?;
        let (left, room) = (message.payload.len(), (room & !3).checked_sub(data::DATA_HEADER_LEN)?);
        let whole = (whole & !3).saturating_sub(data::DATA_HEADER_LEN);
        let len = if left <= room {
            left
        } else if room >= MIN_CUT.min(whole) && (fresh || left > whole) {
            room
        } else {
            return None;
        };
        let mut flags = if message.ordered { 0 } else { data::UNORDERED };
        if !message.begun {
            flags |= data::BEGIN;
        }
        message.begun = true;
        let mut piece = Piece {
            payload: Bytes::new(),
            ppid: message.ppid,
            stream: id,
            ssn: if message.ordered { stream.next_ssn } else { Serial16(0) },
            flags,
            max_retransmits: message.max_retransmits,
            expires: message.expires,
        };
        let counted = message.counted;
        if len == left {
            piece.flags |= data::END;
            piece.payload = core::mem::take(&mut message.payload);
            if message.ordered {
                stream.next_ssn = stream.next_ssn.next();
            }
            stream.queue.pop_front();
            self.messages -= 1;
        } else {
            piece.payload = message.payload.slice(..len);
            message.payload.advance(len);
        }
        self.bytes -= len;
        if counted {
            Self::count_down(&mut self.low, id, stream, len);
        }
        if piece.flags & data::END != 0 {
            self.next_turn(id);
        }
        Some(piece)
    }

    /// Whether the message whose turn it is was begun and has expired since.
    pub(crate) fn begun_expired(&self, now: Instant) -> bool {
        let front = self.ready.front().and_then(|id| self.streams.get(*id)).and_then(|s| s.queue.front());
        front.is_some_and(|m| m.begun && m.expires <= now)
    }

    /// Wire length of the least the next chunk can be, or 0 when there is none.
    pub(crate) fn wants(&self, whole: usize) -> usize {
        let front = self.ready.front().and_then(|id| self.streams.get(*id)).and_then(|s| s.queue.front());
        front.map_or(0, |m| Data::wire_len(m.payload.len()).min(whole))
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
            self.low.push_back(id);
        }
    }

    pub(crate) fn is_resetting(&self, id: u16) -> bool {
        self.streams.get(id).is_some_and(|s| s.resetting)
    }

    pub(crate) fn set_resetting(&mut self, id: u16, on: bool) {
        self.streams.entry(id).resetting = on;
    }

    /// The stream was reset: SSNs start again (RFC 6525 section 5.2.7 H4).
    pub(crate) fn reset(&mut self, id: u16) {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.resetting = false;
            stream.next_ssn = Serial16(0);
            stream.threshold = 0;
        }
    }

    /// Throws everything away.
    pub(crate) fn clear(&mut self) {
        self.streams.clear();
        self.ready.clear();
        self.low.clear();
        self.bytes = 0;
        self.messages = 0;
    }

    pub(crate) fn used_streams(&mut self) -> Vec<u16> {
        self.streams.iter_mut().map(|(id, _)| id).collect()
    }
}
