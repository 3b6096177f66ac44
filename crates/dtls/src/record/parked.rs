//! Keys that are hardly needed any more, as the secret they are made of.

use super::epoch::ReadEpoch;
use super::protection::Protection;
use super::replay::ReplayWindow;
use super::v13::V13Keys;
use crate::crypto::{AeadAlgorithm, Failed, Secret};

/// An epoch of 1.3 to read that waits for a record of its own: a tenth of what its keys take.
pub(super) struct ParkedEpoch {
    pub(super) epoch: u16,
    window: ReplayWindow,
    forged: u64,
    algorithm: AeadAlgorithm,
    secret: Secret,
}

impl ParkedEpoch {
    pub(super) fn new(half: ReadEpoch, algorithm: AeadAlgorithm, secret: Secret) -> Self {
        Self { epoch: half.epoch, window: half.window, forged: half.forged, algorithm, secret }
    }

    /// As it was before.
    pub(super) fn unpark(self) -> Result<ReadEpoch, Failed> {
        let keys = V13Keys::derive(self.algorithm, &self.secret)?;
        let protection = Protection::V13(Box::new(keys));
        Ok(ReadEpoch { window: self.window, forged: self.forged, ..ReadEpoch::new(self.epoch, protection) })
    }
}
