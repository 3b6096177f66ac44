//! Key updates as the application sees them (RFC 9147 section 8).

use crate::connection::{Connection, Phase};
use crate::error::Error;
use crate::negotiation::Handshake;
use crate::wire::Alert;

/// Why keys are not updated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUpdateError {
    /// The handshake has not ended, the connection is over, or the version is 1.2, which has no key updates.
    #[error("no connection of DTLS 1.3")]
    NotConnected,
    /// The epochs or the numbers of handshake messages are used up: after some 65,000 updates, none of which follows
    /// another before 2^23 records unless the application asks for it. A new connection has new ones.
    #[error("no epoch is left for new keys")]
    Exhausted,
}

impl Connection {
    /// Changes our keys for new ones, in 1.3, and has the peer do the same if `both`. Nothing needs this: keys are changed
    /// by themselves before [`Limits::records_per_key`](crate::Limits::records_per_key) is reached. It serves a program
    /// with limits of its own, in time for instance.
    ///
    /// Our keys change once the peer has acknowledged that they do; data flows meanwhile. Asking again before that
    /// changes nothing.
    pub fn update_keys(&mut self, both: bool) -> Result<(), KeyUpdateError> {
        let Handshake::Session13(session) = &mut self.handshake else { return Err(KeyUpdateError::NotConnected) };
        if self.phase != Phase::Connected {
            return Err(KeyUpdateError::NotConnected);
        }
        if session.ask_for_update(&self.core, both) { Ok(()) } else { Err(KeyUpdateError::Exhausted) }
    }

    /// RFC 9147 section 6.1: where the epoch would wrap, the connection ends.
    pub(crate) fn end_without_epochs(&mut self) {
        if let Handshake::Session13(session) = &self.handshake
            && self.phase == Phase::Connected
            && session.is_used_up(&self.core)
        {
            tracing::debug!("keys used up");
            self.shut(Some(Alert::CLOSE_NOTIFY));
            self.dead = Some(Error::KeysUsedUp);
        }
    }
}
