//! What left when.

use std::collections::VecDeque;

use weft_core::{Instant, Serial32};

use super::rate::Stamp;

/// A transmission with so many chunks takes no further packet.
const MAX_CHUNKS: u16 = 1 << 15;

/// Chunks with TSNs in a row that left in one packet.
#[derive(Clone, Debug)]
pub(crate) struct Transmission {
    pub(crate) first: Serial32,
    pub(crate) last: Serial32,
    /// Of these chunks, those in flight by this transmission.
    pub(crate) left: u16,
    /// What they took of the packet, bytes.
    pub(crate) bytes: u32,
    /// The chunks had been sent before.
    pub(crate) again: bool,
    pub(crate) sent: Instant,
    /// User bytes in flight once it had left.
    pub(crate) flight: u32,
    /// How far delivery was when it left.
    pub(crate) stamp: Stamp,
}

/// Every transmission from the oldest that still has a chunk in flight, in the order of leaving. They are numbered, so
/// that a chunk knows its own.
#[derive(Debug, Default)]
pub(crate) struct Transmissions {
    ring: VecDeque<Transmission>,
    /// Number of the first in the ring.
    base: u32,
}

impl Transmissions {
    /// Number the next transmission gets.
    #[inline]
    pub(crate) fn next(&self) -> u32 {
        self.base.wrapping_add(self.ring.len() as u32)
    }

    /// The last one, if `tsn` continues it and may be added to it.
    #[inline]
    pub(crate) fn extend(&mut self, tsn: Serial32, bytes: u32, again: bool, now: Instant) -> Option<u32> {
        let number = self.next().wrapping_sub(1);
        let last = self.ring.back_mut()?;
        if last.last.next() != tsn || last.again != again || last.sent != now || last.left >= MAX_CHUNKS {
            return None;
        }
        last.last = tsn;
        last.left += 1;
        last.bytes += bytes;
        Some(number)
    }

    /// So many more chunks, the last of them `tsn`, left with the chunk of the last transmission, and took so many bytes.
    pub(crate) fn extend_by(&mut self, count: usize, tsn: Serial32, bytes: usize) {
        if let Some(last) = self.ring.back_mut() {
            last.last = tsn;
            last.left += count as u16;
            last.bytes = last.bytes.saturating_add(bytes as u32);
        }
    }

    pub(crate) fn push(&mut self, transmission: Transmission) -> u32 {
        let number = self.next();
        self.ring.push_back(transmission);
        number
    }

    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&Transmission> {
        self.ring.get(number.wrapping_sub(self.base) as usize)
    }

    /// When the newest left.
    #[inline]
    pub(crate) fn last_sent(&self) -> Option<Instant> {
        self.ring.back().map(|t| t.sent)
    }

    /// Whether `number` left before `other`.
    pub(crate) fn before(number: u32, other: u32) -> bool {
        Serial32(number).precedes(Serial32(other))
    }

    /// `count` chunks of a transmission are no longer in flight by it.
    #[inline]
    pub(crate) fn leave(&mut self, number: u32, count: u16) {
        if let Some(transmission) = self.ring.get_mut(number.wrapping_sub(self.base) as usize) {
            transmission.left = transmission.left.saturating_sub(count);
        }
    }

    /// Forgets the oldest ones with nothing left in flight.
    #[inline]
    pub(crate) fn prune(&mut self) {
        while self.ring.front().is_some_and(|t| t.left == 0) {
            self.ring.pop_front();
            self.base = self.base.wrapping_add(1);
        }
    }

    /// Forgets the oldest ones with nothing left in flight, and gives the oldest that has.
    pub(crate) fn oldest(&mut self) -> Option<(u32, &Transmission)> {
        self.prune();
        Some((self.base, self.ring.front()?))
    }

    /// Nothing is in flight: forgets all.
    pub(crate) fn clear(&mut self) {
        self.base = self.next();
        self.ring.clear();
    }

    /// As [`clear`](Self::clear), and gives memory back.
    pub(crate) fn rest(&mut self) {
        self.base = self.next();
        self.ring = VecDeque::new();
    }
}
