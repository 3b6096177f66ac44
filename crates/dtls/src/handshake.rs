//! What the handshakes of all versions have in common: what they work on, and what comes of a message.

use std::sync::Arc;

use weft_core::Seed;

use crate::config::Config;
use crate::crypto::PeerKey;
use crate::der::{self, NoKey};
use crate::error::{Error, Fault};
use crate::event::{Event, KeyLogLine, SessionInfo};
use crate::flight::Flight;
use crate::reassembly::Message;
use crate::record::RecordLayer;
use crate::transcript::Transcript;
use crate::verifier::{Rejection, Verifier};
use crate::wire::{CipherSuite, HandshakeType, NamedGroup, ProtocolVersion, SrtpProfile};

/// The parts of a connection that a handshake works on.
pub(crate) struct Core {
    pub(crate) config: Arc<Config>,
    /// Judges the peer's certificate in place of the configuration's.
    pub(crate) verifier: Option<Verifier>,
    pub(crate) seed: Seed,
    pub(crate) records: RecordLayer,
    pub(crate) flight: Flight,
    pub(crate) transcript: Transcript,
    /// The connection id that we want to find in records; `None` to use none in either direction.
    pub(crate) connection_id: Option<Vec<u8>>,
    /// The profile that was agreed on.
    pub(crate) srtp_profile: Option<SrtpProfile>,
    /// The protocol that was agreed on.
    pub(crate) application_protocol: Option<Vec<u8>>,
    /// The name that a client asked for.
    pub(crate) server_name: Option<String>,
    /// What is to be told beside the end of the handshake.
    pub(crate) notices: Vec<Event>,
}

/// What a message led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// It may not come now. Nothing has changed.
    Unexpected,
    /// It was taken; more of the peer's flight is to come.
    Taken,
    /// It ended the peer's flight; ours is ready to be sent and to be answered.
    Answer,
    /// The handshake has ended. If a flight is there it is sent, and sent again only if the peer repeats itself.
    Connected(SessionInfo),
}

impl Core {
    /// Adds a message of epoch `epoch` to the flight and to the transcript.
    pub(crate) fn send_v12(&mut self, epoch: u16, message_type: HandshakeType, body: Vec<u8>) {
        self.transcript.add_v12(message_type, self.flight.next_message_seq(), &body);
        self.flight.push(epoch, message_type, body);
    }

    /// The same with DTLS 1.3's transcript.
    pub(crate) fn send_v13(&mut self, epoch: u16, message_type: HandshakeType, body: Vec<u8>) {
        self.transcript.add_v13(message_type, &body);
        self.flight.push(epoch, message_type, body);
    }

    /// Adds a message of the peer to DTLS 1.3's transcript.
    pub(crate) fn received_v13(&mut self, message: &Message) {
        self.transcript.add_v13(message.message_type, &message.body);
    }

    /// Adds a message of the peer to the transcript.
    pub(crate) fn received_v12(&mut self, message: &Message) {
        self.transcript.add_v12(message.message_type, message.message_seq, &message.body);
    }

    /// Tells a secret, if the configuration asks for it.
    pub(crate) fn log_key(&mut self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        if self.config.key_log {
            self.notices.push(Event::KeyLog(KeyLogLine::new(label, client_random, secret)));
        }
    }

    /// What the handshake came to.
    pub(crate) fn session_info(
        &mut self,
        version: ProtocolVersion,
        cipher_suite: CipherSuite,
        group: NamedGroup,
        peer_certificate: Option<Vec<u8>>,
    ) -> SessionInfo {
        SessionInfo {
            version,
            cipher_suite,
            group,
            peer_certificate,
            srtp_profile: self.srtp_profile,
            application_protocol: self.application_protocol.take(),
            server_name: self.server_name.take(),
            connection_ids: self.records.connection_ids.are_agreed(),
            extended_master_secret: true,
        }
    }

    /// 32 random bytes. Being drawn whole they hold no downgrade sentinel but by a chance of 2^-64 (RFC 8446
    /// section 4.1.3).
    pub(crate) fn random(&mut self) -> [u8; 32] {
        let mut random = [0; 32];
        self.seed.rng().fill(&mut random);
        random
    }

    /// Has the peer's certificate judged and its public key read.
    pub(crate) fn verify_certificate<'c>(
        &self,
        mut certificates: impl Iterator<Item = &'c [u8]>,
    ) -> Result<(Vec<u8>, PeerKey), Fault> {
        let reject = |rejection| Fault::Fatal(Error::CertificateRejected(rejection));
        let certificate = certificates.next().ok_or(reject(Rejection::Malformed))?;
        let verifier = self.verifier.as_ref().unwrap_or(&self.config.verifier);
        if matches!(verifier, Verifier::Fingerprints(all) if all.is_empty()) {
            return Err(Fault::Fatal(Error::NoFingerprint));
        }
        let intermediates: Vec<&[u8]> = certificates.collect();
        verifier.verify(certificate, &intermediates).map_err(reject)?;
        let public = der::subject_public_key(certificate).map_err(|no_key| match no_key {
            NoKey::Malformed => reject(Rejection::Malformed),
            NoKey::Unsupported => reject(Rejection::Unsupported),
        })?;
        Ok((certificate.to_vec(), PeerKey::new(&self.config.provider, public)))
    }
}
