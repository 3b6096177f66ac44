//! The client's side of the handshake.

use std::sync::Arc;

use super::key_schedule::{HANDSHAKE_EPOCH, HandshakeSecrets};
use super::proof;
use super::session::Session;
use super::suite::{Parts, SCHEMES, groups, parts, told_schemes};
use crate::certificate::Certificate;
use crate::config::Config;
use crate::connection::Role;
use crate::crypto::{Failed, KeyOffer, PeerKey};
use crate::error::Fault;
use crate::handshake::{Core, Step};
use crate::options;
use crate::reassembly::Message;
use crate::v12;
use crate::wire::{
    AlertDescription, Certificate13, CertificateRequest13, CipherSuite, EncryptedExtensions, ExtensionType,
    HandshakeType, HelloVerifyRequest, KeyShares, NamedGroup, Offer, ProtocolVersion, ServerHello, SignatureScheme,
    parse_key_share,
};

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    ServerHello,
    EncryptedExtensions,
    /// Or Certificate: the request is optional.
    CertificateRequest,
    Certificate,
    CertificateVerify,
    Finished,
    End,
}

/// What the server chose.
struct Chosen {
    suite: CipherSuite,
    parts: Parts,
    group: NamedGroup,
    secrets: HandshakeSecrets,
}

/// A certificate request: what to repeat in the answer, and the certificate of ours that the server takes, with how to sign.
struct Requested {
    context: Vec<u8>,
    own: Option<(Arc<Certificate>, SignatureScheme)>,
}

/// A client that offers DTLS 1.3, and perhaps 1.2 in the same hello.
pub(crate) struct Client {
    state: State,
    random: [u8; 32],
    /// The hello sent last.
    hello: Vec<u8>,
    offers: Vec<KeyOffer>,
    /// The cipher suite of a HelloRetryRequest.
    retried: Option<CipherSuite>,
    chosen: Option<Chosen>,
    requested: Option<Requested>,
    peer: Option<(Vec<u8>, PeerKey)>,
    session: Option<Session>,
}

const OUT_OF_ORDER: Fault = Fault::internal("handshake state without what the state before it left");

fn illegal(reason: &'static str) -> Fault {
    Fault::refused(AlertDescription::ILLEGAL_PARAMETER, reason)
}

/// The shares of a first hello: the preferred group's, and X25519's beside the hybrid's, which holds it anyway and which
/// older servers lack.
fn first_offers(core: &mut Core) -> Result<Vec<KeyOffer>, Failed> {
    let config = core.config.clone();
    let first = groups(&config).next();
    let hybrid = first == Some(NamedGroup::X25519MLKEM768);
    let second = groups(&config).find(|group| hybrid && *group == NamedGroup::X25519);
    first
        .into_iter()
        .chain(second)
        .map(|group| KeyOffer::generate(&config.provider, group, &mut core.seed.rng()))
        .collect()
}

impl Client {
    /// Makes the first ClientHello.
    pub(crate) fn start(core: &mut Core) -> Result<Self, Failed> {
        let mut client = Self {
            state: State::ServerHello,
            random: core.random(),
            hello: Vec::new(),
            offers: first_offers(core)?,
            retried: None,
            chosen: None,
            requested: None,
            peer: None,
            session: None,
        };
        client.send_hello(core, None);
        Ok(client)
    }

    /// Sends the hello. What it adds to the transcript depends on the version that the server chooses, so the server's
    /// answer adds it.
    fn send_hello(&mut self, core: &mut Core, cookie: Option<&[u8]>) {
        let config = core.config.clone();
        let v12 = config.speaks(ProtocolVersion::DTLS_1_2);
        let versions: &[ProtocolVersion] =
            if v12 { &[ProtocolVersion::DTLS_1_3, ProtocolVersion::DTLS_1_2] } else { &[ProtocolVersion::DTLS_1_3] };
        let suites: Vec<CipherSuite> = offered_suites(&config).chain(v12::suites(&config).filter(|_| v12)).collect();
        let hello = Offer {
            random: &self.random,
            versions,
            suites: &suites,
            groups: &groups(&config).collect::<Vec<_>>(),
            schemes: &told_schemes(&config),
            others: &options::offered(core),
            key_share: &KeyShares::write(self.offers.iter().map(|offer| (offer.group(), offer.public()))),
            cookie,
        };
        self.hello = hello.write();
        core.flight.begin();
        core.flight.push(0, HandshakeType::CLIENT_HELLO, self.hello.clone());
    }

    /// The client of DTLS 1.2 that goes on from our hello, if this message of the server shows that it must.
    pub(crate) fn fall_back(&self, core: &mut Core, message: &Message) -> Result<Option<v12::Client>, Fault> {
        if self.state != State::ServerHello || self.retried.is_some() || !core.config.speaks(ProtocolVersion::DTLS_1_2)
        {
            return Ok(None);
        }
        let falls_back = match message.message_type {
            HandshakeType::HELLO_VERIFY_REQUEST => message.epoch == 0,
            HandshakeType::SERVER_HELLO => {
                let hello = ServerHello::parse(&message.body)?;
                message.epoch == 0 && hello.extensions.get(ExtensionType::SUPPORTED_VERSIONS).is_none()
            }
            _ => false,
        };
        Ok(falls_back.then(|| v12::Client::go_on(core, self.random, self.hello.clone())))
    }

    pub(crate) fn take_session(&mut self) -> Option<Session> {
        self.session.take()
    }

    /// Handles one message of the server.
    pub(crate) fn handle(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let in_the_clear = self.state == State::ServerHello;
        if message.epoch != if in_the_clear { 0 } else { HANDSHAKE_EPOCH } {
            return Ok(Step::Unexpected);
        }
        match (self.state, message.message_type) {
            (State::ServerHello, HandshakeType::SERVER_HELLO) => self.server_hello(core, message),
            // One that speaks 1.2 would have been followed by now.
            (State::ServerHello, HandshakeType::HELLO_VERIFY_REQUEST) if self.retried.is_none() => {
                HelloVerifyRequest::parse(&message.body)?;
                Err(Fault::refused(AlertDescription::PROTOCOL_VERSION, "the server does not speak DTLS 1.3"))
            }
            (State::EncryptedExtensions, HandshakeType::ENCRYPTED_EXTENSIONS) => {
                self.encrypted_extensions(core, message)
            }
            (State::CertificateRequest, HandshakeType::CERTIFICATE_REQUEST) => self.certificate_request(core, message),
            (State::CertificateRequest | State::Certificate, HandshakeType::CERTIFICATE) => {
                self.certificate(core, message)
            }
            (State::CertificateVerify, HandshakeType::CERTIFICATE_VERIFY) => self.certificate_verify(core, message),
            (State::Finished, HandshakeType::FINISHED) => self.finished(core, message),
            _ => Ok(Step::Unexpected),
        }
    }

    fn server_hello(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let hello = ServerHello::parse(&message.body)?;
        if !hello.chooses_v13() {
            let reason = "the server chose a version that was not offered";
            let told = self.retried.is_some() || hello.extensions.get(ExtensionType::SUPPORTED_VERSIONS).is_some();
            let alert = if told { AlertDescription::ILLEGAL_PARAMETER } else { AlertDescription::PROTOCOL_VERSION };
            return Err(Fault::refused(alert, reason));
        }
        // The version field of a ServerHello says nothing (RFC 8446 section 4.2.1).
        let version_matters = hello.is_retry();
        if version_matters && hello.server_version != ProtocolVersion::DTLS_1_2 || !hello.session_id.is_empty() {
            return Err(illegal("the server's version or session id is not as 1.3 has it"));
        }
        if hello.compression_method != 0 {
            return Err(illegal("the server chose compression"));
        }
        let suite = hello.cipher_suite;
        let Some(parts) = offered_suites(&core.config).find(|offered| *offered == suite).and_then(parts) else {
            return Err(illegal("the server chose a cipher suite that was not offered"));
        };
        check_extensions(core, &hello)?;
        if hello.is_retry() {
            return self.retry(core, message, &hello, parts);
        }
        if self.retried.is_some_and(|retried| retried != suite) {
            return Err(illegal("the server changed its mind about the cipher suite"));
        }
        let Some(share) = hello.extensions.get(ExtensionType::KEY_SHARE) else {
            return Err(Fault::refused(AlertDescription::MISSING_EXTENSION, "the server sent no share"));
        };
        let (group, share) = parse_key_share(share)?;
        let offer = self.offers.iter().find(|offer| offer.group() == group);
        let offer = offer.ok_or(illegal("the server chose a group without a share of ours"))?;
        let shared = offer.finish(share).map_err(|Failed| illegal("the server's public key is not acceptable"))?;
        options::begin(core);
        if let Some(id) = hello.extensions.get(ExtensionType::CONNECTION_ID) {
            options::take_answer(core, ProtocolVersion::DTLS_1_3, ExtensionType::CONNECTION_ID, id)?;
        }
        options::finish_answers(core);
        core.records.set_version(ProtocolVersion::DTLS_1_2);
        core.transcript.add_v13(HandshakeType::CLIENT_HELLO, &self.hello);
        core.received_v13(message);
        let internal = |Failed| Fault::internal("key schedule");
        let secrets =
            HandshakeSecrets::derive(&core.config.provider, parts, &shared, &core.transcript).map_err(internal)?;
        secrets.install(core, Role::Client, &self.random).map_err(internal)?;
        // The answer shows that the hello arrived.
        core.flight.begin();
        self.offers.clear();
        self.chosen = Some(Chosen { suite, parts, group, secrets });
        self.state = State::EncryptedExtensions;
        Ok(Step::Taken)
    }

    /// RFC 8446 section 4.1.4: the same hello with another share, or with the server's cookie, or both.
    fn retry(
        &mut self,
        core: &mut Core,
        message: &Message,
        hello: &ServerHello<'_>,
        parts: Parts,
    ) -> Result<Step, Fault> {
        if self.retried.is_some() {
            let reason = "the server asked for another hello twice";
            return Err(Fault::refused(AlertDescription::UNEXPECTED_MESSAGE, reason));
        }
        let cookie = hello.extensions.get(ExtensionType::COOKIE);
        let share = match hello.extensions.get(ExtensionType::KEY_SHARE) {
            Some(data) => {
                let group = NamedGroup(u16::from_be_bytes(data.try_into().map_err(|_| Fault::Malformed)?));
                let offered = groups(&core.config).any(|offered| offered == group);
                if !offered || self.offers.iter().any(|offer| offer.group() == group) {
                    return Err(illegal("the server asked for a group that was not offered, or for one it has"));
                }
                let offer = KeyOffer::generate(&core.config.provider, group, &mut core.seed.rng());
                Some(offer.map_err(|Failed| Fault::internal("key exchange"))?)
            }
            None if cookie.is_none() => return Err(illegal("the server asked for the same hello again")),
            None => None,
        };
        if let Some(offer) = share {
            self.offers = vec![offer];
        }
        core.records.set_version(ProtocolVersion::DTLS_1_2);
        core.transcript.add_v13(HandshakeType::CLIENT_HELLO, &self.hello);
        core.transcript.condense(&core.config.provider, parts.hash);
        core.received_v13(message);
        self.retried = Some(hello.cipher_suite);
        self.send_hello(core, cookie);
        Ok(Step::Answer)
    }

    fn encrypted_extensions(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let answers = EncryptedExtensions::parse(&message.body)?;
        for (extension, data) in answers.extensions.iter() {
            let known = extension == ExtensionType::SUPPORTED_GROUPS
                || extension != ExtensionType::CONNECTION_ID
                    && options::take_answer(core, ProtocolVersion::DTLS_1_3, extension, data)?.is_some();
            if !known {
                return Err(out_of_place(extension));
            }
        }
        core.received_v13(message);
        self.state = State::CertificateRequest;
        Ok(Step::Taken)
    }

    fn certificate_request(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let request = CertificateRequest13::parse(&message.body)?;
        let config = &core.config;
        let own = config.certificates().filter(|_| !config.anonymous_client);
        let mut own = own.filter_map(|ours| Some((ours.clone(), ours.scheme(SCHEMES, request.signature_schemes)?)));
        let requested = Requested { context: request.context.to_vec(), own: own.next() };
        drop(own);
        core.received_v13(message);
        self.requested = Some(requested);
        self.state = State::Certificate;
        Ok(Step::Taken)
    }

    fn certificate(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let chain = Certificate13::parse(&message.body)?;
        if !chain.context.is_empty() || chain.iter().next().is_none() {
            return Err(Fault::Malformed);
        }
        self.peer = Some(core.verify_certificate(chain.iter())?);
        core.received_v13(message);
        self.state = State::CertificateVerify;
        Ok(Step::Taken)
    }

    fn certificate_verify(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let (Some(chosen), Some((_, key))) = (&self.chosen, &self.peer) else { return Err(OUT_OF_ORDER) };
        proof::verify(Role::Server, core, message, key, chosen.parts)?;
        core.received_v13(message);
        self.state = State::Finished;
        Ok(Step::Taken)
    }

    /// The end of the server's flight, and ours in answer.
    fn finished(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let (Some(chosen), Some((certificate, _))) = (&self.chosen, &self.peer) else { return Err(OUT_OF_ORDER) };
        let internal = |Failed| Fault::internal("finished");
        let verified = chosen.secrets.is_verified(Role::Server, &core.transcript, &message.body);
        if !verified.map_err(internal)? {
            return Err(Fault::refused(AlertDescription::DECRYPT_ERROR, "the server's Finished is wrong"));
        }
        core.received_v13(message);
        let application = chosen.secrets.application(&core.transcript).map_err(internal)?;

        core.flight.begin();
        if let Some(requested) = &self.requested {
            let chain = requested.own.iter().flat_map(|(ours, _)| ours.chain());
            let body = Certificate13::write(&requested.context, chain);
            core.send_v13(HANDSHAKE_EPOCH, HandshakeType::CERTIFICATE, body);
            if let Some((ours, scheme)) = &requested.own {
                let own = (&**ours, *scheme);
                proof::send(Role::Client, core, HANDSHAKE_EPOCH, chosen.parts, own).map_err(internal)?;
            }
        }
        let finished = chosen.secrets.verify_data(Role::Client, &core.transcript).map_err(internal)?;
        core.send_v13(HANDSHAKE_EPOCH, HandshakeType::FINISHED, finished);
        core.transcript.clear();
        application.log(core, &self.random);
        application.install_read(core, Role::Client).map_err(internal)?;
        application.install_write(core, Role::Client).map_err(internal)?;
        self.session = Some(application.into_session(Role::Client));
        self.state = State::End;
        let info = core.session_info(ProtocolVersion::DTLS_1_3, chosen.suite, chosen.group, Some(certificate.clone()));
        Ok(Step::Connected(info))
    }
}

fn offered_suites(config: &Config) -> impl Iterator<Item = CipherSuite> {
    config.cipher_suites.iter().copied().filter(|suite| parts(*suite).is_some())
}

/// What a ServerHello of 1.3 may hold (RFC 8446 section 4.1.3), a HelloRetryRequest a cookie besides.
fn check_extensions(core: &Core, hello: &ServerHello<'_>) -> Result<(), Fault> {
    let retry = hello.is_retry();
    let foreign = hello.extensions.iter().find(|(extension, _)| match *extension {
        ExtensionType::SUPPORTED_VERSIONS | ExtensionType::KEY_SHARE => false,
        ExtensionType::COOKIE => !retry,
        ExtensionType::CONNECTION_ID => retry || core.connection_id.is_none(),
        _ => true,
    });
    foreign.map_or(Ok(()), |(extension, _)| Err(out_of_place(extension)))
}

/// An extension of the server's where none such may be: one that we know is in the wrong message, any other answers
/// what was not asked (RFC 8446 section 4.2).
fn out_of_place(extension: ExtensionType) -> Fault {
    match extension {
        ExtensionType::SUPPORTED_VERSIONS
        | ExtensionType::KEY_SHARE
        | ExtensionType::COOKIE
        | ExtensionType::CONNECTION_ID
        | ExtensionType::SUPPORTED_GROUPS
        | ExtensionType::SIGNATURE_ALGORITHMS
        | ExtensionType::EXTENDED_MASTER_SECRET
        | ExtensionType::EC_POINT_FORMATS
        | ExtensionType::RENEGOTIATION_INFO => illegal("the server put an extension into the wrong message"),
        _ => {
            let reason = "the server answers an extension that was not offered";
            Fault::refused(AlertDescription::UNSUPPORTED_EXTENSION, reason)
        }
    }
}
