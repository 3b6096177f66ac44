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
}

impl ReadEpoch {
    pub(crate) fn new(epoch: u16, protection: Protection) -> Self {
        Self { epoch, protection, window: ReplayWindow::default() }
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
    pub(crate) fn take_sequence(&mut self) -> Result<u64, Spent> {
        let sequence = self.next_sequence;
        if sequence > MAX_SEQUENCE {
            return Err(Spent::KeysExhausted);
        }
        self.next_sequence = sequence + 1;
        Ok(sequence)
    }

    /// Puts the counter near its end.
    #[cfg(test)]
    pub(crate) fn set_next_sequence(&mut self, next: u64) {
        self.next_sequence = next;
    }
}
