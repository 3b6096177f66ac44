//! Epochs: key material with the counters that belong to it.

use weft_core::Spent;

use super::protection::Protection;
use super::replay::ReplayWindow;

/// The last sequence number of an epoch: 48 bits, and no wrapping (RFC 6347 section 4.1).
const MAX_SEQUENCE: u64 = (1 << 48) - 1;

/// One epoch's receiving half.
pub(crate) struct ReadEpoch {
    pub(crate) epoch: u16,
    pub(crate) protection: Protection,
    pub(crate) window: ReplayWindow,
    /// Records that failed to authenticate.
    pub(crate) forged: u64,
}

impl ReadEpoch {
    pub(crate) fn new(epoch: u16, protection: Protection) -> Self {
        Self { epoch, protection, window: ReplayWindow::default(), forged: 0 }
    }
}

/// One epoch's sending half.
pub(crate) struct WriteEpoch {
    pub(crate) epoch: u16,
    pub(crate) protection: Protection,
    next_sequence: u64,
}

impl WriteEpoch {
    pub(crate) fn new(epoch: u16, protection: Protection) -> Self {
        Self { epoch, protection, next_sequence: 0 }
    }

    /// Takes the next sequence number; never the same twice.
    #[inline]
    pub(crate) fn take_sequence(&mut self) -> Result<u64, Spent> {
        let sequence = self.next_sequence;
        if self.is_spent(0) {
            return Err(Spent::KeysExhausted);
        }
        self.next_sequence = sequence + 1;
        Ok(sequence)
    }

    /// Whether no number is left, or the key may seal no more, once `reserved` more records are sealed.
    #[inline]
    pub(crate) fn is_spent(&self, reserved: u64) -> bool {
        let limit = match &self.protection {
            Protection::V13(keys) => keys.limit(),
            Protection::Plaintext | Protection::V12(_) => u64::MAX,
        };
        let next = self.next_sequence.saturating_add(reserved);
        next > MAX_SEQUENCE || next >= limit
    }

    /// Goes on from a number that somebody else used before.
    pub(super) fn continue_from(&mut self, sequence: u64) {
        self.next_sequence = self.next_sequence.max(sequence);
    }

    /// Records sealed so far.
    pub(crate) fn sealed(&self) -> u64 {
        self.next_sequence
    }

    /// Puts the counter near its end.
    #[cfg(test)]
    pub(crate) fn set_next_sequence(&mut self, next: u64) {
        self.next_sequence = next;
    }
}
