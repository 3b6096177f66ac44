//! Secrets of the handshake and of what follows it (RFC 8446 section 7.1).

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
    pub(super) client: Secret,
    pub(super) server: Secret,
    pub(super) exporter: Secret,
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
        let (read, write) = match role {
            Role::Client => (&self.server, &self.client),
            Role::Server => (&self.client, &self.server),
        };
        install_read(core, HANDSHAKE_EPOCH, self.parts, read)?;
        install_write(core, HANDSHAKE_EPOCH, self.parts, write)
    }

    /// The client has finished, and may repeat itself until it knows that we know: it is then to be answered, for four
    /// minutes at least (RFC 9147 section 5.8.1: twice the MSL). Nothing tells when it does know, so the keys to read what
    /// it repeats stay, put by: hardly any client needs them.
    pub(super) fn park(&self, core: &mut Core) {
        core.records.park_read(HANDSHAKE_EPOCH, self.parts.aead, self.client.clone());
    }

    /// `transcript` ends with the server's Finished.
    pub(super) fn application(&self, transcript: &Transcript) -> Result<ApplicationSecrets, Failed> {
        let zeros = vec![0; self.parts.hash.len()];
        let nothing = self.provider().digest(self.parts.hash, &[]);
        let salt = self.handshake.derive(b"derived", nothing.as_ref())?;
        let master = Secret::extract(self.provider(), self.parts.hash, salt.bytes(), &zeros);
        let hash = self.hash(transcript);
        Ok(ApplicationSecrets {
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

pub(super) fn install_read(core: &mut Core, epoch: u16, parts: Parts, secret: &Secret) -> Result<(), Failed> {
    let keys = V13Keys::derive(parts.aead, secret)?;
    core.records.install_read(ReadEpoch::new(epoch, Protection::V13(Box::new(keys))));
    Ok(())
}

pub(super) fn install_write(core: &mut Core, epoch: u16, parts: Parts, secret: &Secret) -> Result<(), Failed> {
    let keys = V13Keys::derive(parts.aead, secret)?;
    core.records.install_write(WriteEpoch::new(epoch, Protection::V13(Box::new(keys))));
    Ok(())
}
