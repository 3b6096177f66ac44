//! The server's side of the handshake.

use super::choice::{Choice, Retried, choose};
use super::key_schedule::{ApplicationSecrets, HANDSHAKE_EPOCH, HandshakeSecrets};
use super::proof;
use super::session::Session;
use super::suite::{Parts, told_schemes};
use crate::config::ClientAuthentication;
use crate::connection::Role;
use crate::crypto::{Failed, PeerKey, answer};
use crate::error::Fault;
use crate::handshake::{Core, Step};
use crate::options;
use crate::reassembly::Message;
use crate::wire::{
    AlertDescription, Certificate13, CertificateRequest13, CipherSuite, ClientHello, EncryptedExtensions,
    HandshakeType, NamedGroup, ProtocolVersion, ServerHello,
};

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    ClientHello,
    Certificate,
    CertificateVerify,
    Finished,
    End,
}

/// What the hellos agreed on.
struct Agreed {
    suite: CipherSuite,
    parts: Parts,
    group: NamedGroup,
    secrets: HandshakeSecrets,
}

/// A server of DTLS 1.3. Like that of 1.2 it asks for no cookie: on a bare socket a [`Listener`](crate::Listener) does.
pub(crate) struct Server {
    state: State,
    /// What a HelloRetryRequest asked for.
    retried: Option<(CipherSuite, Option<NamedGroup>)>,
    agreed: Option<Agreed>,
    peer: Option<(Vec<u8>, PeerKey)>,
    /// The keys for application data, until the client has proven itself.
    pending: Option<ApplicationSecrets>,
    session: Option<Session>,
}

const OUT_OF_ORDER: Fault = Fault::internal("handshake state without what the state before it left");

fn illegal(reason: &'static str) -> Fault {
    Fault::refused(AlertDescription::ILLEGAL_PARAMETER, reason)
}

impl Server {
    pub(crate) fn new() -> Self {
        let state = State::ClientHello;
        Self { state, retried: None, agreed: None, peer: None, pending: None, session: None }
    }

    /// A server whose HelloRetryRequest somebody else sent, statelessly.
    pub(crate) fn retried(core: &mut Core, retried: &Retried) -> Self {
        core.transcript.add_v13(HandshakeType::MESSAGE_HASH, &retried.retry.hello_hash);
        core.transcript.add_v13(HandshakeType::SERVER_HELLO, &retried.request);
        core.records.set_version(ProtocolVersion::DTLS_1_2);
        Self { retried: Some((retried.retry.suite, retried.retry.group)), ..Self::new() }
    }

    pub(crate) fn take_session(&mut self) -> Option<Session> {
        self.session.take()
    }

    /// Handles one message of the client.
    pub(crate) fn handle(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let in_the_clear = self.state == State::ClientHello;
        if message.epoch != if in_the_clear { 0 } else { HANDSHAKE_EPOCH } {
            return Ok(Step::Unexpected);
        }
        match (self.state, message.message_type) {
            (State::ClientHello, HandshakeType::CLIENT_HELLO) => self.client_hello(core, message),
            (State::Certificate, HandshakeType::CERTIFICATE) => self.certificate(core, message),
            (State::CertificateVerify, HandshakeType::CERTIFICATE_VERIFY) => self.certificate_verify(core, message),
            (State::Finished, HandshakeType::FINISHED) => self.finished(core, message),
            _ => Ok(Step::Unexpected),
        }
    }

    fn client_hello(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let hello = ClientHello::parse(&message.body)?;
        let choice = choose(&core.config, &hello)?;
        let broken = |(suite, group): (CipherSuite, Option<NamedGroup>)| {
            suite != choice.suite || group.is_some_and(|group| group != choice.group) || choice.share.is_none()
        };
        if self.retried.is_some_and(broken) {
            return Err(illegal("the second hello is not what was asked for"));
        }
        let Some(share) = choice.share else { return Ok(self.retry(core, message, &choice)) };
        let (public, shared) = answer(&core.config.provider, choice.group, share, &mut core.seed.rng())
            .map_err(|Failed| illegal("the client's public key is not acceptable"))?;
        let answers = options::answer(core, ProtocolVersion::DTLS_1_3, &hello.extensions)?;
        core.records.set_version(ProtocolVersion::DTLS_1_2);
        core.received_v13(message);
        core.flight.begin();
        let random = core.random();
        let body = ServerHello::write_v13(&random, choice.suite, choice.group, &public, &answers.hello);
        core.send_v13(0, HandshakeType::SERVER_HELLO, body);
        let internal = |Failed| Fault::internal("key schedule");
        let secrets = HandshakeSecrets::derive(&core.config.provider, choice.parts, &shared, &core.transcript)
            .map_err(internal)?;
        secrets.install(core, Role::Server, &hello.random).map_err(internal)?;
        let encrypted = EncryptedExtensions::write(&answers.encrypted);
        core.send_v13(HANDSHAKE_EPOCH, HandshakeType::ENCRYPTED_EXTENSIONS, encrypted);
        self.authenticate(core, &choice, &secrets, &hello.random).map_err(internal)?;
        let Choice { suite, parts, group, .. } = choice;
        self.agreed = Some(Agreed { suite, parts, group, secrets });
        Ok(Step::Answer)
    }

    /// The part of the flight that is protected.
    fn authenticate(
        &mut self,
        core: &mut Core,
        choice: &Choice<'_>,
        secrets: &HandshakeSecrets,
        client_random: &[u8; 32],
    ) -> Result<(), Failed> {
        let config = core.config.clone();
        if config.client_authentication == ClientAuthentication::None {
            self.state = State::Finished;
        } else {
            let request = CertificateRequest13::write(&told_schemes(&config));
            core.send_v13(HANDSHAKE_EPOCH, HandshakeType::CERTIFICATE_REQUEST, request);
            self.state = State::Certificate;
        }
        let chain = Certificate13::write(&[], choice.own.chain());
        core.send_v13(HANDSHAKE_EPOCH, HandshakeType::CERTIFICATE, chain);
        proof::send(Role::Server, core, HANDSHAKE_EPOCH, choice.parts, (&choice.own, choice.scheme))?;
        let finished = secrets.verify_data(Role::Server, &core.transcript)?;
        core.send_v13(HANDSHAKE_EPOCH, HandshakeType::FINISHED, finished);
        let application = secrets.application(&core.transcript)?;
        application.log(core, client_random);
        // Alerts and ACKs that answer the client's flight are under these keys, too (RFC 8446 section 4.4.4).
        application.install_write(core, Role::Server)?;
        self.pending = Some(application);
        Ok(())
    }

    /// RFC 8446 section 4.1.4: asks for a share of the group chosen.
    fn retry(&mut self, core: &mut Core, message: &Message, choice: &Choice<'_>) -> Step {
        core.records.set_version(ProtocolVersion::DTLS_1_2);
        core.received_v13(message);
        core.transcript.condense(&core.config.provider, choice.parts.hash);
        core.flight.begin();
        let body = ServerHello::write_retry(choice.suite, Some(choice.group), None);
        core.send_v13(0, HandshakeType::SERVER_HELLO, body);
        self.retried = Some((choice.suite, Some(choice.group)));
        Step::Answer
    }

    fn certificate(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let chain = Certificate13::parse(&message.body)?;
        if !chain.context.is_empty() {
            return Err(illegal("the client answers a request that was not made"));
        }
        if chain.iter().next().is_none() {
            if core.config.client_authentication == ClientAuthentication::Required {
                return Err(Fault::refused(AlertDescription::CERTIFICATE_REQUIRED, "the client sent no certificate"));
            }
            core.received_v13(message);
            self.state = State::Finished;
            return Ok(Step::Taken);
        }
        self.peer = Some(core.verify_certificate(chain.iter())?);
        core.received_v13(message);
        self.state = State::CertificateVerify;
        Ok(Step::Taken)
    }

    fn certificate_verify(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let (Some(agreed), Some((_, key))) = (&self.agreed, &self.peer) else { return Err(OUT_OF_ORDER) };
        proof::verify(Role::Client, core, message, key, agreed.parts)?;
        core.received_v13(message);
        self.state = State::Finished;
        Ok(Step::Taken)
    }

    fn finished(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let internal = |Failed| Fault::internal("finished");
        let agreed = self.agreed.as_ref().ok_or(OUT_OF_ORDER)?;
        let verified = agreed.secrets.is_verified(Role::Client, &core.transcript, &message.body);
        if !verified.map_err(internal)? {
            return Err(Fault::refused(AlertDescription::DECRYPT_ERROR, "the client's Finished is wrong"));
        }
        let application = self.pending.take().ok_or(OUT_OF_ORDER)?;
        // The client may repeat itself until it knows that we know: it is then to be answered, for four minutes at least
        // (RFC 9147 section 5.8.1: twice the MSL). Nothing tells when it does know, so this epoch stays, and hardly any
        // client needs its keys.
        core.records.rest_read(HANDSHAKE_EPOCH);
        application.install_read(core, Role::Server).map_err(internal)?;
        // The client has our flight, or it could not have finished.
        core.flight.begin();
        core.transcript.clear();
        self.session = Some(application.into_session(Role::Server));
        self.state = State::End;
        let certificate = self.peer.take().map(|(certificate, _)| certificate);
        let info = core.session_info(ProtocolVersion::DTLS_1_3, agreed.suite, agreed.group, certificate);
        Ok(Step::Connected(info))
    }
}
