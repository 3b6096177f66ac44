//! When to acknowledge ([RFC 9260 section 6.2](https://www.rfc-editor.org/rfc/rfc9260#section-6.2)).

use weft_core::Serial32;

/// How many duplicate TSNs one SACK reports.
const MAX_DUPLICATES: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct AckState {
    /// Packets with DATA since the last SACK.
    packets: u8,
    immediate: bool,
    /// The first DATA of an association is acknowledged at once (section 5.1).
    begun: bool,
    duplicates: Vec<Serial32>,
    /// The window the last SACK advertised.
    pub(crate) told_rwnd: u32,
}

impl AckState {
    /// A packet with DATA came.
    pub(crate) fn packet(&mut self) {
        self.packets = self.packets.saturating_add(1);
    }

    /// Something must be told without delay.
    pub(crate) fn now(&mut self) {
        self.immediate = true;
    }

    pub(crate) fn duplicate(&mut self, tsn: Serial32) {
        self.immediate = true;
        if self.duplicates.len() < MAX_DUPLICATES {
            self.duplicates.push(tsn);
        }
    }

    /// A SACK is due: at the second packet, or at once.
    pub(crate) fn due(&self) -> bool {
        self.immediate || self.packets >= 2 || (self.packets > 0 && !self.begun)
    }

    /// A SACK may be held back a while.
    pub(crate) fn pending(&self) -> bool {
        self.immediate || self.packets > 0
    }

    pub(crate) fn duplicates(&self) -> &[Serial32] {
        &self.duplicates
    }

    pub(crate) fn sent(&mut self, a_rwnd: u32) {
        self.packets = 0;
        self.immediate = false;
        self.begun = true;
        self.duplicates.clear();
        self.told_rwnd = a_rwnd;
    }
}
