//! Hellos of DTLS 1.3 written by hand: what is taken, what is refused, what is passed over.

use weft_core::{Instant, Layer, Rng};
use weft_dtls::wire::{
    Alert, CertificateRequest13, ClientHello, ContentType, ExtensionType, Fragment, HandshakeType, KeyShares,
    RECORD_HEADER, RecordHeader, ServerHello, UnifiedHeader, parse_key_share,
};
use weft_dtls::{AlertDescription, CipherSuite, Config, Connection, Error, NamedGroup, ProtocolVersion, Role};

use crate::hellos::{Hello, list, record, take};
use crate::link::config_any;

const V13: [u8; 2] = [0xFE, 0xFC];
const RETRY: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91, 0xC2, 0xA2, 0x11,
    0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// One share as the extension of a ServerHello has it.
fn share(group: u16, key: &[u8]) -> Vec<u8> {
    [&group.to_be_bytes()[..], &(key.len() as u16).to_be_bytes(), key].concat()
}

/// The same as the extension of a ClientHello.
fn shares(group: u16, key: &[u8]) -> Vec<u8> {
    let one = share(group, key);
    [&(one.len() as u16).to_be_bytes()[..], &one].concat()
}

pub(crate) fn client_hello() -> Hello {
    let suites = vec![0x1301];
    Hello { suites, ..Hello::client() }.with(43, &[2, V13[0], V13[1]]).with(51, &shares(29, &[9; 32]))
}

fn server_hello() -> Hello {
    let extensions = vec![(43, V13.to_vec()), (51, share(29, &[9; 32]))];
    Hello { random: [0x66; 32], suites: vec![0x1301], extensions, ..Hello::client() }
}

fn retry_for(group: u16) -> Hello {
    Hello { random: RETRY, ..server_hello() }.with(51, &group.to_be_bytes())
}

fn give(to: &mut Connection, message_type: HandshakeType, message_seq: u16, body: &[u8]) -> Result<(), Error> {
    to.handle_input(Instant::ORIGIN, &mut record(message_type, message_seq, body)).map(drop)
}

fn server() -> Connection {
    Connection::new(config_any(Role::Server).into(), Role::Server, Rng::from_test_seed(1))
}

fn started(config: Config) -> (Connection, Vec<u8>) {
    let mut client = Connection::new(config.into(), Role::Client, Rng::from_test_seed(2));
    client.start(Instant::ORIGIN);
    let hello = first_message(&take(&mut client));
    (client, hello)
}

/// A client with a hello that fits into one datagram.
fn client() -> (Connection, Vec<u8>) {
    let mut config = config_any(Role::Client);
    config.groups = vec![NamedGroup::X25519, NamedGroup::SECP256R1];
    started(config)
}

/// The message that begins with the first record, put together from its fragments.
fn first_message(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    for datagram in datagrams {
        let (fragment, _) = Fragment::parse(&datagram[RECORD_HEADER..record_end(datagram)]).unwrap();
        assert_eq!(fragment.offset, body.len());
        body.extend_from_slice(fragment.body);
        if body.len() == fragment.length {
            break;
        }
    }
    body
}

fn record_end(datagram: &[u8]) -> usize {
    RECORD_HEADER + usize::from(RecordHeader::parse(datagram).unwrap().length)
}

/// What the alert record says that is alone in the datagrams.
fn told(connection: &mut Connection) -> Alert {
    let datagrams = take(connection);
    assert_eq!(datagrams.len(), 1);
    assert_eq!(datagrams[0].len(), RECORD_HEADER + 2);
    Alert::parse(&datagrams[0][RECORD_HEADER..]).unwrap()
}

//= rfc8446#2.1
//# If no common cryptographic parameters can be negotiated, the server MUST abort the handshake with an appropriate alert.
//= rfc8446#4.1.1
//# If there is no overlap between the received "supported_groups" and the groups supported by the server, then the server
//# MUST abort the handshake with a "handshake_failure" or an "insufficient_security" alert.
//= rfc8446#4.1.1
//# If the server is unable to negotiate a supported set of parameters (i.e., there is no overlap between the client and
//# server parameters), it MUST abort the handshake with either a "handshake_failure" or "insufficient_security" fatal
//# alert (see Section 6).
//= rfc8446#4.1.2
//# If a TLS 1.3 ClientHello is received with any other value in this field, the server MUST abort the handshake with an
//# "illegal_parameter" alert.
//= rfc9147#5.3
//# If a DTLS 1.3 ClientHello is received with any other value in this field, the server MUST abort the handshake with an
//# "illegal_parameter" alert.
//= rfc8446#4.2.3
//# If a server is authenticating via a certificate and the client has not sent a "signature_algorithms" extension, then
//# the server MUST abort the handshake with a "missing_extension" alert (see Section 9.2).
//= rfc8446#9.2
//# Servers receiving a ClientHello which does not conform to these requirements MUST abort the handshake with a
//# "missing_extension" alert.
//= rfc8446#6
//# Peers which receive a message which is syntactically correct but semantically invalid (e.g., a DHE share of p - 1, or
//# an invalid enum) MUST terminate the connection with an "illegal_parameter" alert.
//= rfc8446#7.4.2
//# Implementations MUST check whether the computed Diffie-Hellman shared secret is the all-zero value and abort if so, as
//# described in Section 6 of [RFC7748].
//= rfc8446#6.2
//# The phrases "terminate the connection with an X alert" and "abort the handshake with an X alert" mean that the
//# implementation MUST send alert X if it sends any alert.
//= rfc8446#5.1
//# In other words, a record with an Alert type MUST contain exactly one message.
//= rfc8446#4.4.2.2
//# The server's end-entity certificate's public key (and associated restrictions) MUST be compatible with the selected
//# authentication algorithm from the client's "signature_algorithms" extension (currently RSA, ECDSA, or EdDSA).
#[test]
fn client_hellos_without_agreement_are_refused_with_the_right_alert() {
    let failure = AlertDescription::HANDSHAKE_FAILURE;
    let missing = AlertDescription::MISSING_EXTENSION;
    let illegal = AlertDescription::ILLEGAL_PARAMETER;
    let cases = [
        (Hello { suites: vec![0xC02B, 0x1304, 0x1305], ..client_hello() }, failure),
        (client_hello().with(10, &list(&[0x1A1A, 256])).with(51, &shares(256, &[1; 256])), failure),
        (client_hello().with(13, &list(&[0x0401, 0x0807])), failure),
        (client_hello().without(13), missing),
        (client_hello().without(10), missing),
        (client_hello().without(51), missing),
        (Hello { compression: vec![0, 1], ..client_hello() }, illegal),
        (Hello { compression: vec![1], ..client_hello() }, illegal),
        (Hello { cookie: vec![7; 20], ..client_hello() }, illegal),
        (client_hello().with(10, &list(&[23])), illegal),
        (client_hello().with(51, &shares(29, &[0; 32])), illegal),
        (client_hello().with(51, &shares(29, &[9; 31])), illegal),
        (client_hello().with(10, &list(&[23])).with(51, &shares(23, &[&[4][..], &[1; 64]].concat())), illegal),
    ];
    for (n, (hello, expected)) in cases.into_iter().enumerate() {
        let mut server = server();
        let error = give(&mut server, HandshakeType::CLIENT_HELLO, 0, &hello.client_body()).unwrap_err();
        assert_eq!(error.alert_sent(), Some(expected), "case {n}: {error}");
        assert_eq!(told(&mut server), Alert::fatal(expected));
    }
}

//= rfc8446#4.1.2
//# If the list contains cipher suites that the server does not recognize, support, or wish to use, the server MUST ignore
//# those cipher suites and process the remaining ones as usual.
//= rfc8446#4.1.2
//# Servers MUST ignore unrecognized extensions.
//= rfc8446#4.2.1
//# If this extension is present in the ClientHello, servers MUST NOT use the ClientHello.legacy_version value for version
//# negotiation and MUST use only the "supported_versions" extension to determine client preferences.
//= rfc8446#4.2.1
//# Servers MUST only select a version of TLS present in that extension and MUST ignore any unknown versions that are
//# present in that extension.
//= rfc8446#4.2.1
//# A server which negotiates TLS 1.3 MUST respond by sending a "supported_versions" extension containing the selected
//# version value (0x0304).
//= rfc8446#4.1.3
//# All TLS 1.3 ServerHello messages MUST contain the "supported_versions" extension.
//= rfc8446#4.1.3
//# The ServerHello MUST only include extensions which are required to establish the cryptographic context and negotiate
//# the protocol version.
//= rfc8446#4.1.3
//# legacy_compression_method: A single byte which MUST have the value 0.
//= rfc8446#4.1.3
//# This structure is generated by the server and MUST be generated independently of the ClientHello.random.
//= rfc8446#4.2
//# Implementations MUST NOT send extension responses if the remote endpoint did not send the corresponding extension
//# requests, with the exception of the "cookie" extension in the HelloRetryRequest.
//= rfc8446#4.2.8
//# This value MUST be in the same group as the KeyShareEntry value offered by the client that the server has selected for
//# the negotiated key exchange.
//= rfc8446#4.4.2.1
//# TLS 1.3 servers MUST be able to process ClientHello messages that include it, as it MAY be sent by clients that wish to
//# use it in earlier protocol versions.
//= rfc8446#9.3
//# A server receiving a ClientHello MUST correctly ignore all unrecognized cipher suites, extensions, and other
//# parameters.
//= rfc8446#D.2
//# If the "supported_versions" extension is present, the server MUST negotiate using that extension as described in
//# Section 4.2.1.
//= rfc9147#5
//# DTLS servers MUST NOT echo the "legacy_session_id" value from the client and endpoints MUST NOT send ChangeCipherSpec
//# messages.
//= rfc9147#4
//# legacy_record_version: This value MUST be set to {254, 253} for all records other than the initial ClientHello (i.e.,
//# one not generated after a HelloRetryRequest), where it may also be {254, 255} for compatibility purposes.
//= rfc8446#4.1.3
//# In TLS 1.3, the TLS server indicates its version using the "supported_versions" extension (Section 4.2.1), and the
//# legacy_version field MUST be set to 0x0303, which is the version number for TLS 1.2.
//= rfc8446#4.2.1
//# It MUST set the ServerHello.legacy_version field to 0x0303 (TLS 1.2).
//= rfc8446#4.4.2.1
//# TLS 1.3 servers MUST NOT act upon its presence or information in it when processing ClientHello messages; in
//# particular, they MUST NOT send the status_request_v2 extension in the EncryptedExtensions, CertificateRequest, or
//# Certificate messages.
//= rfc8446#4.2.8
//# Servers MUST NOT send a KeyShareEntry for any group not indicated in the client's "supported_groups" extension and
//# MUST NOT send a KeyShareEntry when using the "psk_ke" PskKeyExchangeMode.
#[test]
fn unknown_numbers_are_passed_over_and_the_answer_says_no_more_than_it_must() {
    for version in [0xFEFD, 0xFEFF, 0xFEFC, 0x0303] {
        let mut hello = client_hello()
            .with(10, &list(&[0x1A1A, 29]))
            .with(13, &list(&[0x2A2A, 0x0403]))
            .with(43, &[6, 0x3A, 0x3A, V13[0], V13[1], 0xFE, 0xFD])
            .with(0x4A4A, b"grease")
            .with(14, &[0, 2, 0, 7, 0])
            .with(17, &[0, 7, 2, 0, 4, 0, 0, 0, 0]);
        hello.version = version;
        hello.session_id = vec![5; 32];
        hello.suites = vec![0x0A0A, 0xC02B, 0x1301, 0x00FF];
        let mut server = server();
        give(&mut server, HandshakeType::CLIENT_HELLO, 0, &hello.client_body()).unwrap();
        let datagrams = take(&mut server);
        let body = first_message(&datagrams);
        let answer = ServerHello::parse(&body).unwrap();
        assert_eq!(answer.server_version, ProtocolVersion::DTLS_1_2);
        assert_eq!((answer.session_id, answer.compression_method), (&[][..], 0));
        assert_eq!(answer.cipher_suite, CipherSuite::AES_128_GCM_SHA256);
        let types: Vec<u16> = answer.extensions.iter().map(|(t, _)| t.0).collect();
        assert_eq!(types, [43, 51]);
        assert_eq!(answer.extensions.get(ExtensionType::SUPPORTED_VERSIONS), Some(&V13[..]));
        let key_share = answer.extensions.get(ExtensionType::KEY_SHARE).unwrap();
        assert_eq!(parse_key_share(key_share).unwrap().0, NamedGroup::X25519);
        assert!(!answer.is_retry() && answer.random != hello.random);
        // All the rest is protected: no ChangeCipherSpec.
        assert_eq!(datagrams[0][..3], [22, 0xFE, 0xFD]);
        let mut rest = &datagrams.concat()[record_end(&datagrams[0])..];
        while !rest.is_empty() {
            let header = UnifiedHeader::parse(rest).unwrap();
            rest = &rest[header.ciphertext_offset() + usize::from(header.length.unwrap())..];
        }
    }
}

//= rfc8446#4.1.1
//# If the server selects an (EC)DHE group and the client did not offer a compatible "key_share" extension in the initial
//# ClientHello, the server MUST respond with a HelloRetryRequest (Section 4.1.4) message.
//= rfc8446#4.1.4
//# As with the ServerHello, a HelloRetryRequest MUST NOT contain any extensions that were not first offered by the client
//# in its ClientHello, with the exception of optionally the "cookie" (see Section 4.2.2) extension.
//= rfc8446#4.1.4
//# Servers MUST ensure that they negotiate the same cipher suite when receiving a conformant updated ClientHello (if the
//# server selects the cipher suite as the first step in the negotiation, then this will happen automatically).
//= rfc8446#9.2
//# "supported_versions" is REQUIRED for all ClientHello, ServerHello, and HelloRetryRequest messages.
#[test]
fn a_share_that_is_missing_is_asked_for_once() {
    let first = client_hello().with(10, &list(&[0x1A1A, 29])).with(51, &shares(0x1A1A, &[1]));
    let retried = || {
        let mut server = server();
        give(&mut server, HandshakeType::CLIENT_HELLO, 0, &first.client_body()).unwrap();
        let body = first_message(&take(&mut server));
        let retry = ServerHello::parse(&body).unwrap();
        assert!(retry.is_retry() && retry.chooses_v13());
        let extensions: Vec<_> = retry.extensions.iter().map(|(t, data)| (t.0, data)).collect();
        assert_eq!(extensions, [(43, &V13[..]), (51, &[0, 29][..])]);
        assert_eq!(retry.cipher_suite, CipherSuite::AES_128_GCM_SHA256);
        server
    };
    let mut server = retried();
    // The suite of the retry stays, though another is there now that we would as soon take.
    let second = Hello { suites: vec![0x1303, 0x1302, 0x1301], ..client_hello().with(10, &list(&[0x1A1A, 29])) };
    give(&mut server, HandshakeType::CLIENT_HELLO, 1, &second.client_body()).unwrap();
    let body = first_message(&take(&mut server));
    let answer = ServerHello::parse(&body).unwrap();
    assert!(!answer.is_retry());
    assert_eq!(answer.cipher_suite, CipherSuite::AES_128_GCM_SHA256);
    for other in [first.clone(), Hello { suites: vec![0x1302], ..client_hello() }] {
        let mut server = retried();
        let error = give(&mut server, HandshakeType::CLIENT_HELLO, 1, &other.client_body()).unwrap_err();
        assert_eq!(error.alert_sent(), Some(AlertDescription::ILLEGAL_PARAMETER));
    }
}

//= rfc8446#4.2.1
//# If this extension is not present, servers which are compliant with this specification and which also support TLS 1.2
//# MUST negotiate TLS 1.2 or prior as specified in [RFC5246], even if ClientHello.legacy_version is 0x0304 or later.
//= rfc8446#4.2.1
//# Servers MUST be prepared to receive ClientHellos that include this extension but do not include 0x0304 in the list of
//# versions.
//= rfc8446#4.2.1
//# A server which negotiates a version of TLS prior to TLS 1.3 MUST set ServerHello.version and MUST NOT send the
//# "supported_versions" extension.
//= rfc8446#4.1.3
//# TLS 1.3 servers which negotiate TLS 1.2 or below in response to a ClientHello MUST set the last 8 bytes of their Random
//# value specially in their ServerHello.
//= rfc8446#4.1.3
//# The last 8 bytes MUST be overwritten as described below if negotiating TLS 1.2 or TLS 1.1, but the remaining bytes MUST
//# be random.
//= rfc8446#D.2
//# If the "supported_versions" extension is not present, the server MUST negotiate the minimum of
//# ClientHello.legacy_version and TLS 1.2.
//= rfc8446#D.2
//# If the "supported_versions" extension is absent and the server only supports versions greater than
//# ClientHello.legacy_version, the server MUST abort the handshake with a "protocol_version" alert.
//= rfc8446#4.1.2
//# Note that TLS 1.3 servers might receive TLS 1.2 or prior ClientHellos which contain other compression methods and
//# (if negotiating such a prior version) MUST follow the procedures for the appropriate prior version of TLS.
#[test]
fn who_does_not_offer_1_3_gets_1_2() {
    let mut newer = Hello::client();
    newer.version = 0xFEFC;
    let mut randoms = Vec::new();
    let compressing = Hello { compression: vec![1, 0], ..Hello::client() };
    for hello in [Hello::client(), newer, compressing, Hello::client().with(43, &[4, 0xFE, 0xFD, 0xFE, 0xFF])] {
        let mut server = server();
        give(&mut server, HandshakeType::CLIENT_HELLO, 0, &hello.client_body()).unwrap();
        let body = first_message(&take(&mut server));
        let answer = ServerHello::parse(&body).unwrap();
        assert_eq!(answer.server_version, ProtocolVersion::DTLS_1_2);
        assert_eq!(answer.extensions.get(ExtensionType::SUPPORTED_VERSIONS), None);
        assert!(answer.random.ends_with(b"DOWNGRD\x01"));
        randoms.push(answer.random);
    }
    let mut config = config_any(Role::Server);
    config.versions = vec![ProtocolVersion::DTLS_1_3];
    for seed in 3..5 {
        let mut server = Connection::new(config.clone().into(), Role::Server, Rng::from_test_seed(seed));
        let error = give(&mut server, HandshakeType::CLIENT_HELLO, 0, &Hello::client().client_body()).unwrap_err();
        assert_eq!(error.alert_sent(), Some(AlertDescription::PROTOCOL_VERSION));
        let mut server = Connection::new(config_any(Role::Server).into(), Role::Server, Rng::from_test_seed(seed));
        give(&mut server, HandshakeType::CLIENT_HELLO, 0, &Hello::client().client_body()).unwrap();
        let body = first_message(&take(&mut server));
        let random = ServerHello::parse(&body).unwrap().random;
        assert!(randoms.iter().all(|other| other[..24] != random[..24]));
        randoms.push(random);
    }
}

//= rfc8446#4.1.3
//# A client which receives a legacy_session_id_echo field that does not match what it sent in the ClientHello MUST abort
//# the handshake with an "illegal_parameter" alert.
//= rfc8446#4.1.3
//# A client which receives a cipher suite that was not offered MUST abort the handshake with an "illegal_parameter" alert.
//= rfc8446#4.2
//# Upon receiving such an extension, an endpoint MUST abort the handshake with an "unsupported_extension" alert.
//= rfc8446#4.2
//# If an implementation receives an extension which it recognizes and which is not specified for the message in which it
//# appears, it MUST abort the handshake with an "illegal_parameter" alert.
//= rfc8446#4.2.1
//# If the "supported_versions" extension in the ServerHello contains a version not offered by the client or contains a
//# version prior to TLS 1.3, the client MUST abort the handshake with an "illegal_parameter" alert.
//= rfc8446#4.2.1
//# Clients MUST check for this extension prior to processing the rest of the ServerHello (although they will have to parse
//# the ServerHello in order to read the extension).
//= rfc8446#4.2.1
//# If this extension is present, clients MUST ignore the ServerHello.legacy_version value and MUST use only the
//# "supported_versions" extension to determine the selected version.
//= rfc8446#D.1
//# If the version chosen by the server is not supported by the client (or is not acceptable), the client MUST abort the
//# handshake with a "protocol_version" alert.
#[test]
fn server_hellos_that_break_the_offer_are_refused() {
    let illegal = AlertDescription::ILLEGAL_PARAMETER;
    let reply = |hello: &Hello| {
        let (mut client, _) = client();
        let outcome = give(&mut client, HandshakeType::SERVER_HELLO, 0, &hello.server_body());
        (client, outcome)
    };
    for version in [0xFEFD, 0xFEFF, 0x0303] {
        assert_eq!(reply(&Hello { version, ..server_hello() }).1, Ok(()));
    }
    let cases = [
        (Hello { session_id: vec![5; 32], ..server_hello() }, illegal),
        (Hello { suites: vec![0x1304], ..server_hello() }, illegal),
        (Hello { suites: vec![0xC02B], ..server_hello() }, illegal),
        (Hello { compression: vec![1], ..server_hello() }, illegal),
        (server_hello().with(43, &[0xFE, 0xFD]), illegal),
        (server_hello().with(43, &[0xFE, 0xFB]), illegal),
        (server_hello().with(14, &[0, 2, 0, 7, 0]), AlertDescription::UNSUPPORTED_EXTENSION),
        (server_hello().with(10, &list(&[29])), illegal),
        (server_hello().with(44, &[0, 1, 1]), illegal),
        (server_hello().without(51), AlertDescription::MISSING_EXTENSION),
        (server_hello().with(51, &share(23, &[4; 65])), illegal),
        (server_hello().with(51, &share(29, &[0; 32])), illegal),
    ];
    for (n, (hello, expected)) in cases.into_iter().enumerate() {
        let (mut client, outcome) = reply(&hello);
        assert_eq!(outcome.unwrap_err().alert_sent(), Some(expected), "case {n}");
        assert_eq!(told(&mut client), Alert::fatal(expected));
    }
    let mut config = config_any(Role::Client);
    config.versions = vec![ProtocolVersion::DTLS_1_3];
    let (mut client, _) = started(config);
    let old = Hello { suites: vec![0xC02B], ..server_hello() }.without(43).without(51);
    let error = give(&mut client, HandshakeType::SERVER_HELLO, 0, &old.server_body()).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::PROTOCOL_VERSION));
}

//= rfc8446#4.1.2
//# In that case, the client MUST send the same ClientHello without modification, except as follows:
//= rfc8446#4.1.4
//# Otherwise, the client MUST process all extensions in the HelloRetryRequest and send a second updated ClientHello.
//= rfc8446#4.1.3
//# Upon receiving a message with type server_hello, implementations MUST first examine the Random value and, if it matches
//# this value, process it as described in Section 4.1.4).
//= rfc8446#4.2.2
//# When sending the new ClientHello, the client MUST copy the contents of the extension received in the HelloRetryRequest
//# into a "cookie" extension in the new ClientHello.
//= rfc8446#4.2.8
//# Otherwise, when sending the new ClientHello, the client MUST replace the original "key_share" extension with one
//# containing only a new KeyShareEntry for the group indicated in the selected_group field of the triggering
//# HelloRetryRequest.
//= rfc9147#5.1
//# The client MUST send a new ClientHello with the cookie added as an extension.
//= rfc9147#5.1
//# When responding to a HelloRetryRequest, the client MUST create a new ClientHello message following the description in
//# Section 4.1.2 of [TLS13].
//= rfc9147#5.1
//# Clients MUST be prepared to do a cookie exchange with every handshake.
//= rfc9147#11
//# Clients MUST be prepared to do a cookie exchange with every handshake.
#[test]
fn a_retry_is_answered_with_its_cookie_and_share() {
    let cookie = [&[0, 40][..], &[0xC0; 40]].concat();
    for (retry, groups) in
        [(retry_for(23).with(44, &cookie), [NamedGroup::SECP256R1]), (retry_for(23).without(51), [NamedGroup::X25519])]
    {
        let retry = retry.with(44, &cookie);
        let (mut client, before) = client();
        give(&mut client, HandshakeType::SERVER_HELLO, 0, &retry.server_body()).unwrap();
        let datagrams = take(&mut client);
        assert_eq!(datagrams[0][..3], [22, 0xFE, 0xFD]);
        let after = first_message(&datagrams);
        let [before, after] = [&before, &after].map(|body| ClientHello::parse(body).unwrap());
        assert_eq!(before.random, after.random);
        assert_eq!((before.client_version, before.cipher_suites), (after.client_version, after.cipher_suites));
        assert_eq!((after.session_id, after.cookie, after.compression_methods), (&[][..], &[][..], &[0][..]));
        assert_eq!(after.extensions.get(ExtensionType::COOKIE), Some(&cookie[..]));
        let same = |hello: &ClientHello<'_>| -> Vec<(u16, Vec<u8>)> {
            let rest = hello.extensions.iter().filter(|(t, _)| ![44, 51].contains(&t.0));
            rest.map(|(t, data)| (t.0, data.to_vec())).collect()
        };
        assert_eq!(same(&before), same(&after));
        let shares = KeyShares::parse(after.extensions.get(ExtensionType::KEY_SHARE).unwrap()).unwrap();
        assert_eq!(shares.iter().map(|(group, _)| group).collect::<Vec<_>>(), groups);
    }
}

//= rfc8446#4.1.4
//# Upon receiving the ServerHello, clients MUST check that the cipher suite supplied in the ServerHello is the same as that
//# in the HelloRetryRequest and otherwise abort the handshake with an "illegal_parameter" alert.
//= rfc8446#4.1.4
//# The value of selected_version in the HelloRetryRequest "supported_versions" extension MUST be retained in the
//# ServerHello, and a client MUST abort the handshake with an "illegal_parameter" alert if the value changes.
//= rfc8446#4.2.8
//# If using (EC)DHE key establishment and a HelloRetryRequest containing a "key_share" extension was received by the
//# client, the client MUST verify that the selected NamedGroup in the ServerHello is the same as that in the
//# HelloRetryRequest.
//= rfc8446#4.2.8
//# If this check fails, the client MUST abort the handshake with an "illegal_parameter" alert.
#[test]
fn a_server_that_changes_its_mind_after_a_retry_is_refused() {
    let cases = [
        server_hello(),
        Hello { suites: vec![0x1302], ..server_hello() },
        server_hello().with(43, &[0xFE, 0xFD]),
        server_hello().without(43),
    ];
    for (n, hello) in cases.into_iter().enumerate() {
        let (mut client, _) = client();
        let cookie = retry_for(23).without(51).with(44, &[0, 1, 7]);
        // The first sends a share of another group than was asked for, the others are told a cookie alone.
        let retry = if n == 0 { retry_for(23) } else { cookie };
        give(&mut client, HandshakeType::SERVER_HELLO, 0, &retry.server_body()).unwrap();
        let error = give(&mut client, HandshakeType::SERVER_HELLO, 1, &hello.server_body()).unwrap_err();
        assert_eq!(error.alert_sent(), Some(AlertDescription::ILLEGAL_PARAMETER), "case {n}: {error}");
    }
}

//= rfc8446#4.2.8
//# Upon receipt of this extension in a HelloRetryRequest, the client MUST verify that (1) the selected_group field
//# corresponds to a group which was provided in the "supported_groups" extension in the original ClientHello and (2) the
//# selected_group field does not correspond to a group which was provided in the "key_share" extension in the original
//# ClientHello.
//= rfc8446#4.2.8
//# If either of these checks fails, then the client MUST abort the handshake with an "illegal_parameter" alert.
//= rfc8446#4.1.4
//# Upon receipt of a HelloRetryRequest, the client MUST check the legacy_version, legacy_session_id_echo, cipher_suite, and
//# legacy_compression_method as specified in Section 4.1.3 and then process the extensions, starting with determining the
//# version using "supported_versions".
//= rfc8446#4.1.4
//# A client which receives a cipher suite that was not offered MUST abort the handshake.
#[test]
fn retries_that_break_the_offer_are_refused() {
    let cases = [
        retry_for(25),
        retry_for(29),
        Hello { version: 0xFEFF, ..retry_for(23) },
        Hello { session_id: vec![1], ..retry_for(23) },
        Hello { suites: vec![0x1304], ..retry_for(23) },
        Hello { compression: vec![1], ..retry_for(23) },
        retry_for(23).with(43, &[0xFE, 0xFB]),
    ];
    for (n, hello) in cases.into_iter().enumerate() {
        let (mut client, _) = client();
        let error = give(&mut client, HandshakeType::SERVER_HELLO, 0, &hello.server_body()).unwrap_err();
        assert_eq!(error.alert_sent(), Some(AlertDescription::ILLEGAL_PARAMETER), "case {n}: {error}");
    }
}

//= rfc8446#4.1.2
//# In TLS 1.3, the client indicates its version preferences in the "supported_versions" extension (Section 4.2.1) and the
//# legacy_version field MUST be set to 0x0303, which is the version number for TLS 1.2.
//= rfc8446#4.1.2
//# Otherwise, it MUST be set as a zero-length vector (i.e., a zero-valued single byte length field).
//= rfc8446#4.1.2
//# For every TLS 1.3 ClientHello, this vector MUST contain exactly one byte, set to zero, which corresponds to the "null"
//# compression method in prior versions of TLS.
//= rfc8446#4.2
//# There MUST NOT be more than one extension of the same type in a given extension block.
//= rfc8446#4.2.1
//# Implementations of this specification MUST send this extension in the ClientHello containing all versions of TLS which
//# they are prepared to negotiate (for this specification, that means minimally 0x0304, but if previous versions of TLS are
//# allowed to be negotiated, they MUST be present as well).
//= rfc8446#4.2.2
//# Clients MUST NOT use cookies in their initial ClientHello in subsequent connections.
//= rfc8446#4.2.3
//# Clients which desire the server to authenticate itself via a certificate MUST send the "signature_algorithms"
//# extension.
//= rfc8446#4.2.3
//# They MUST NOT be offered or negotiated by any implementation.
//= rfc8446#4.2.3
//# In particular, MD5 [SLOTH], SHA-224, and DSA MUST NOT be used.
//= rfc8446#4.2.8
//# Each KeyShareEntry value MUST correspond to a group offered in the "supported_groups" extension and MUST appear in the
//# same order.
//= rfc8446#4.2.8
//# Clients MUST NOT offer any KeyShareEntry values for groups not listed in the client's "supported_groups" extension.
//= rfc8446#9.2
//# If not containing a "pre_shared_key" extension, it MUST contain both a "signature_algorithms" extension and a
//# "supported_groups" extension.
//= rfc8446#9.2
//# If containing a "supported_groups" extension, it MUST also contain a "key_share" extension, and vice versa.
//= rfc8446#9.2
//# "signature_algorithms" is REQUIRED for certificate authentication.
//= rfc8446#9.2
//# "supported_groups" is REQUIRED for ClientHello messages using DHE or ECDHE key exchange.
//= rfc8446#9.2
//# "key_share" is REQUIRED for DHE or ECDHE key exchange.
//= rfc8446#B.3.1.4
//# Values within "obsolete_RESERVED" ranges are used in previous versions of TLS and MUST NOT be offered or negotiated by
//# TLS 1.3 implementations.
//= rfc8446#D.5
//# Implementations MUST NOT offer or negotiate RC4 cipher suites for any version of TLS for any reason.
//= rfc8446#D.5
//# Ciphers with a strength less than 112 bits MUST NOT be offered or negotiated for any version of TLS for any reason.
//= rfc8446#D.5
//# Implementations MUST NOT use the Truncated HMAC extension, defined in Section 7 of [RFC6066], as it is not applicable to
//# AEAD algorithms and has been shown to be insecure in some scenarios.
//= rfc9147#5.3
//# In DTLS 1.3, the client indicates its version preferences in the "supported_versions" extension (see Section 4.2.1 of
//# [TLS13]) and the legacy_version field MUST be set to {254, 253}, which was the version number for DTLS 1.2.
//= rfc9147#5.3
//# Otherwise, it MUST be set as a zero-length vector (i.e., a zero-valued single byte length field).
//= rfc9147#5.3
//# legacy_cookie: A DTLS 1.3-only client MUST set the legacy_cookie field to zero length.
//= rfc9147#5.5
//# The ranges MUST NOT overlap.
//= rfc8446#4.2.8
//# The key_exchange values for each KeyShareEntry MUST be generated independently.
#[test]
fn our_client_hello_says_what_it_must_and_no_more() {
    for old in [false, true] {
        let mut config = config_any(Role::Client);
        if !old {
            config.versions = vec![ProtocolVersion::DTLS_1_3];
        }
        let (_, body) = started(config);
        // Parsing refuses an extension that is there twice.
        let hello = ClientHello::parse(&body).unwrap();
        assert_eq!(hello.client_version, ProtocolVersion::DTLS_1_2);
        assert_eq!((hello.session_id, hello.cookie, hello.compression_methods), (&[][..], &[][..], &[0][..]));
        let versions: &[u8] = if old { &[4, 0xFE, 0xFC, 0xFE, 0xFD] } else { &[2, 0xFE, 0xFC] };
        assert_eq!(hello.extensions.get(ExtensionType::SUPPORTED_VERSIONS), Some(versions));
        assert_eq!(hello.extensions.get(ExtensionType::COOKIE), None);
        let schemes = hello.extensions.numbers(ExtensionType::SIGNATURE_ALGORITHMS).unwrap().unwrap();
        let strong = [0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B];
        let of_old = [0x0401, 0x0501, 0x0601];
        assert!(schemes.iter().all(|s| strong.contains(&s) || of_old.contains(&s)), "{schemes:?}");
        let groups: Vec<u16> =
            hello.extensions.numbers(ExtensionType::SUPPORTED_GROUPS).unwrap().unwrap().iter().collect();
        assert_eq!(groups, [0x11EC, 29, 23, 24]);
        let shares = KeyShares::parse(hello.extensions.get(ExtensionType::KEY_SHARE).unwrap()).unwrap();
        let places: Vec<_> = shares.iter().map(|(group, _)| groups.iter().position(|g| *g == group.0)).collect();
        // The X25519 that the hybrid ends with is another than the one beside it.
        let [hybrid, single] = [NamedGroup::X25519MLKEM768, NamedGroup::X25519].map(|group| shares.get(group).unwrap());
        assert!(!hybrid.ends_with(single));
        assert!(places.is_sorted() && places.iter().all(Option::is_some) && !places.is_empty());
        let aead = [0x1301, 0x1302, 0x1303, 0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9];
        assert!(hello.cipher_suites.iter().all(|suite| aead.contains(&suite)), "{:?}", hello.cipher_suites);
        let known = [10, 13, 28, 43, 51, 23, 0xFF01, 11];
        assert!(hello.extensions.iter().all(|(t, _)| known.contains(&t.0)));
    }
}

//= rfc8446#4.3.2
//# Clients MUST ignore unrecognized extensions.
//= rfc8446#9.3
//# In TLS 1.3, a client receiving a CertificateRequest or NewSessionTicket MUST also ignore all unrecognized
//# extensions.
#[test]
fn certificate_requests_may_say_more_than_we_know() {
    let schemes = [&[0, 13, 0, 4][..], &list(&[0x0403])].concat();
    let block = [&[0x5A, 0x5A, 0, 1, 7][..], &schemes, &[0, 47, 0, 5, 0, 3, 0, 1, 7]].concat();
    let body = [&[0][..], &(block.len() as u16).to_be_bytes(), &block].concat();
    let request = CertificateRequest13::parse(&body).unwrap();
    assert_eq!(request.signature_schemes.iter().collect::<Vec<_>>(), [0x0403]);
    let unnamed = CertificateRequest13::parse(&[0, 0, 5, 0x5A, 0x5A, 0, 1, 7]);
    assert!(unnamed.is_err(), "without signature_algorithms");
}

//= rfc9147#4.1
//# If the first byte is alert(21), handshake(22), or ack(proposed, 26), the record MUST be interpreted as a DTLSPlaintext
//# record.
//= rfc9147#4.1
//# If so, the implementation MUST process the record as DTLSCiphertext; the true content type will be inside the protected
//# portion.
//= rfc9147#4.1
//# If the first byte is any other value, then receivers MUST check to see if the leading bits of the first byte are 001.
//= rfc9147#4.1
//# Otherwise, the record MUST be rejected as if it had failed deprotection, as described in Section 4.5.2.
#[test]
fn the_first_byte_tells_the_form_of_a_record() {
    let mut server = server();
    give(&mut server, HandshakeType::CLIENT_HELLO, 0, &client_hello().client_body()).unwrap();
    take(&mut server);
    for first in 0..=255_u8 {
        let before = server.counters();
        let mut datagram = crate::pitfalls::plaintext(ContentType(first), 0, 9, &[2, 40]);
        // As a ciphertext: of epoch 2, whose keys are there.
        if first >> 5 == 1 {
            datagram[0] = first & 0xE0 | 0x0E;
            datagram[3..5].copy_from_slice(&[0, 40]);
            datagram.resize(45, 9);
        }
        server.handle_input(Instant::ORIGIN, &mut datagram).map(drop).unwrap();
        let after = server.counters();
        let forged = after.forged_records - before.forged_records;
        let alerts = after.unauthenticated_alerts - before.unauthenticated_alerts;
        let fragments = after.bad_fragments - before.bad_fragments;
        assert_eq!((alerts, fragments), (u64::from(first == 21), u64::from(first == 22)), "{first}");
        assert_eq!(forged > 0, first >> 5 == 1, "{first}");
        assert!(take(&mut server).is_empty());
    }
}

//= rfc9147#4
//# It MUST be ignored for all purposes.
#[test]
fn the_version_of_a_record_in_the_clear_says_nothing() {
    for version in [0xFEFD_u16, 0xFEFF, 0xFEFC, 0x0303, 0, 0xFFFF] {
        let mut server = server();
        let mut datagram = record(HandshakeType::CLIENT_HELLO, 0, &client_hello().client_body());
        datagram[1..3].copy_from_slice(&version.to_be_bytes());
        server.handle_input(Instant::ORIGIN, &mut datagram).map(drop).unwrap();
        assert!(!take(&mut server).is_empty(), "{version:04x}");
    }
}
