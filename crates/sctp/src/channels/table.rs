//! The channels by handle and by stream.

use std::collections::{BTreeSet, VecDeque};

use super::event::{ChannelId, ChannelInit, ChannelPiece, ChannelState, CloseReason, MessageKind};
use crate::streams::StreamTable;

/// A message, or a piece of one, that waits to be read.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) piece: ChannelPiece,
    /// What it is charged against the receive window, bytes.
    pub(super) charged: usize,
}

/// A message being given in pieces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writing {
    pub(super) kind: MessageKind,
    /// Bytes so far.
    pub(super) len: u64,
    /// The association knows of it.
    pub(super) begun: bool,
}

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) init: ChannelInit,
    pub(super) incoming: bool,
    pub(super) stream: Option<u16>,
    pub(super) state: ChannelState,
    /// The ACK or a message came: unordered messages may go out unordered (RFC 8832 section 6).
    pub(super) acknowledged: bool,
    pub(super) received: VecDeque<Received>,
    /// Messages are read in pieces.
    pub(super) piecewise: bool,
    /// The message being given in pieces.
    pub(super) writing: Option<Writing>,
    /// It is to be told when everything was acknowledged.
    pub(super) finishing: bool,
    /// Nothing received matters any more.
    pub(super) aborted: bool,
    pub(super) outgoing_reset: bool,
    pub(super) incoming_reset: bool,
    pub(super) reason: CloseReason,
    /// A send was refused.
    pub(super) blocked: bool,
    pub(super) threshold: usize,
    /// It is of an association before this one, whose window its unread messages do not concern.
    pub(super) orphan: bool,
}

impl Channel {
    pub(super) fn new(init: ChannelInit, incoming: bool) -> Self {
        Self {
            acknowledged: incoming || init.negotiated.is_some(),
            stream: init.negotiated,
            init,
            incoming,
            state: ChannelState::Connecting,
            received: VecDeque::new(),
            piecewise: false,
            writing: None,
            finishing: false,
            aborted: false,
            outgoing_reset: false,
            incoming_reset: false,
            reason: CloseReason::Local,
            blocked: false,
            threshold: 0,
            orphan: false,
        }
    }
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    channel: Option<Channel>,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_stream: StreamTable<Option<ChannelId>>,
    /// Streams below `fresh` (by parity) that may be free again.
    freed: BTreeSet<u16>,
    /// The lowest stream of each parity never looked at.
    fresh: [u32; 2],
    pub(super) len: usize,
}

impl Table {
    pub(super) fn insert(&mut self, channel: Channel) -> ChannelId {
        let stream = channel.stream;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        let mut generation = 0;
        if let Some(entry) = self.slots.get_mut(slot as usize) {
            generation = entry.generation;
            entry.channel = Some(channel);
        }
        self.len += 1;
        let id = ChannelId { slot, generation };
        if let Some(stream) = stream {
            self.bind(id, stream);
        }
        id
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.slots.shrink_to_fit();
        self.free.shrink_to_fit();
    }

    pub(super) fn remove(&mut self, id: ChannelId) -> Option<Channel> {
        let slot = self.slots.get_mut(id.slot as usize).filter(|s| s.generation == id.generation)?;
        let channel = slot.channel.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        // A slot whose count is used up is left alone, so that no handle ever names two channels.
        if slot.generation != 0 {
            self.free.push(id.slot);
        }
        self.len -= 1;
        if let Some(stream) = channel.stream {
            self.unbind(id, stream);
        }
        Some(channel)
    }

    #[inline]
    pub(super) fn get(&self, id: ChannelId) -> Option<&Channel> {
        self.slots.get(id.slot as usize).filter(|s| s.generation == id.generation)?.channel.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.slots.get_mut(id.slot as usize).filter(|s| s.generation == id.generation)?.channel.as_mut()
    }

    #[inline]
    pub(super) fn on_stream(&self, stream: u16) -> Option<ChannelId> {
        *self.by_stream.get(stream)?
    }

    pub(super) fn bind(&mut self, id: ChannelId, stream: u16) {
        *self.by_stream.entry(stream) = Some(id);
        self.freed.remove(&stream);
        if let Some(channel) = self.get_mut(id) {
            channel.stream = Some(stream);
        }
    }

    /// The stream no longer belongs to the channel.
    pub(super) fn unbind(&mut self, id: ChannelId, stream: u16) {
        if let Some(entry) = self.by_stream.get_mut(stream)
            && *entry == Some(id)
        {
            *entry = None;
            self.freed.insert(stream);
        }
    }

    /// The lowest stream of `parity` below `end` that has no channel and is not `busy`. It looks at no stream twice but
    /// those given back, so that opening thousands costs no more each.
    pub(super) fn free_stream(&mut self, parity: u16, end: u16, busy: impl Fn(u16) -> bool) -> Option<u16> {
        let free = |stream: u16| self.by_stream.get(stream).copied().flatten().is_none() && !busy(stream);
        let again = self.freed.iter().copied().find(|s| s % 2 == parity && *s < end && free(*s));
        if let Some(stream) = again {
            return Some(stream);
        }
        let fresh = self.fresh.get(usize::from(parity))?;
        let mut next = *fresh * 2 + u32::from(parity);
        while next < u32::from(end) && !free(next as u16) {
            if self.by_stream.get(next as u16).copied().flatten().is_none() {
                self.freed.insert(next as u16);
            }
            next += 2;
        }
        if let Some(fresh) = self.fresh.get_mut(usize::from(parity)) {
            *fresh = next / 2;
        }
        (next < u32::from(end)).then_some(next as u16)
    }

    pub(super) fn ids(&self) -> Vec<ChannelId> {
        let slots = self.slots.iter().enumerate().filter(|(_, s)| s.channel.is_some());
        slots.map(|(n, s)| ChannelId { slot: n as u32, generation: s.generation }).collect()
    }
}
