//! After the handshake: key updates, session tickets, exporters (RFC 8446 sections 4.6 and 7.5, RFC 9147 section 8).

use super::key_schedule::{APPLICATION_EPOCH, ApplicationSecrets, install_read, install_write};
use super::suite::Parts;
use crate::connection::Role;
use crate::crypto::{Failed, Secret};
use crate::error::{ExportError, Fault};
use crate::handshake::{Core, Step};
use crate::reassembly::Message;
use crate::wire::{AlertDescription, HandshakeType, KeyUpdate};

/// The secrets in use, of either side.
pub(crate) struct Session {
    role: Role,
    parts: Parts,
    read: Secret,
    write: Secret,
    exporter: Secret,
    /// Our KeyUpdate is on its way.
    updating: bool,
    /// The peer asked for one of ours.
    asked: bool,
}

impl Session {
    pub(super) fn new(role: Role, parts: Parts, secrets: ApplicationSecrets) -> Self {
        let (read, write) = match role {
            Role::Client => (secrets.server, secrets.client),
            Role::Server => (secrets.client, secrets.server),
        };
        Self { role, parts, read, write, exporter: secrets.exporter, updating: false, asked: false }
    }

    /// Protects what follows as application data is, in both directions.
    pub(super) fn install(&self, core: &mut Core) -> Result<(), Failed> {
        install_read(core, APPLICATION_EPOCH, self.parts, &self.read)?;
        install_write(core, APPLICATION_EPOCH, self.parts, &self.write)
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
                let epoch = message.epoch.checked_add(1).ok_or(Fault::internal("no more epochs"))?;
                self.read = self.read.derive(b"traffic upd", &[]).map_err(internal)?;
                install_read(core, epoch, self.parts, &self.read).map_err(internal)?;
                self.asked |= update.update_requested;
                Ok(Step::Taken)
            }
            // There is no resumption here; the caller acknowledges it all the same, or it would come for ever.
            HandshakeType::NEW_SESSION_TICKET if self.role == Role::Client && message.epoch >= APPLICATION_EPOCH => {
                Ok(Step::Taken)
            }
            _ => Ok(Step::Unexpected),
        }
    }

    /// Puts a KeyUpdate into the flight if one is due; whether it did. The flight before must have been acknowledged.
    pub(crate) fn begin_update(&mut self, core: &mut Core) -> bool {
        let due = self.asked || core.records.sealed() >= core.config.limits.records_per_key;
        let epoch = core.records.write_epoch();
        let possible = epoch < u16::MAX && core.flight.next_message_seq() < u16::MAX;
        if !due || self.updating || !possible {
            return false;
        }
        self.updating = true;
        self.asked = false;
        core.flight.begin();
        core.flight.push(epoch, HandshakeType::KEY_UPDATE, KeyUpdate { update_requested: false }.write());
        true
    }

    /// The peer has our KeyUpdate, so it can read the next epoch (RFC 9147 section 8).
    pub(crate) fn acknowledged(&mut self, core: &mut Core) -> Result<(), Fault> {
        if !self.updating {
            return Ok(());
        }
        let internal = |Failed| Fault::internal("key update");
        self.updating = false;
        self.write = self.write.derive(b"traffic upd", &[]).map_err(internal)?;
        let epoch = core.records.write_epoch().saturating_add(1);
        install_write(core, epoch, self.parts, &self.write).map_err(internal)
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
