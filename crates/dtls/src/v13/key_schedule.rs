//! Secrets of the handshake and of what follows it (RFC 8446 section 7.1).

use super::session::Session;
use super::suite::Parts;
use crate::connection::Role;
use crate::crypto::{Digest, Failed, Provider, Secret};
use crate::handshake::Core;
use crate::record::{Protection, ReadEpoch, V13Keys, WriteEpoch};
use crate::transcript::Transcript;

/// The epoch of the handshake's keys.
pub(crate) const HANDSHAKE_EPOCH: u16 = 2;
/// The first epoch of application data.
pub(crate) const APPLICATION_EPOCH: u16 = 3;

/// The secrets that a ServerHello makes.
pub(super) struct HandshakeSecrets {
    parts: Parts,
    handshake: Secret,
    client: Secret,
    server: Secret,
}

/// The secrets that the server's Finished makes.
pub(super) struct ApplicationSecrets {
    parts: Parts,
    client: Secret,
    server: Secret,
    exporter: Secret,
}

impl HandshakeSecrets {
    /// `transcript` ends with the ServerHello.
    pub(super) fn derive(
        provider: &Provider,
        parts: Parts,
        shared: &[u8],
        transcript: &Transcript,
    ) -> Result<Self, Failed> {
        let zeros = vec![0; parts.hash.len()];
        let nothing = provider.digest(parts.hash, &[]);
        let early = Secret::extract(provider, parts.hash, &[], &zeros);
        let salt = early.derive(b"derived", nothing.as_ref())?;
        let handshake = Secret::extract(provider, parts.hash, salt.bytes(), shared);
        let hash = transcript.hash(provider, parts.hash);
        let client = handshake.derive(b"c hs traffic", hash.as_ref())?;
        let server = handshake.derive(b"s hs traffic", hash.as_ref())?;
        Ok(Self { parts, handshake, client, server })
    }

    /// Protects what follows in epoch 2, in both directions.
    pub(super) fn install(&self, core: &mut Core, role: Role, client_random: &[u8; 32]) -> Result<(), Failed> {
        core.log_key("CLIENT_HANDSHAKE_TRAFFIC_SECRET", client_random, self.client.bytes());
        core.log_key("SERVER_HANDSHAKE_TRAFFIC_SECRET", client_random, self.server.bytes());
        install_read(core, HANDSHAKE_EPOCH, self.parts, self.of(role.other()))?;
        install_write(core, HANDSHAKE_EPOCH, self.parts, self.of(role))
    }

    /// `transcript` ends with the server's Finished.
    pub(super) fn application(&self, transcript: &Transcript) -> Result<ApplicationSecrets, Failed> {
        let zeros = vec![0; self.parts.hash.len()];
        let nothing = self.provider().digest(self.parts.hash, &[]);
        let salt = self.handshake.derive(b"derived", nothing.as_ref())?;
        let master = Secret::extract(self.provider(), self.parts.hash, salt.bytes(), &zeros);
        let hash = self.hash(transcript);
        Ok(ApplicationSecrets {
            parts: self.parts,
            client: master.derive(b"c ap traffic", hash.as_ref())?,
            server: master.derive(b"s ap traffic", hash.as_ref())?,
            exporter: master.derive(b"exp master", hash.as_ref())?,
        })
    }

    /// The content of a Finished over the transcript before it.
    pub(super) fn verify_data(&self, sender: Role, transcript: &Transcript) -> Result<Vec<u8>, Failed> {
        self.of(sender).verify_data(self.hash(transcript).as_ref())
    }

    /// Compares a Finished that was received, in constant time.
    pub(super) fn is_verified(&self, sender: Role, transcript: &Transcript, body: &[u8]) -> Result<bool, Failed> {
        self.of(sender).is_verified(self.hash(transcript).as_ref(), body)
    }

    fn provider(&self) -> &Provider {
        self.handshake.provider()
    }

    fn hash(&self, transcript: &Transcript) -> Digest {
        transcript.hash(self.provider(), self.parts.hash)
    }

    fn of(&self, sender: Role) -> &Secret {
        match sender {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }
}

impl ApplicationSecrets {
    /// Tells them, if the configuration asks for it.
    pub(super) fn log(&self, core: &mut Core, client_random: &[u8; 32]) {
        core.log_key("CLIENT_TRAFFIC_SECRET_0", client_random, self.client.bytes());
        core.log_key("SERVER_TRAFFIC_SECRET_0", client_random, self.server.bytes());
        core.log_key("EXPORTER_SECRET", client_random, self.exporter.bytes());
    }

    /// Protects what follows our Finished as application data is.
    pub(super) fn install_write(&self, core: &mut Core, role: Role) -> Result<(), Failed> {
        install_write(core, APPLICATION_EPOCH, self.parts, self.of(role))
    }

    /// Expects what follows the peer's Finished to be so protected.
    pub(super) fn install_read(&self, core: &mut Core, role: Role) -> Result<(), Failed> {
        install_read(core, APPLICATION_EPOCH, self.parts, self.of(role.other()))
    }

    /// What stays once the keys are installed.
    pub(super) fn into_session(self, role: Role) -> Session {
        Session::new(role, self.parts, self.exporter)
    }

    fn of(&self, sender: Role) -> &Secret {
        match sender {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }
}

fn install_read(core: &mut Core, epoch: u16, parts: Parts, secret: &Secret) -> Result<(), Failed> {
    let keys = V13Keys::new(parts.aead, secret.clone())?;
    core.records.install_read(ReadEpoch::new(epoch, Protection::V13(Box::new(keys))));
    Ok(())
}

fn install_write(core: &mut Core, epoch: u16, parts: Parts, secret: &Secret) -> Result<(), Failed> {
    let keys = V13Keys::new(parts.aead, secret.clone())?;
    core.records.install_write(WriteEpoch::new(epoch, Protection::V13(Box::new(keys))));
    Ok(())
}
