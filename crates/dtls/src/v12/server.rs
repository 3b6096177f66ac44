//! The server's side of the handshake.

use std::sync::Arc;

use super::client::verify;
use super::key_schedule::{Secrets, Sender};
use super::suite::{Parts, SCHEMES, groups, parts, schemes, suites};
use crate::certificate::Certificate;
use crate::config::{ClientAuthentication, Config};
use crate::crypto::{Failed, KeyAgreement, PeerKey};
use crate::error::Fault;
use crate::handshake::{Core, Step};
use crate::options;
use crate::reassembly::Message;
use crate::record::{Protection, ReadEpoch, V12Keys, WriteEpoch};
use crate::wire::{
    AlertDescription, CertificateMessage, CertificateRequest, CipherSuite, ClientCertificateType, ClientHello,
    ClientKeyExchange, DOWNGRADE_SENTINEL, DigitallySigned, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion,
    ServerHello, ServerKeyExchange, SignatureScheme,
};

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    ClientHello,
    Certificate,
    ClientKeyExchange,
    CertificateVerify,
    Finished,
    End,
}

/// What the hellos agreed on.
struct Agreed {
    suite: CipherSuite,
    parts: Parts,
    group: NamedGroup,
    share: Box<dyn KeyAgreement>,
    client_random: [u8; 32],
    server_random: [u8; 32],
}

/// What is chosen of a ClientHello.
struct Choice {
    suite: CipherSuite,
    parts: Parts,
    group: NamedGroup,
    /// The certificate of ours that the client can verify.
    own: Arc<Certificate>,
    /// How to sign with it.
    scheme: SignatureScheme,
}

/// A server of DTLS 1.2.
///
/// It sends no HelloVerifyRequest: its place is behind ICE, where the peer's address was proven by an authenticated
/// check. On a bare socket, where it was not, its flight 4 amplifies what a forged ClientHello makes it send.
pub(crate) struct Server {
    state: State,
    agreed: Option<Agreed>,
    peer: Option<(Vec<u8>, PeerKey)>,
    secrets: Option<Secrets>,
    /// Our keys, until our ChangeCipherSpec.
    pending_write: Option<V12Keys>,
}

const OUT_OF_ORDER: Fault = Fault::internal("handshake state without what the state before it left");

impl Server {
    pub(crate) fn new() -> Self {
        Self { state: State::ClientHello, agreed: None, peer: None, secrets: None, pending_write: None }
    }

    pub(crate) fn secrets(&self) -> Option<&Secrets> {
        self.secrets.as_ref()
    }

    /// Handles one message of the client.
    pub(crate) fn handle(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        // Finished alone comes under the new keys, and it never comes without.
        if (message.message_type == HandshakeType::FINISHED) != (message.epoch == 1) {
            return Ok(Step::Unexpected);
        }
        match (self.state, message.message_type) {
            (State::ClientHello, HandshakeType::CLIENT_HELLO) => self.client_hello(core, message),
            (State::Certificate, HandshakeType::CERTIFICATE) => self.certificate(core, message),
            (State::ClientKeyExchange, HandshakeType::CLIENT_KEY_EXCHANGE) => self.client_key_exchange(core, message),
            (State::CertificateVerify, HandshakeType::CERTIFICATE_VERIFY) => self.certificate_verify(core, message),
            (State::Finished, HandshakeType::FINISHED) => self.finished(core, message),
            _ => Ok(Step::Unexpected),
        }
    }

    /// The client's flight, and ours in answer.
    fn client_hello(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let hello = ClientHello::parse(&message.body)?;
        let internal = |Failed| Fault::internal("key exchange");
        let Choice { suite, parts, group, own, scheme } = negotiate(&hello, &core.config)?;
        let answers = options::answer(core, ProtocolVersion::DTLS_1_2, &hello.extensions)?.hello;
        let share = core.config.provider.key_agreement(group, &mut core.seed.rng()).map_err(internal)?;
        let mut server_random = core.random();
        if core.config.speaks(ProtocolVersion::DTLS_1_3)
            && let Some(end) = server_random.last_chunk_mut()
        {
            *end = DOWNGRADE_SENTINEL;
        }
        core.records.set_version(ProtocolVersion::DTLS_1_2);
        core.received_v12(message);

        core.flight.begin();
        let formats = hello.extensions.get(ExtensionType::EC_POINT_FORMATS).is_some();
        let answer = ServerHello::write_v12(&server_random, suite, hello.secure_renegotiation(), formats, &answers);
        core.send_v12(0, HandshakeType::SERVER_HELLO, answer);
        let config = core.config.clone();
        let chain = CertificateMessage::write(own.chain());
        core.send_v12(0, HandshakeType::CERTIFICATE, chain);
        let mut exchange = ServerKeyExchange::write_params(group, share.public());
        let signed = [&hello.random[..], &server_random[..], &exchange].concat();
        let signature = own.key().sign(scheme, &signed).map_err(internal)?;
        DigitallySigned { scheme, signature: &signature }.write(&mut exchange);
        core.send_v12(0, HandshakeType::SERVER_KEY_EXCHANGE, exchange);
        if config.client_authentication == ClientAuthentication::None {
            self.state = State::ClientKeyExchange;
        } else {
            let types = [ClientCertificateType::ECDSA_SIGN, ClientCertificateType::RSA_SIGN];
            core.send_v12(0, HandshakeType::CERTIFICATE_REQUEST, CertificateRequest::write(&types, &schemes(&config)));
            self.state = State::Certificate;
        }
        core.send_v12(0, HandshakeType::SERVER_HELLO_DONE, Vec::new());
        self.agreed = Some(Agreed { suite, parts, group, share, client_random: hello.random, server_random });
        Ok(Step::Answer)
    }

    fn certificate(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let chain = CertificateMessage::parse(&message.body)?;
        if chain.iter().next().is_some() {
            self.peer = Some(core.verify_certificate(chain.iter())?);
        } else if core.config.client_authentication == ClientAuthentication::Required {
            return Err(Fault::refused(AlertDescription::HANDSHAKE_FAILURE, "the client sent no certificate"));
        }
        core.received_v12(message);
        self.state = State::ClientKeyExchange;
        Ok(Step::Taken)
    }

    fn client_key_exchange(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let exchange = ClientKeyExchange::parse(&message.body)?;
        let agreed = self.agreed.as_ref().ok_or(OUT_OF_ORDER)?;
        let internal = |Failed| Fault::internal("key exchange");
        let premaster = agreed.share.agree(exchange.public).map_err(|Failed| {
            Fault::refused(AlertDescription::ILLEGAL_PARAMETER, "the client's public key is not acceptable")
        })?;
        core.received_v12(message);
        let secrets = Secrets::derive(core, agreed.parts, &premaster, agreed.client_random, agreed.server_random);
        let keys = secrets.keys().map_err(internal)?;
        core.records.install_read(ReadEpoch::new(1, Protection::V12(Box::new(keys.client_write))));
        self.pending_write = Some(keys.server_write);
        self.secrets = Some(secrets);
        self.state = if self.peer.is_some() { State::CertificateVerify } else { State::Finished };
        Ok(Step::Taken)
    }

    fn certificate_verify(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let signed = DigitallySigned::parse(&message.body)?;
        let (_, key) = self.peer.as_ref().ok_or(OUT_OF_ORDER)?;
        verify(core, key, &signed, core.transcript.bytes())?;
        core.received_v12(message);
        self.state = State::Finished;
        Ok(Step::Taken)
    }

    fn finished(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let (Some(secrets), Some(write)) = (&self.secrets, self.pending_write.take()) else {
            return Err(OUT_OF_ORDER);
        };
        if !secrets.is_verified(Sender::Client, &core.transcript, &message.body) {
            return Err(Fault::refused(AlertDescription::DECRYPT_ERROR, "the client's Finished is wrong"));
        }
        core.received_v12(message);
        core.flight.begin();
        core.records.install_write(WriteEpoch::new(1, Protection::V12(Box::new(write))));
        core.flight.push_change_cipher_spec(0);
        let finished = secrets.verify_data(Sender::Server, &core.transcript);
        core.send_v12(1, HandshakeType::FINISHED, finished.to_vec());
        core.transcript.clear();
        self.state = State::End;
        let agreed = self.agreed.take().ok_or(OUT_OF_ORDER)?;
        let certificate = self.peer.take().map(|(certificate, _)| certificate);
        let info = core.session_info(ProtocolVersion::DTLS_1_2, agreed.suite, agreed.group, certificate);
        Ok(Step::Connected(info))
    }
}

/// Chooses of what the client offers. Numbers that are not known, GREASE among them, are passed over.
fn negotiate(hello: &ClientHello<'_>, config: &Config) -> Result<Choice, Fault> {
    let failure = |reason| Fault::refused(AlertDescription::HANDSHAKE_FAILURE, reason);
    if !config.speaks(ProtocolVersion::DTLS_1_2) {
        return Err(Fault::refused(AlertDescription::PROTOCOL_VERSION, "the client does not offer DTLS 1.3"));
    }
    if !hello.offers_version(ProtocolVersion::DTLS_1_2)? {
        return Err(Fault::refused(AlertDescription::PROTOCOL_VERSION, "the client does not offer DTLS 1.2"));
    }
    if !hello.compression_methods.contains(&0) {
        return Err(Fault::refused(AlertDescription::ILLEGAL_PARAMETER, "the client insists on compression"));
    }
    match hello.extensions.get(ExtensionType::EXTENDED_MASTER_SECRET) {
        Some([]) => {}
        Some(_) => return Err(Fault::Malformed),
        // RFC 7627 section 5.3: without it, keys are not bound to this handshake.
        None => return Err(failure("the client lacks the extended master secret")),
    }
    // RFC 5746 section 3.6: an initial handshake renegotiates nothing.
    if hello.extensions.get(ExtensionType::RENEGOTIATION_INFO).is_some_and(|data| data != [0]) {
        return Err(failure("the client's renegotiation_info is not empty"));
    }
    let formats = hello.extensions.get(ExtensionType::EC_POINT_FORMATS);
    if formats.is_some_and(|data| !data.get(1..).is_some_and(|formats| formats.contains(&0))) {
        return Err(Fault::refused(AlertDescription::ILLEGAL_PARAMETER, "the client takes no uncompressed points"));
    }
    let schemes = hello.extensions.numbers(ExtensionType::SIGNATURE_ALGORITHMS)?;
    let curves = hello.extensions.numbers(ExtensionType::SUPPORTED_GROUPS)?;
    let group = match curves {
        Some(offered) => groups(config).find(|group| offered.contains(group.0)),
        // RFC 8422 section 4: then the choice is the server's; P-256 is what everybody has.
        None => Some(NamedGroup::SECP256R1),
    };
    let group = group.ok_or(failure("no group in common"))?;
    let fit = |own: &Arc<Certificate>| {
        let scheme = schemes.and_then(|schemes| own.scheme(SCHEMES, schemes));
        let scheme = scheme.ok_or(failure("the client cannot verify our signature"))?;
        // RFC 8422 section 5.3: the client's list is about certificates, too.
        if curves.is_some_and(|offered| own.curve().is_some_and(|curve| !offered.contains(curve.0))) {
            return Err(failure("the client does not take certificates on our curve"));
        }
        // The suite names the kind of our key: RSA, or ECDSA with EdDSA (RFC 8422 section 5.3).
        let (suite, parts) = suites(config)
            .filter(|suite| hello.cipher_suites.contains(suite.0))
            .find_map(|suite| Some((suite, parts(suite).filter(|parts| parts.rsa == own.is_rsa())?)))
            .ok_or(failure("no cipher suite in common"))?;
        Ok(Choice { suite, parts, group, own: own.clone(), scheme })
    };
    // If none fits, what is wrong with the preferred one is told.
    let preferred = fit(&config.certificate);
    preferred.or_else(|fault| config.other_certificates.iter().find_map(|own| fit(own).ok()).ok_or(fault))
}
