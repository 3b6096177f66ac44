//! Connection ids as the application sees them (RFC 9146, RFC 9147 section 9).

use crate::connection::{Connection, Phase};
use crate::negotiation::Handshake;

/// Why a connection id cannot be used, asked for or given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionIdError {
    /// The handshake has begun.
    #[error("the handshake has begun")]
    TooLate,
    /// None were agreed on for that direction, the handshake has not ended, or the version is 1.2, which cannot change
    /// them.
    #[error("no connection ids to change")]
    NotAgreed,
    /// An id is longer than 255 bytes, or not as long as the first: then records could not be told apart.
    #[error("a connection id of the wrong length")]
    Length,
    /// The message before was not acknowledged yet.
    #[error("the message before is still under way")]
    Outstanding,
}

impl Connection {
    /// Offers connection ids, or takes an offer of them: `own` (255 bytes at most) is what the peer shall put into its
    /// records. An empty one asks for none, and says that we would use the peer's. To be called before the handshake
    /// begins; without it connection ids are not used.
    ///
    /// With an id a record is longer: see [`overhead`](weft_core::Wrap::overhead).
    pub fn use_connection_id(&mut self, own: &[u8]) -> Result<(), ConnectionIdError> {
        if self.phase != Phase::Idle {
            return Err(ConnectionIdError::TooLate);
        }
        if own.len() > usize::from(u8::MAX) {
            return Err(ConnectionIdError::Length);
        }
        self.core.connection_id = Some(own.to_vec());
        self.core.records.connection_ids.offer(own);
        Ok(())
    }

    /// The id that we offered, or take: see [`use_connection_id`](Self::use_connection_id).
    pub fn own_connection_id(&self) -> Option<&[u8]> {
        self.core.connection_id.as_deref()
    }

    /// What the peer wants to find in our records; empty for none.
    pub fn peer_connection_id(&self) -> &[u8] {
        self.core.records.connection_ids.peer()
    }

    /// Asks the peer for ids to change to later, in 1.3. One request can be under way at a time.
    pub fn request_connection_ids(&mut self, number: u8) -> Result<(), ConnectionIdError> {
        let Handshake::Session13(session) = &mut self.handshake else { return Err(ConnectionIdError::NotAgreed) };
        if self.phase != Phase::Connected || self.core.records.connection_ids.peer().is_empty() {
            return Err(ConnectionIdError::NotAgreed);
        }
        if session.request_ids(number) { Ok(()) } else { Err(ConnectionIdError::Outstanding) }
    }

    /// Gives the peer more ids of ours, in 1.3: to be used from now on if `immediate`, else for later. Eight are
    /// recognised at a time, the newest.
    pub fn give_connection_ids(&mut self, ids: &[&[u8]], immediate: bool) -> Result<(), ConnectionIdError> {
        let Handshake::Session13(session) = &mut self.handshake else { return Err(ConnectionIdError::NotAgreed) };
        let known = &mut self.core.records.connection_ids;
        if self.phase != Phase::Connected || !known.are_agreed() || known.own_len() == 0 {
            return Err(ConnectionIdError::NotAgreed);
        }
        if ids.iter().any(|id| id.len() != known.own_len()) || immediate && ids.is_empty() {
            return Err(ConnectionIdError::Length);
        }
        if !session.give_ids(ids, immediate) {
            return Err(ConnectionIdError::Outstanding);
        }
        for id in ids {
            known.add_own(id.to_vec());
        }
        Ok(())
    }

    /// Changes to the next id that the peer gave for later, when sending over a new path, say (RFC 9147 section 11);
    /// whether there was one.
    pub fn change_connection_id(&mut self) -> bool {
        self.phase == Phase::Connected && self.core.records.connection_ids.change_peer()
    }
}
