//! Stream schedulers ([RFC 8260 section 3](https://www.rfc-editor.org/rfc/rfc8260#section-3)).
//!
//! Each stream with something to send stands in one heap under a key that its scheduler gave it; the least key is next.
//! A turn therefore costs the logarithm of the number of such streams, whatever is queued on them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Which stream's data goes next.
///
/// A turn is a chunk where messages are interleaved, else a whole message: fragments of a message have TSNs in a row then (RFC
/// 9260 section 6.9). With [`Fair`](Self::Fair) and [`WeightedFair`](Self::WeightedFair) it is more than a chunk on fast paths: as
/// much of one message as leaves within a millisecond and a sixteenth of the round trip (or 250 µs, where that is less), up to 64
/// KiB; not the first turn of a stream that had nothing to send, which comes before those of the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Scheduler {
    /// Messages leave in the order in which they were given to us (RFC 8260 section 3.1).
    FirstCome,
    /// Streams take turns (section 3.2).
    #[default]
    RoundRobin,
    /// The stream of the highest priority goes first; those of the same priority take turns (section 3.4).
    Priority,
    /// Every stream gets the same number of bytes (section 3.5).
    Fair,
    /// Every stream gets bytes in proportion to its priority, of which 0 counts as 1 (section 3.6).
    WeightedFair,
}

/// Bytes are counted so much finer, that weights of up to 65,535 divide them without loss.
const SCALE: u64 = 1 << 16;

/// Set in the turns of streams that had theirs.
const WAITED: u64 = 1 << 63;

/// Where a stream stands: the least goes first. Ties go to the lower second number.
type Key = (u64, u64);

/// What the scheduler keeps of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) priority: u16,
    /// Virtual time at which what it sent so far is paid for.
    paid: u64,
    /// It stands in the heap.
    pub(super) listed: bool,
    /// It had nothing to send, and had no turn since.
    fresh: bool,
}

impl Default for Share {
    fn default() -> Self {
        Self { priority: 256, paid: 0, listed: false, fresh: false }
    }
}

impl Share {
    /// As if nothing had been sent; the priority stays.
    pub(super) fn restart(&mut self) {
        *self = Self { priority: self.priority, ..Self::default() };
    }
}

#[derive(Debug, Default)]
pub(super) struct Turns {
    kind: Scheduler,
    heap: BinaryHeap<Reverse<(Key, u16)>>,
    /// Virtual time: when the turn of the stream that was served last began.
    now: u64,
    turn: u64,
    /// Bytes that one message may send in a turn; it sends a chunk in any case.
    most: u32,
    /// How much more the stream whose turn goes on may send, if one's does.
    left: u32,
    going_on: u16,
}

impl Turns {
    pub(super) fn kind(&self) -> Scheduler {
        self.kind
    }

    /// Another scheduler: every stream has to be listed anew.
    pub(super) fn restart(&mut self, kind: Scheduler) {
        *self = Self { kind, turn: self.turn, most: self.most, ..Self::default() };
    }

    /// The stream whose turn it is.
    pub(super) fn first(&self) -> Option<u16> {
        self.heap.peek().map(|Reverse((_, id))| *id)
    }

    /// Whether there is one stream, and no other.
    #[inline]
    pub(super) fn has_one(&self) -> bool {
        self.heap.len() == 1
    }

    /// Takes the first out.
    pub(super) fn remove_first(&mut self) {
        if self.heap.pop().is_some_and(|Reverse((_, id))| id == self.going_on) {
            self.left = 0;
        }
    }

    /// What a message may send in one turn, bytes. Who goes on with a message touches less memory than who goes round, at both
    /// ends.
    pub(super) fn set_most(&mut self, bytes: u32) {
        self.most = bytes;
    }

    #[inline]
    fn key(&mut self, share: &Share, message: u64) -> Key {
        self.turn += 1;
        match self.kind {
            // Before the others, in the order in which they come.
            Scheduler::Fair | Scheduler::WeightedFair if !share.fresh => (share.paid, self.turn | WAITED),
            Scheduler::FirstCome => (message, 0),
            Scheduler::RoundRobin => (self.turn, 0),
            Scheduler::Priority => (u64::from(u16::MAX - share.priority), self.turn),
            Scheduler::Fair | Scheduler::WeightedFair => (share.paid, self.turn),
        }
    }

    /// A stream that had nothing to send has a message now. What it did not use before is not saved up.
    pub(super) fn list(&mut self, id: u16, share: &mut Share, message: u64) {
        share.listed = true;
        share.fresh = share.paid <= self.now;
        share.paid = share.paid.max(self.now);
        let key = self.key(share, message);
        self.heap.push(Reverse((key, id)));
    }

    /// The first, which is `id`, sent `bytes`; its next message is number `message`, or it goes on with one that does not end
    /// here. `true`: it is the first again.
    #[inline]
    pub(super) fn served(&mut self, id: u16, share: &mut Share, bytes: usize, message: u64, ends: bool) -> bool {
        let left = self.account(id, share, bytes);
        if !ends && left > 0 {
            (self.left, self.going_on) = (left, id);
            return true;
        }
        let key = self.key(share, message);
        if let Some(mut first) = self.heap.peek_mut() {
            *first = Reverse((key, id));
        }
        self.has_one()
    }

    /// The first, which is `id`, sent `bytes`, and has no more.
    pub(super) fn finished(&mut self, id: u16, share: &mut Share, bytes: usize) {
        self.account(id, share, bytes);
        self.remove_first();
        share.listed = false;
    }

    /// Stream `id` sent `bytes` in its turn; gives how much more it may.
    #[inline]
    fn account(&mut self, id: u16, share: &mut Share, bytes: usize) -> u32 {
        let goes_on = self.left > 0 && self.going_on == id;
        let fair = matches!(self.kind, Scheduler::Fair | Scheduler::WeightedFair);
        let most = if fair && !share.fresh { self.most } else { 0 };
        let (began, left) = if goes_on { (self.now, self.left) } else { (share.paid, most) };
        if goes_on || !share.fresh {
            // Else it came in between, and the other's turn goes on after it.
            self.left = 0;
        }
        share.fresh = false;
        self.charge(share, bytes);
        // Who comes meanwhile goes before those that waited for this turn.
        self.now = began;
        left.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX))
    }

    /// A stream sent `bytes`.
    #[inline]
    pub(super) fn charge(&mut self, share: &mut Share, bytes: usize) {
        self.now = share.paid;
        let weight = match self.kind {
            Scheduler::WeightedFair => u64::from(share.priority.max(1)),
            _ => 1,
        };
        share.paid = share.paid.saturating_add((bytes as u64).saturating_mul(SCALE) / weight);
    }
}
