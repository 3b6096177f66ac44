//! The client's side of the handshake.

use std::sync::Arc;

use super::key_schedule::{Secrets, Sender};
use super::suite::{Parts, SCHEMES, groups, parts, schemes, suites};
use crate::certificate::Certificate;
use crate::crypto::{Failed, PeerKey};
use crate::error::Fault;
use crate::handshake::{Core, Step};
use crate::options;
use crate::reassembly::Message;
use crate::record::{Protection, ReadEpoch, WriteEpoch};
use crate::wire::{
    AlertDescription, CertificateMessage, CertificateRequest, CipherSuite, ClientCertificateType, ClientKeyExchange,
    DecodeError, DigitallySigned, ExtensionType, HandshakeType, HelloVerifyRequest, NamedGroup, Offer, ProtocolVersion,
    ServerHello, ServerKeyExchange, SignatureScheme,
};

/// HelloVerifyRequests answered before giving up on the server.
const MAX_COOKIES: u8 = 3;

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    ServerHello,
    Certificate,
    ServerKeyExchange,
    /// Or ServerHelloDone: the request is optional.
    CertificateRequest,
    ServerHelloDone,
    Finished,
    End,
}

/// What the server chose in its ServerHello.
#[derive(Clone, Copy)]
struct Chosen {
    suite: CipherSuite,
    parts: Parts,
    server_random: [u8; 32],
}

/// A client of DTLS 1.2.
pub(crate) struct Client {
    state: State,
    random: [u8; 32],
    /// The first hello.
    hello: Vec<u8>,
    cookies: u8,
    chosen: Option<Chosen>,
    peer: Option<(Vec<u8>, PeerKey)>,
    /// The server's group and public key.
    share: Option<(NamedGroup, Vec<u8>)>,
    /// Whether the server asked for a certificate.
    requested: bool,
    /// The certificate of ours that the server takes, and how to sign with it.
    own: Option<(Arc<Certificate>, SignatureScheme)>,
    secrets: Option<Secrets>,
}

const OUT_OF_ORDER: Fault = Fault::internal("handshake state without what the state before it left");

impl Client {
    /// Makes the first ClientHello.
    pub(crate) fn start(core: &mut Core) -> Self {
        let random = core.random();
        let config = core.config.clone();
        let offer = Offer {
            random: &random,
            versions: &[ProtocolVersion::DTLS_1_2],
            suites: &suites(&config).collect::<Vec<_>>(),
            groups: &groups(&config).collect::<Vec<_>>(),
            schemes: &schemes(&config),
            others: &options::offered(core),
            key_share: &[],
            cookie: None,
        };
        let hello = offer.write();
        core.flight.begin();
        core.flight.push(0, HandshakeType::CLIENT_HELLO, hello.clone());
        Self::go_on(core, random, hello)
    }

    /// Goes on after a first ClientHello, that of a client of 1.3 perhaps, whose server speaks 1.2.
    pub(crate) fn go_on(core: &mut Core, random: [u8; 32], hello: Vec<u8>) -> Self {
        core.transcript.clear();
        core.transcript.add_v12(HandshakeType::CLIENT_HELLO, 0, &hello);
        Self {
            state: State::ServerHello,
            random,
            hello,
            cookies: 0,
            chosen: None,
            peer: None,
            share: None,
            requested: false,
            own: None,
            secrets: None,
        }
    }

    pub(crate) fn secrets(&self) -> Option<&Secrets> {
        self.secrets.as_ref()
    }

    /// Handles one message of the server.
    pub(crate) fn handle(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        // Finished alone comes under the new keys, and it never comes without.
        if (message.message_type == HandshakeType::FINISHED) != (message.epoch == 1) {
            return Ok(Step::Unexpected);
        }
        match (self.state, message.message_type) {
            (State::ServerHello, HandshakeType::HELLO_VERIFY_REQUEST) => self.hello_verify_request(core, message),
            (State::ServerHello, HandshakeType::SERVER_HELLO) => self.server_hello(core, message),
            (State::Certificate, HandshakeType::CERTIFICATE) => self.certificate(core, message),
            (State::ServerKeyExchange, HandshakeType::SERVER_KEY_EXCHANGE) => self.server_key_exchange(core, message),
            (State::CertificateRequest, HandshakeType::CERTIFICATE_REQUEST) => self.certificate_request(core, message),
            (State::CertificateRequest | State::ServerHelloDone, HandshakeType::SERVER_HELLO_DONE) => {
                self.server_hello_done(core, message)
            }
            (State::Finished, HandshakeType::FINISHED) => self.finished(core, message),
            _ => Ok(Step::Unexpected),
        }
    }

    /// RFC 6347 section 4.2.1: the same hello again, with the cookie. Neither the first one nor the request counts for
    /// the transcript.
    fn hello_verify_request(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let request = HelloVerifyRequest::parse(&message.body)?;
        if self.cookies == MAX_COOKIES {
            return Ok(Step::Unexpected);
        }
        self.cookies += 1;
        core.transcript.clear();
        core.flight.begin();
        core.send_v12(0, HandshakeType::CLIENT_HELLO, Offer::with_cookie(&self.hello, request.cookie));
        Ok(Step::Answer)
    }

    fn server_hello(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let hello = ServerHello::parse(&message.body)?;
        let refused = |alert, reason| Err(Fault::refused(alert, reason));
        if hello.server_version != ProtocolVersion::DTLS_1_2 {
            return refused(AlertDescription::PROTOCOL_VERSION, "the server chose a version that was not offered");
        }
        let Some(parts) = suites(&core.config).find(|offered| *offered == hello.cipher_suite).and_then(parts) else {
            return refused(
                AlertDescription::ILLEGAL_PARAMETER,
                "the server chose a cipher suite that was not offered",
            );
        };
        // RFC 8446 section 4.1.3: had it got our hello as we sent it, this server would have chosen 1.3.
        if core.config.speaks(ProtocolVersion::DTLS_1_3) && hello.signals_downgrade() {
            return refused(AlertDescription::ILLEGAL_PARAMETER, "somebody made the server choose an older version");
        }
        if hello.compression_method != 0 {
            return refused(AlertDescription::ILLEGAL_PARAMETER, "the server chose compression");
        }
        check_extensions(core, &hello)?;
        options::finish_answers(core);
        core.records.set_version(ProtocolVersion::DTLS_1_2);
        core.received_v12(message);
        self.chosen = Some(Chosen { suite: hello.cipher_suite, parts, server_random: hello.random });
        self.state = State::Certificate;
        Ok(Step::Taken)
    }

    fn certificate(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let chain = CertificateMessage::parse(&message.body)?;
        let chosen = self.chosen.ok_or(OUT_OF_ORDER)?;
        let (certificate, key) = core.verify_certificate(chain.iter())?;
        if key.is_rsa() != chosen.parts.rsa {
            return Err(Fault::refused(
                AlertDescription::UNSUPPORTED_CERTIFICATE,
                "the server's key does not fit its cipher suite",
            ));
        }
        core.received_v12(message);
        self.peer = Some((certificate, key));
        self.state = State::ServerKeyExchange;
        Ok(Step::Taken)
    }

    fn server_key_exchange(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let exchange = ServerKeyExchange::parse(&message.body)?;
        let (Some(chosen), Some((_, key))) = (&self.chosen, &self.peer) else { return Err(OUT_OF_ORDER) };
        if !groups(&core.config).any(|offered| offered == exchange.group) {
            return Err(Fault::refused(
                AlertDescription::ILLEGAL_PARAMETER,
                "the server chose a group that was not offered",
            ));
        }
        let signed = [&self.random, &chosen.server_random, exchange.params].concat();
        verify(core, key, &exchange.signed, &signed)?;
        core.received_v12(message);
        self.share = Some((exchange.group, exchange.public.to_vec()));
        self.state = State::CertificateRequest;
        Ok(Step::Taken)
    }

    fn certificate_request(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let request = CertificateRequest::parse(&message.body)?;
        let own = core.config.certificates().filter(|_| !core.config.anonymous_client).find_map(|ours| {
            let rsa = ours.is_rsa();
            let kind = if rsa { ClientCertificateType::RSA_SIGN } else { ClientCertificateType::ECDSA_SIGN };
            let takes = request.certificate_types.contains(&kind.0);
            let scheme = ours.scheme(SCHEMES, request.signature_schemes).filter(|_| takes)?;
            Some((ours.clone(), scheme))
        });
        core.received_v12(message);
        self.requested = true;
        self.own = own;
        self.state = State::ServerHelloDone;
        Ok(Step::Taken)
    }

    /// The end of the server's flight, and ours in answer.
    fn server_hello_done(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        if !message.body.is_empty() {
            return Err(DecodeError.into());
        }
        let (Some(chosen), Some((group, public))) = (self.chosen, &self.share) else { return Err(OUT_OF_ORDER) };
        let internal = |Failed| Fault::internal("key exchange");
        let share = core.config.provider.key_agreement(*group, &mut core.seed.rng()).map_err(internal)?;
        let premaster = share.agree(public).map_err(|Failed| {
            Fault::refused(AlertDescription::ILLEGAL_PARAMETER, "the server's public key is not acceptable")
        })?;
        core.received_v12(message);

        core.flight.begin();
        if self.requested {
            let chain = self.own.iter().flat_map(|(ours, _)| ours.chain());
            core.send_v12(0, HandshakeType::CERTIFICATE, CertificateMessage::write(chain));
        }
        core.send_v12(0, HandshakeType::CLIENT_KEY_EXCHANGE, ClientKeyExchange::write(share.public()));
        let secrets = Secrets::derive(core, chosen.parts, &premaster, self.random, chosen.server_random);
        if let Some((ours, scheme)) = &self.own {
            let signature = ours.key().sign(*scheme, core.transcript.bytes()).map_err(internal)?;
            let mut body = Vec::with_capacity(signature.len().saturating_add(4));
            DigitallySigned { scheme: *scheme, signature: &signature }.write(&mut body);
            core.send_v12(0, HandshakeType::CERTIFICATE_VERIFY, body);
        }
        let keys = secrets.keys().map_err(internal)?;
        core.records.install_write(WriteEpoch::new(1, Protection::V12(Box::new(keys.client_write))));
        core.records.install_read(ReadEpoch::new(1, Protection::V12(Box::new(keys.server_write))));
        core.flight.push_change_cipher_spec(0);
        let finished = secrets.verify_data(Sender::Client, &core.transcript);
        core.send_v12(1, HandshakeType::FINISHED, finished.to_vec());
        self.secrets = Some(secrets);
        self.state = State::Finished;
        Ok(Step::Answer)
    }

    fn finished(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        let (Some(chosen), Some(secrets)) = (self.chosen, &self.secrets) else { return Err(OUT_OF_ORDER) };
        if !secrets.is_verified(Sender::Server, &core.transcript, &message.body) {
            return Err(Fault::refused(AlertDescription::DECRYPT_ERROR, "the server's Finished is wrong"));
        }
        let (Some((certificate, _)), Some((group, _))) = (self.peer.take(), self.share.take()) else {
            return Err(OUT_OF_ORDER);
        };
        // The server has our last flight, or it could not have finished.
        core.flight.begin();
        core.transcript.clear();
        self.state = State::End;
        let info = core.session_info(ProtocolVersion::DTLS_1_2, chosen.suite, group, Some(certificate));
        Ok(Step::Connected(info))
    }
}

/// A server answers what was offered, nothing else (RFC 5246 section 7.4.1.4).
fn check_extensions(core: &mut Core, hello: &ServerHello<'_>) -> Result<(), Fault> {
    let mut extended_master_secret = false;
    options::begin(core);
    for (extension_type, data) in hello.extensions.iter() {
        match extension_type {
            ExtensionType::EXTENDED_MASTER_SECRET if data.is_empty() => extended_master_secret = true,
            ExtensionType::EXTENDED_MASTER_SECRET => return Err(Fault::Malformed),
            // RFC 5746 section 3.4: an initial handshake renegotiates nothing.
            ExtensionType::RENEGOTIATION_INFO if data != [0] => {
                return Err(Fault::refused(
                    AlertDescription::HANDSHAKE_FAILURE,
                    "the server's renegotiation_info is not empty",
                ));
            }
            // RFC 8422 section 5.2: uncompressed points must be among them.
            ExtensionType::EC_POINT_FORMATS if !data.get(1..).is_some_and(|formats| formats.contains(&0)) => {
                return Err(Fault::refused(
                    AlertDescription::ILLEGAL_PARAMETER,
                    "the server takes no uncompressed points",
                ));
            }
            ExtensionType::RENEGOTIATION_INFO | ExtensionType::EC_POINT_FORMATS | ExtensionType::SUPPORTED_GROUPS => {}
            _ if options::take_answer(core, ProtocolVersion::DTLS_1_2, extension_type, data)?.is_some() => {}
            _ => {
                return Err(Fault::refused(
                    AlertDescription::UNSUPPORTED_EXTENSION,
                    "the server answers an extension that was not offered",
                ));
            }
        }
    }
    if extended_master_secret {
        return Ok(());
    }
    // RFC 7627 section 5.2: without it, keys are not bound to this handshake. Nothing of the last ten years lacks it.
    Err(Fault::refused(AlertDescription::HANDSHAKE_FAILURE, "the server lacks the extended master secret"))
}

/// Verifies a signature by a scheme that we offered.
pub(super) fn verify(core: &Core, key: &PeerKey, signed: &DigitallySigned<'_>, message: &[u8]) -> Result<(), Fault> {
    if !schemes(&core.config).contains(&signed.scheme) {
        return Err(Fault::refused(
            AlertDescription::ILLEGAL_PARAMETER,
            "the peer signed with a scheme that was not offered",
        ));
    }
    key.verify_v12(signed.scheme, message, signed.signature)
        .map_err(|Failed| Fault::refused(AlertDescription::DECRYPT_ERROR, "the peer's signature is wrong"))
}
