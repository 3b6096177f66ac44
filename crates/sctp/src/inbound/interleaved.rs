//! Putting fragments of interleaved messages together
//! ([RFC 8260 section 2.2.3](https://www.rfc-editor.org/rfc/rfc8260#section-2.2.3)).
//!
//! A message is known by stream, order and Message Identifier; its fragments by their Fragment Sequence Number. What came
//! without a gap from the first on is one buffer, the rest waits by number. Messages in the making are kept in a slab; each
//! stream remembers where the one is that grew last, so that only its first and last fragments are looked up.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use weft_core::Serial32;

use super::ENTRY_CHARGE;
use super::fragment::Fragment;
use super::reassembly::{Added, Whole};
use super::spares::Spares;
use crate::wire::data;

/// What a message in the making is charged beside its bytes: as much as its bookkeeping may take.
const MESSAGE_CHARGE: usize = 512;

/// Stream, whether unordered, Message Identifier.
type Key = (u16, bool, u32);

/// A buffer is made no longer than this on the mere hope of a message as long as the last, and all of them together no
/// longer than that.
const MAX_HINT: usize = 256 * 1024;
const MAX_HOPES: usize = 1 << 20;

/// A slab longer than this gives its memory back when nothing is in it.
const KEPT_SLOTS: usize = 4;

/// A message in the making.
#[derive(Debug, Default)]
struct Partial {
    /// `None` where the slot is free.
    key: Option<Key>,
    ppid: u32,
    /// Fragments in `head` and before: the number of the first that is missing.
    next: u32,
    /// What came without a gap and was not handed out.
    head: BytesMut,
    /// Length of the buffer made in hope.
    hope: usize,
    /// Bytes held.
    len: usize,
    /// Number of the last fragment, once it came.
    end: Option<u32>,
    later: BTreeMap<u32, Vec<u8>>,
    /// Part of it was handed out.
    begun: bool,
}

impl Partial {
    fn charge(&self) -> usize {
        let later: usize = self.later.values().map(|p| p.len() + ENTRY_CHARGE).sum();
        MESSAGE_CHARGE + self.head.len() + later
    }

    #[inline]
    fn is_whole(&self) -> bool {
        self.end.is_some_and(|end| self.next == end.wrapping_add(1))
    }
}

#[derive(Debug, Default)]
pub(super) struct Interleaved {
    index: BTreeMap<Key, u32>,
    slab: Vec<Partial>,
    free: Vec<u32>,
    hopes: usize,
    pub(super) charge: usize,
    pub(super) entries: usize,
    /// Bytes held of the message that grew last.
    longest: usize,
}

impl Interleaved {
    #[inline]
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Where the message `key` is kept, made if need be.
    fn find(&mut self, key: Key) -> u32 {
        let Self { index, slab, free, .. } = self;
        *index.entry(key).or_insert_with(|| {
            self.charge += MESSAGE_CHARGE;
            self.entries += 1;
            let slot = free.pop().unwrap_or(slab.len() as u32);
            let made = Partial { key: Some(key), ..Partial::default() };
            match slab.get_mut(slot as usize) {
                Some(place) => *place = made,
                None => slab.push(made),
            }
            slot
        })
    }

    /// Adds a fragment where it is the next one of the message at `slot`, neither its first nor its last, and that grows no
    /// larger than `most`. `false` where it is not.
    #[inline]
    pub(super) fn append(&mut self, chunk: &Fragment<'_>, slot: u32, most: usize) -> bool {
        let unordered = chunk.flags & data::UNORDERED != 0;
        let Some(message) = self.slab.get_mut(slot as usize) else { return false };
        let len = message.len + chunk.payload.len();
        let next = message.key == Some((chunk.stream, unordered, chunk.mid.0)) && message.next == chunk.fsn;
        if !next || chunk.fsn == 0 || message.end.is_some() || !message.later.is_empty() || len > most {
            return false;
        }
        message.head.extend_from_slice(chunk.payload);
        message.next = message.next.wrapping_add(1);
        message.len = len;
        self.charge += chunk.payload.len();
        self.longest = len;
        true
    }

    /// Adds a fragment that is not a whole message. One that contradicts what came before is thrown away. `slot` is where
    /// the message may be, and `hint` how long.
    pub(super) fn add(
        &mut self,
        chunk: &Fragment<'_>,
        slot: &mut u32,
        hint: usize,
        spares: &mut Option<Box<Spares>>,
    ) -> Added {
        if chunk.flags & data::BEGIN == 0 && chunk.fsn == 0 {
            return Added::Nothing; // number 0 is the beginning's
        }
        let unordered = chunk.flags & data::UNORDERED != 0;
        let key = (chunk.stream, unordered, chunk.mid.0);
        if self.slab.get(*slot as usize).is_none_or(|message| message.key != Some(key)) {
            *slot = self.find(key);
        }
        let Some(message) = self.slab.get_mut(*slot as usize) else { return Added::Nothing };
        let number = chunk.fsn;
        let ends = chunk.flags & data::END != 0;
        let known = number < message.next || message.later.contains_key(&number);
        let beyond = message.end.is_some_and(|end| number > end || ends);
        let too_early = ends && message.later.last_key_value().is_some_and(|(last, _)| *last > number);
        if known || beyond || too_early {
            return Added::Nothing;
        }
        if chunk.flags & data::BEGIN != 0 {
            message.ppid = chunk.ppid;
            if message.hope == 0 && self.hopes < MAX_HOPES {
                message.hope = hint.min(MAX_HINT);
                self.hopes += message.hope;
                message.head = Spares::buffer(spares, message.hope);
            }
        }
        if ends {
            message.end = Some(number);
        }
        message.len += chunk.payload.len();
        self.charge += chunk.payload.len();
        if number == message.next {
            message.head.extend_from_slice(chunk.payload);
            message.next = number.wrapping_add(1);
            while let Some(entry) = message.later.first_entry().filter(|e| *e.key() == message.next) {
                message.head.extend_from_slice(&entry.remove());
                message.next = message.next.wrapping_add(1);
                self.charge = self.charge.saturating_sub(ENTRY_CHARGE);
                self.entries = self.entries.saturating_sub(1);
            }
        } else {
            message.later.insert(number, chunk.payload.to_vec());
            self.charge += ENTRY_CHARGE;
            self.entries += 1;
        }
        self.longest = message.len;
        if !message.is_whole() {
            return Added::Grown;
        }
        match self.take_out(key) {
            Some(message) => Added::Whole(Whole {
                stream: chunk.stream,
                mid: chunk.mid,
                ppid: message.ppid,
                unordered,
                begun: message.begun,
                payload: Spares::freeze(message.head),
            }),
            None => Added::Nothing,
        }
    }

    /// Hands out what came without a gap of an ordered message, and whether that is its beginning.
    pub(super) fn take_head(&mut self, stream: u16, mid: Serial32) -> Option<(u32, bool, Bytes)> {
        let slot = *self.index.get(&(stream, false, mid.0))?;
        let message = self.slab.get_mut(slot as usize).filter(|m| !m.head.is_empty())?;
        let head = core::mem::take(&mut message.head);
        self.charge = self.charge.saturating_sub(head.len());
        message.len -= head.len();
        let first = !core::mem::replace(&mut message.begun, true);
        Some((message.ppid, first, Spares::freeze(head)))
    }

    fn take_out(&mut self, key: Key) -> Option<Partial> {
        let slot = self.index.remove(&key)?;
        let message = core::mem::take(self.slab.get_mut(slot as usize)?);
        self.hopes = self.hopes.saturating_sub(message.hope);
        self.charge = self.charge.saturating_sub(message.charge());
        self.entries = self.entries.saturating_sub(1 + message.later.len());
        if self.index.is_empty() && self.slab.len() > KEPT_SLOTS {
            (self.slab, self.free) = (Vec::new(), Vec::new());
        } else {
            self.free.push(slot);
        }
        Some(message)
    }

    /// Throws away the messages of a stream up to `mid`; says whether one of them was begun to be handed out.
    pub(super) fn forget(&mut self, stream: u16, unordered: bool, mid: Serial32) -> bool {
        let of_stream = self.index.range((stream, unordered, 0)..=(stream, unordered, u32::MAX));
        let skipped: Vec<Key> = of_stream.map(|(key, _)| *key).filter(|k| Serial32(k.2).precedes_or_is(mid)).collect();
        let mut begun = false;
        for key in skipped {
            begun |= self.take_out(key).is_some_and(|m| m.begun);
        }
        begun
    }

    /// Throws away all messages of a stream, which was reset; says whether one of them was begun to be handed out.
    pub(super) fn forget_stream(&mut self, stream: u16) -> bool {
        let of_stream = self.index.range((stream, false, 0)..=(stream, true, u32::MAX));
        let keys: Vec<Key> = of_stream.map(|(key, _)| *key).collect();
        let mut begun = false;
        for key in keys {
            begun |= self.take_out(key).is_some_and(|m| m.begun);
        }
        begun
    }
}
