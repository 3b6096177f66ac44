//! Handshake messages from fragments that come in any order, twice, or overlapping (RFC 6347 section 4.2.3).

use std::collections::VecDeque;

use crate::config::Limits;
use crate::event::Counters;
use crate::wire::{Fragment, HandshakeType};

/// A whole handshake message.
#[expect(clippy::struct_field_names, reason = "the names of RFC 6347 section 4.2.2")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    pub(crate) message_type: HandshakeType,
    pub(crate) message_seq: u16,
    /// The epoch its fragments came in: 0 means that anybody can have sent it.
    pub(crate) epoch: u16,
    pub(crate) body: Vec<u8>,
}

/// What a fragment was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    /// Part of a message still to come.
    Kept,
    /// Counted and dropped.
    Dropped,
    /// Part of a message that was handled before, with its number.
    Old(u16),
}

/// A message being put together.
struct Slot {
    message_type: HandshakeType,
    epoch: u16,
    body: Vec<u8>,
    /// One bit for each byte of `body` that is there.
    have: Vec<u64>,
    missing: usize,
    /// A fragment contradicted this one in type, length or epoch: either may be the forged one.
    contradicted: bool,
}

impl Slot {
    fn new(fragment: &Fragment<'_>, epoch: u16) -> Self {
        Self {
            message_type: fragment.message_type,
            epoch,
            body: vec![0; fragment.length],
            have: vec![0; fragment.length.div_ceil(64)],
            missing: fragment.length,
            contradicted: false,
        }
    }

    fn fits(&self, fragment: &Fragment<'_>, epoch: u16) -> bool {
        self.message_type == fragment.message_type && self.body.len() == fragment.length && self.epoch == epoch
    }

    /// Copies the bytes that are not there yet: the first to come stay.
    fn fill(&mut self, fragment: &Fragment<'_>) {
        for (at, byte) in (fragment.offset..).zip(fragment.body) {
            let (Some(word), Some(to)) = (self.have.get_mut(at / 64), self.body.get_mut(at)) else { return };
            let bit = 1_u64 << (at % 64);
            if *word & bit == 0 {
                *word |= bit;
                *to = *byte;
                self.missing -= 1;
            }
        }
    }
}

/// The message expected next, and a few after it.
pub(crate) struct Reassembly {
    /// Number of the message at the front of `slots`; beyond 2^16 - 1 when the last one has come.
    next: u32,
    slots: VecDeque<Option<Slot>>,
    bytes: usize,
    max_bytes: usize,
    max_messages: u16,
}

impl Reassembly {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self::starting_at(0, limits)
    }

    /// Expects the message with that number first.
    pub(crate) fn starting_at(next: u16, limits: &Limits) -> Self {
        Self {
            next: next.into(),
            slots: VecDeque::new(),
            bytes: 0,
            max_bytes: limits.reassembly_bytes,
            max_messages: limits.reassembly_messages.max(1),
        }
    }

    /// Takes in one fragment.
    pub(crate) fn insert(&mut self, fragment: &Fragment<'_>, epoch: u16, counters: &mut Counters) -> Taken {
        let Some(ahead) = u32::from(fragment.message_seq).checked_sub(self.next) else {
            counters.old_fragments += 1;
            return Taken::Old(fragment.message_seq);
        };
        // A fragment without bytes of a message that has some says nothing.
        let empty = fragment.body.is_empty() && fragment.length > 0;
        if ahead >= self.max_messages.into() || empty || fragment.length > self.max_bytes {
            counters.bad_fragments += 1;
            return Taken::Dropped;
        }
        let index = ahead as usize;
        while self.slots.len() <= index {
            self.slots.push_back(None);
        }
        if let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut)
            && !slot.fits(fragment, epoch)
        {
            counters.bad_fragments += 1;
            // What came under protection outweighs what did not.
            if epoch <= slot.epoch {
                slot.contradicted = true;
                return Taken::Dropped;
            }
            self.remove(index);
        }
        if self.slots.get(index).is_some_and(Option::is_none) {
            if !self.make_room(index, fragment.length) {
                counters.bad_fragments += 1;
                return Taken::Dropped;
            }
            self.bytes += fragment.length;
            if let Some(place) = self.slots.get_mut(index) {
                *place = Some(Slot::new(fragment, epoch));
            }
        }
        if let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) {
            slot.fill(fragment);
        }
        Taken::Kept
    }

    /// Makes room for a message of `length` by dropping later ones, which come again; never earlier ones.
    fn make_room(&mut self, index: usize, length: usize) -> bool {
        while self.bytes.saturating_add(length) > self.max_bytes {
            let Some(last) = self.slots.iter().rposition(Option::is_some).filter(|last| *last > index) else {
                return false;
            };
            self.remove(last);
        }
        true
    }

    fn remove(&mut self, index: usize) -> Option<Slot> {
        let slot = self.slots.get_mut(index)?.take()?;
        self.bytes = self.bytes.saturating_sub(slot.body.len());
        Some(slot)
    }

    /// Takes out the message expected next, if it is whole. [`advance`](Self::advance) then moves on; without that, the
    /// same number is expected again.
    pub(crate) fn take(&mut self) -> Option<Message> {
        self.slots.front()?.as_ref().filter(|slot| slot.missing == 0)?;
        let slot = self.remove(0)?;
        Some(Message {
            message_type: slot.message_type,
            message_seq: self.next as u16,
            epoch: slot.epoch,
            body: slot.body,
        })
    }

    /// Expects the message after the one that was taken. Numbers do not wrap: after the last one all are old.
    pub(crate) fn advance(&mut self) {
        self.next = self.next.saturating_add(1);
        self.slots.pop_front();
        if self.slots.is_empty() {
            // Between flights, and for good after the last, there is nothing to keep room for.
            self.slots = VecDeque::new();
        }
    }

    /// Drops messages that were contradicted, so that a forged fragment cannot hold the place of a true one for longer
    /// than until the peer sends its flight again.
    pub(crate) fn drop_contradicted(&mut self) {
        for index in 0..self.slots.len() {
            if self.slots.get(index).and_then(Option::as_ref).is_some_and(|slot| slot.contradicted) {
                self.remove(index);
            }
        }
    }

    /// Drops the message expected next if the fragment contradicts it.
    pub(crate) fn drop_others(&mut self, fragment: &Fragment<'_>) {
        if self.slots.front().and_then(Option::as_ref).is_some_and(|slot| !slot.fits(fragment, slot.epoch)) {
            self.remove(0);
        }
    }

    /// Drops what came ahead in epochs before `epoch`: the handshake has ended without.
    pub(crate) fn drop_before(&mut self, epoch: u16) {
        for index in 0..self.slots.len() {
            if self.slots.get(index).and_then(Option::as_ref).is_some_and(|slot| slot.epoch < epoch) {
                self.remove(index);
            }
        }
    }

    /// Number of the message expected next.
    pub(crate) fn next(&self) -> u32 {
        self.next
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests;
