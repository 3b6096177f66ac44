//! After the handshake: key updates, session tickets, exporters (RFC 8446 sections 4.6 and 7.5, RFC 9147 section 8).

use std::collections::VecDeque;

use super::key_schedule::APPLICATION_EPOCH;
use super::suite::Parts;
use crate::connection::Role;
use crate::crypto::{Failed, Secret};
use crate::error::{ExportError, Fault};
use crate::event::Event;
use crate::handshake::{Core, Step};
use crate::reassembly::Message;
use crate::wire::{AlertDescription, HandshakeType, KeyUpdate, NewConnectionId, RequestConnectionId};

/// Whether there is an epoch for new keys of ours, and a number for the message that announces it.
fn can_update(core: &Core) -> bool {
    core.records.write_epoch() < u16::MAX && !core.flight.is_out_of_numbers()
}

/// What goes on after the handshake, but for the records and their keys.
pub(crate) struct Session {
    role: Role,
    parts: Parts,
    exporter: Secret,
    /// Our KeyUpdate is on its way, and asks the peer for one of its own.
    updating: Option<KeyUpdate>,
    /// The peer, or the application, asked for one of ours.
    asked: bool,
    /// The application wants the peer to be asked.
    wants_peers: bool,
    /// The epoch to read whose keys the peer was asked to change.
    asked_peer: Option<u16>,
    /// Whether a RequestConnectionId is under way or unanswered, and whether a NewConnectionId is under way.
    requesting_ids: bool,
    giving_ids: bool,
    /// The peer asked for ids and was given none yet.
    ids_wanted: bool,
    /// Messages that wait for the flight before to be acknowledged.
    outbox: VecDeque<(HandshakeType, Vec<u8>)>,
}

impl Session {
    pub(super) fn new(role: Role, parts: Parts, exporter: Secret) -> Self {
        Self {
            role,
            parts,
            exporter,
            updating: None,
            asked: false,
            wants_peers: false,
            asked_peer: None,
            requesting_ids: false,
            giving_ids: false,
            ids_wanted: false,
            outbox: VecDeque::new(),
        }
    }

    /// Handles a message after the handshake. The caller acknowledges it.
    pub(crate) fn handle(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        match message.message_type {
            HandshakeType::KEY_UPDATE if message.epoch == core.records.read_epoch() => {
                if matches!(message.body.as_slice(), [value] if *value > 1) {
                    let reason = "a key update of no known kind";
                    return Err(Fault::refused(AlertDescription::ILLEGAL_PARAMETER, reason));
                }
                let update = KeyUpdate::parse(&message.body)?;
                let internal = |Failed| Fault::internal("key update");
                // RFC 9147 section 6.1: the epoch must not wrap.
                let reason = "the peer updates its keys more often than there are epochs";
                let overrun = Fault::refused(AlertDescription::UNEXPECTED_MESSAGE, reason);
                if message.epoch == u16::MAX {
                    return Err(overrun);
                }
                core.records.update_read().map_err(internal)?;
                self.asked |= update.update_requested;
                Ok(Step::Taken)
            }
            HandshakeType::NEW_CONNECTION_ID if message.epoch >= APPLICATION_EPOCH => {
                let ids = &mut core.records.connection_ids;
                // RFC 9147 section 9: not from a peer that wants no id, or never agreed on any.
                if ids.peer().is_empty() {
                    return Ok(Step::Unexpected);
                }
                let new = NewConnectionId::parse(&message.body)?;
                ids.add_peer(new.iter(), new.immediate);
                self.requesting_ids &= new.immediate;
                Ok(Step::Taken)
            }
            HandshakeType::REQUEST_CONNECTION_ID if message.epoch >= APPLICATION_EPOCH => {
                let ids = &core.records.connection_ids;
                if !ids.are_agreed() || ids.own_len() == 0 {
                    return Ok(Step::Unexpected);
                }
                let RequestConnectionId(number) = RequestConnectionId::parse(&message.body)?;
                // One request may be unanswered; more would pile up here (RFC 9147 section 9).
                if self.ids_wanted {
                    let reason = "the peer asks for connection ids without waiting for an answer";
                    return Err(Fault::refused(AlertDescription::TOO_MANY_CIDS_REQUESTED, reason));
                }
                self.ids_wanted = true;
                core.notices.push(Event::ConnectionIdsRequested(number));
                Ok(Step::Taken)
            }
            // There is no resumption here; the caller acknowledges it all the same, or it would come for ever.
            HandshakeType::NEW_SESSION_TICKET if self.role == Role::Client && message.epoch >= APPLICATION_EPOCH => {
                Ok(Step::Taken)
            }
            _ => Ok(Step::Unexpected),
        }
    }

    /// The peer is to change its keys, too. RFC 9147 section 4.5.3: before forgeries use up its key, it is asked for another.
    fn wants_peers_update(&self, core: &Core) -> bool {
        let forged = core.records.forged() >= (core.config.limits.forgeries() / 2).max(1);
        self.wants_peers || forged && self.asked_peer != Some(core.records.read_epoch())
    }

    /// Our keys are to change, whatever those of the peer do.
    fn wants_update(&self, core: &Core) -> bool {
        self.asked || core.records.sealed() >= core.config.limits.records_per_key
    }

    /// Whether [`begin_flight`](Self::begin_flight) may begin one.
    pub(crate) fn wants_flight(&self, core: &Core) -> bool {
        let wants = !self.outbox.is_empty() || self.wants_update(core) || self.wants_peers_update(core);
        wants && self.updating.is_none()
    }

    /// Puts a message into the flight if one is due, a KeyUpdate before others; whether it did. The flight before must
    /// have been acknowledged.
    pub(crate) fn begin_flight(&mut self, core: &mut Core) -> bool {
        let update_requested = self.wants_peers_update(core);
        let due = update_requested || self.wants_update(core);
        let epoch = core.records.write_epoch();
        if self.updating.is_some() || core.flight.is_out_of_numbers() {
            return false;
        }
        // RFC 9147 section 8: at the last epoch the peer's wish for new keys is passed over.
        let (message_type, body) = if due && epoch < u16::MAX {
            let update = KeyUpdate { update_requested };
            (self.asked, self.wants_peers) = (false, false);
            if update_requested {
                self.asked_peer = Some(core.records.read_epoch());
            }
            self.updating = Some(update);
            (HandshakeType::KEY_UPDATE, update.write())
        } else if let Some(message) = self.outbox.pop_front() {
            message
        } else {
            return false;
        };
        core.flight.begin();
        core.flight.push(epoch, message_type, body);
        true
    }

    /// The application wants new keys of ours, and of the peer's if `both`; whether there are any left. What is on its way
    /// already is not repeated.
    pub(crate) fn ask_for_update(&mut self, core: &Core, both: bool) -> bool {
        if !can_update(core) {
            return false;
        }
        if let Some(under_way) = self.updating {
            self.wants_peers |= both && !under_way.update_requested;
        } else {
            self.asked = true;
            self.wants_peers |= both;
        }
        true
    }

    /// Whether the last key there is has sealed all that it may.
    pub(crate) fn is_used_up(&self, core: &Core) -> bool {
        self.updating.is_none() && !can_update(core) && core.records.is_write_key_spent()
    }

    /// Asks for connection ids; not while a request is unanswered.
    pub(crate) fn request_ids(&mut self, number: u8) -> bool {
        if self.requesting_ids {
            return false;
        }
        self.requesting_ids = true;
        self.outbox.push_back((HandshakeType::REQUEST_CONNECTION_ID, vec![number]));
        true
    }

    /// Gives connection ids; not while others are under way.
    pub(crate) fn give_ids(&mut self, ids: &[&[u8]], immediate: bool) -> bool {
        if self.giving_ids {
            return false;
        }
        self.giving_ids = true;
        self.ids_wanted &= immediate;
        let body = NewConnectionId::write(ids.iter().copied(), immediate);
        self.outbox.push_back((HandshakeType::NEW_CONNECTION_ID, body));
        true
    }

    /// The peer has our KeyUpdate, so it can read the next epoch (RFC 9147 section 8).
    pub(crate) fn acknowledged(&mut self, core: &mut Core) -> Result<(), Fault> {
        if self.updating.take().is_none() {
            self.giving_ids &= self.outbox.iter().any(|(waiting, _)| *waiting == HandshakeType::NEW_CONNECTION_ID);
            return Ok(());
        }
        let internal = |Failed| Fault::internal("key update");
        core.records.update_write().map_err(internal)
    }

    /// Fills `out` with keying material for another protocol (RFC 8446 section 7.5): no context is an empty one.
    pub(crate) fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), ExportError> {
        let context = context.unwrap_or_default();
        if out.is_empty() || context.len() > usize::from(u16::MAX) {
            return Err(ExportError::NotAllowed);
        }
        let failed = |Failed| ExportError::Failed;
        let digest = |data: &[u8]| self.exporter.provider().digest(self.parts.hash, data);
        let of_label = self.exporter.derive(label.as_bytes(), digest(&[]).as_ref()).map_err(failed)?;
        of_label.expand_into(b"exporter", digest(context).as_ref(), out).map_err(failed)
    }
}
