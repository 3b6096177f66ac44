//! Hellos written by hand: what is taken, what is refused, what is passed over.

use weft_core::{Frame, Instant, Layer, Overhead, Rng};
use weft_dtls::wire::{
    Alert, ClientHello, ContentType, ExtensionType, Fragment, HandshakeType, RECORD_HEADER, RecordHeader, ServerHello,
    ServerKeyExchange,
};
use weft_dtls::{AlertDescription, CipherSuite, Connection, Error, NamedGroup, ProtocolVersion, Role, SignatureScheme};

use crate::link::config;
use crate::pitfalls::plaintext;

/// The parts of a hello, to be changed.
#[derive(Clone)]
pub(crate) struct Hello {
    pub(crate) version: u16,
    pub(crate) session_id: Vec<u8>,
    /// Of a ClientHello alone.
    pub(crate) cookie: Vec<u8>,
    pub(crate) random: [u8; 32],
    pub(crate) suites: Vec<u16>,
    pub(crate) compression: Vec<u8>,
    pub(crate) extensions: Vec<(u16, Vec<u8>)>,
    /// Written after everything.
    pub(crate) trailing: Vec<u8>,
}

/// A list of numbers as extensions have it.
pub(crate) fn list(numbers: &[u16]) -> Vec<u8> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
    [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()
}

impl Hello {
    pub(crate) fn client() -> Self {
        Self {
            version: 0xFEFD,
            session_id: Vec::new(),
            cookie: Vec::new(),
            random: [0x55; 32],
            suites: vec![0xC02B],
            compression: vec![0],
            extensions: vec![(23, vec![]), (10, list(&[29, 23])), (13, list(&[0x0403])), (11, vec![1, 0])],
            trailing: Vec::new(),
        }
    }

    /// Puts in an extension, or another in its place.
    pub(crate) fn with(mut self, extension_type: u16, data: &[u8]) -> Self {
        self = self.without(extension_type);
        self.extensions.push((extension_type, data.to_vec()));
        self
    }

    pub(crate) fn without(mut self, extension_type: u16) -> Self {
        self.extensions.retain(|(t, _)| *t != extension_type);
        self
    }

    fn extension_block(&self) -> Vec<u8> {
        let mut block = Vec::new();
        for (extension_type, data) in &self.extensions {
            block.extend(extension_type.to_be_bytes());
            block.extend((data.len() as u16).to_be_bytes());
            block.extend(data);
        }
        if block.is_empty() { block } else { [&(block.len() as u16).to_be_bytes()[..], &block].concat() }
    }

    pub(crate) fn client_body(&self) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend(self.random);
        body.push(self.session_id.len() as u8);
        body.extend(&self.session_id);
        body.push(self.cookie.len() as u8);
        body.extend(&self.cookie);
        body.extend(list(&self.suites));
        body.push(self.compression.len() as u8);
        body.extend(&self.compression);
        body.extend(self.extension_block());
        body.extend(&self.trailing);
        body
    }

    pub(crate) fn server_body(&self) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend(self.random);
        body.push(self.session_id.len() as u8);
        body.extend(&self.session_id);
        body.extend(self.suites[0].to_be_bytes());
        body.push(self.compression[0]);
        body.extend(self.extension_block());
        body.extend(&self.trailing);
        body
    }
}

pub(crate) fn record(message_type: HandshakeType, message_seq: u16, body: &[u8]) -> Vec<u8> {
    let fragment = Fragment { message_type, length: body.len(), message_seq, offset: 0, body };
    plaintext(ContentType::HANDSHAKE, 0, 0, &[&fragment.header()[..], body].concat())
}

pub(crate) fn take(connection: &mut Connection) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut buffer = [0; 1500];
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        if connection.poll_transmit(Instant::ORIGIN, &mut frame).is_none() {
            return all;
        }
        all.push(frame.content().to_vec());
    }
}

/// Hands a ClientHello to a new server.
fn serve(hello: &Hello) -> (Connection, Result<(), Error>) {
    let mut server = Connection::new(config(Role::Server).into(), Role::Server, Rng::from_test_seed(1));
    let mut datagram = record(HandshakeType::CLIENT_HELLO, 0, &hello.client_body());
    let outcome = server.handle_input(Instant::ORIGIN, &mut datagram).map(drop);
    (server, outcome)
}

/// The messages of the server's answer: type and body.
fn answer(hello: &Hello) -> Vec<(HandshakeType, Vec<u8>)> {
    let (mut server, outcome) = serve(hello);
    assert_eq!(outcome, Ok(()));
    let mut messages = Vec::new();
    for datagram in take(&mut server) {
        let mut rest = &datagram[..];
        while let Ok(header) = RecordHeader::parse(rest) {
            let (content, tail) = rest[RECORD_HEADER..].split_at(header.length.into());
            let (fragment, none) = Fragment::parse(content).unwrap();
            assert!(none.is_empty() && fragment.body.len() == fragment.length);
            messages.push((fragment.message_type, fragment.body.to_vec()));
            rest = tail;
        }
    }
    messages
}

/// The alert that a hello is refused with; on the wire, too.
fn refusal(hello: &Hello) -> AlertDescription {
    let (mut server, outcome) = serve(hello);
    let alert = outcome.unwrap_err().alert_sent().unwrap();
    let datagrams = take(&mut server);
    assert_eq!(datagrams.len(), 1);
    assert_eq!(Alert::parse(&datagrams[0][RECORD_HEADER..]), Ok(Alert::fatal(alert)));
    assert!(take(&mut server).is_empty());
    alert
}

//= rfc8422#5.1
//# The server MUST consider the extensions in both cases.
//= rfc5246#7.4.1.2
//# If the list contains cipher suites the server does not recognize, support, or wish to use, the server MUST ignore
//# those cipher suites, and process the remaining ones as usual.
//= rfc5246#7.4.1.4.1
//# TLS servers MUST support receiving this extension.
//= rfc8422#5.1
//# A server that receives a ClientHello containing one or both of these extensions MUST use the client's enumerated
//# capabilities to guide its selection of an appropriate cipher suite.
#[test]
fn unknown_suites_groups_and_extensions_are_passed_over() {
    let mut hello =
        Hello::client().with(10, &list(&[0x1A1A, 0x11EC, 23])).with(0x2A2A, b"grease").with(14, &[0, 2, 0, 7, 0]);
    hello.suites = vec![0x0A0A, 0x1301, 0x0000, 0xC02C, 0xFFFF];
    let messages = answer(&hello);
    let server_hello = ServerHello::parse(&messages[0].1).unwrap();
    assert_eq!(server_hello.cipher_suite, CipherSuite::ECDHE_ECDSA_AES_256_GCM_SHA384);
    assert_eq!(ServerKeyExchange::parse(&messages[2].1).unwrap().group, NamedGroup::SECP256R1);
}

//= rfc5246#7.4.3
//# If the client has offered the "signature_algorithms" extension, the signature algorithm and hash algorithm MUST be
//# a pair listed in that extension.
//= rfc5246#7.4.3
//# In addition, the hash and signature algorithms MUST be compatible with the key in the server's end-entity
//# certificate.
//= rfc5246#7.4
//# The handshake protocol messages are presented below in the order they MUST be sent; sending handshake messages in an
//# unexpected order results in a fatal error.
//= rfc5246#7.4.2
//# The server MUST send a Certificate message whenever the agreed-upon key exchange method uses certificates for
//# authentication (this includes all key exchange methods defined in this document except DH_anon).
//= rfc7627#5.2
//# If a server implementing this document receives the "extended_master_secret" extension, it MUST include the extension
//# in its ServerHello message.
//= rfc5246#7.4.1.4
//# An extension type MUST NOT appear in the ServerHello unless the same extension type appeared in the corresponding
//# ClientHello.
//= rfc5246#7.4.1.4.1
//# Servers MUST NOT send this extension.
//= rfc8422#5.2
//# The Supported Point Formats Extension, when used, MUST contain the value 0 (uncompressed) as one of the items in the
//# list of point formats.
#[test]
fn flight_4_has_its_messages_and_answers_what_was_asked() {
    let types = |hello: &Hello| -> Vec<u16> {
        let messages = answer(hello);
        let order: Vec<u8> = messages.iter().map(|m| m.0.0).collect();
        assert_eq!(order, [2, 11, 12, 13, 14]);
        let exchange = ServerKeyExchange::parse(&messages[2].1).unwrap();
        assert_eq!(exchange.signed.scheme, SignatureScheme::ECDSA_SECP256R1_SHA256);
        let server_hello = ServerHello::parse(&messages[0].1).unwrap();
        assert_eq!(server_hello.extensions.get(ExtensionType::EXTENDED_MASTER_SECRET), Some(&[][..]));
        if let Some(formats) = server_hello.extensions.get(ExtensionType::EC_POINT_FORMATS) {
            assert_eq!(formats, [1, 0]);
        }
        server_hello.extensions.iter().map(|(t, _)| t.0).collect()
    };
    assert_eq!(types(&Hello::client()), [23, 11]);
    assert_eq!(types(&Hello::client().without(11)), [23]);
    assert_eq!(types(&Hello::client().with(0xFF01, &[0])), [23, 0xFF01, 11]);
    let mut signalled = Hello::client();
    signalled.suites.push(CipherSuite::EMPTY_RENEGOTIATION_INFO_SCSV.0);
    assert_eq!(types(&signalled), [23, 0xFF01, 11]);
}

//= rfc5246#E.1
//# If a TLS server receives a ClientHello containing a version number greater than the highest version supported by the
//# server, it MUST reply according to the highest version supported by the server.
//= rfc5246#E.1
//# If server supports (or is willing to use) only versions greater than client_version, it MUST send a
//# "protocol_version" alert message and close the connection.
#[test]
fn versions() {
    for (version, supported) in [(0xFEFD, None), (0xFEFC, None), (0xFEFD, Some(&[4, 0xFE, 0xFC, 0xFE, 0xFD][..]))] {
        let mut hello = Hello::client();
        hello.version = version;
        if let Some(supported) = supported {
            hello = hello.with(43, supported);
        }
        let messages = answer(&hello);
        assert_eq!(ServerHello::parse(&messages[0].1).unwrap().server_version, ProtocolVersion::DTLS_1_2);
    }
    let mut old = Hello::client();
    old.version = 0xFEFF;
    assert_eq!(refusal(&old), AlertDescription::PROTOCOL_VERSION);
    let newer_only = Hello::client().with(43, &[2, 0xFE, 0xFC]);
    assert_eq!(refusal(&newer_only), AlertDescription::PROTOCOL_VERSION);
}

//= rfc5246#1.2
//# Alerts MUST now be sent in many cases.
//= rfc5246#7.2.2
//# If the implementation chooses to send an alert but intends to close the connection immediately afterwards, it MUST
//# send that alert at the fatal alert level.
//= rfc5246#7.4.2
//# The certificate MUST be appropriate for the negotiated cipher suite's key exchange algorithm and any negotiated
//# extensions.
//= rfc5246#7.4.2
//# The end entity certificate's public key (and associated restrictions) MUST be compatible with the selected key
//# exchange algorithm.
//= rfc5246#7.4.2
//# The public key MUST use a curve and point format supported by the client, as described in [TLSECC].
//= rfc5246#7.4.2
//# If the client provided a "signature_algorithms" extension, then all certificates provided by the server MUST be
//# signed by a hash/signature algorithm pair that appears in that extension.
//= rfc5246#A.5
//# Using this mode therefore is of limited use: These cipher suites MUST NOT be used by TLS 1.2 implementations
//# unless the application layer has specifically requested to allow anonymous key exchange.
//= rfc8422#5.1
//# If a server does not understand the Supported Elliptic Curves Extension, does not understand the Supported Point
//# Formats Extension, or is unable to complete the ECC handshake while restricting itself to the enumerated curves
//# and point formats, it MUST NOT negotiate the use of an ECC cipher suite.
//= rfc8422#5.3
//# A server that cannot satisfy this requirement MUST NOT choose an ECC cipher suite in its ServerHello message.)
//= rfc5246#7.2.2
//# Whenever an implementation encounters a condition which is defined as a fatal alert, it MUST send the appropriate
//# alert prior to closing the connection.
//= rfc8422#4
//# Servers implementing ECC cipher suites MUST support these extensions, and when a client uses these extensions, servers
//# MUST NOT negotiate the use of an ECC cipher suite unless they can complete the handshake while respecting the choice
//# of curves specified by the client.
//= rfc8422#5.3
//# If the client has used a Supported Elliptic Curves Extension, the public key in the server's certificate MUST respect
//# the client's choice of elliptic curves.
//= rfc8422#5.1.2
//# If the client sends the extension and the extension does not contain the uncompressed point format, and the client has
//# used the Supported Groups extension to indicate support for any of the curves defined in this specification, then the
//# server MUST abort the handshake and return an illegal_parameter alert.
//= rfc5246#7.4.3
//# In order to negotiate correctly, the server MUST check any candidate cipher suites against the "signature_algorithms"
//# extension before selecting them.
//= rfc7627#5.2
//# If the server receives a ClientHello without the extension, it SHOULD abort the handshake if it does not wish to
//# interoperate with legacy clients.
//= rfc6347#4.1.2.2
//# RC4 MUST NOT be used with DTLS.
//= rfc5246#A.5
//# TLS_NULL_WITH_NULL_NULL is specified and is the initial state of a TLS connection during the first handshake on that
//# channel, but MUST NOT be negotiated, as it provides no more protection than an unsecured connection.
#[test]
fn nothing_in_common_is_refused_with_the_right_alert() {
    let failure = AlertDescription::HANDSHAKE_FAILURE;
    let mut weak = Hello::client();
    // NULL, RC4, CBC, an RSA suite that our certificate does not fit, and anonymous ones.
    weak.suites = vec![0x0000, 0x0005, 0xC007, 0xC011, 0xC009, 0x002F, 0xC02F, 0x0034, 0xC018];
    assert_eq!(refusal(&weak), failure);
    assert_eq!(refusal(&Hello::client().with(10, &list(&[0x1A1A, 256]))), failure);
    assert_eq!(refusal(&Hello::client().with(10, &list(&[29, 24]))), failure, "our certificate is on P-256");
    assert_eq!(refusal(&Hello::client().with(13, &list(&[0x0401, 0x0203]))), failure);
    assert_eq!(refusal(&Hello::client().without(13)), failure);
    assert_eq!(refusal(&Hello::client().without(23)), failure);
    assert_eq!(refusal(&Hello::client().with(0xFF01, &[1, 7])), failure);
    assert_eq!(refusal(&Hello::client().with(11, &[1, 1])), AlertDescription::ILLEGAL_PARAMETER);
    let mut compressed = Hello::client();
    compressed.compression = vec![1];
    assert_eq!(refusal(&compressed), AlertDescription::ILLEGAL_PARAMETER);
    let bare = Hello { extensions: Vec::new(), ..Hello::client() };
    assert_eq!(refusal(&bare), failure);
}

//= rfc5246#7.4.1.4
//# There MUST NOT be more than one extension of the same type.
#[test]
fn malformed_client_hellos_are_dropped_as_if_they_had_never_come() {
    let mut twice = Hello::client();
    twice.extensions.push((23, vec![]));
    let mut trailing = Hello::client();
    trailing.trailing = vec![0];
    let mut crowded = Hello::client();
    crowded.extensions.extend((1000..1100).map(|n| (n, vec![])));
    let long_id = Hello { session_id: vec![1; 33], ..Hello::client() };
    let odd = Hello::client().with(10, &[0, 3, 0, 29, 0]);
    for hello in [twice, trailing, crowded, long_id, odd, Hello::client().with(23, &[1])] {
        let (mut server, outcome) = serve(&hello);
        assert_eq!((outcome, server.counters().bad_messages), (Ok(()), 1));
        assert!(take(&mut server).is_empty());
        // The true one has the same number, and is taken.
        let mut good = record(HandshakeType::CLIENT_HELLO, 0, &Hello::client().client_body());
        server.handle_input(Instant::ORIGIN, &mut good).unwrap();
        assert!(!take(&mut server).is_empty());
    }
}

/// A client that has sent its hello, and that hello.
fn client() -> (Connection, Vec<u8>) {
    let mut client = Connection::new(config(Role::Client).into(), Role::Client, Rng::from_test_seed(2));
    client.start(Instant::ORIGIN);
    let datagram = take(&mut client).remove(0);
    (client, datagram[RECORD_HEADER + 12..].to_vec())
}

/// Hands a ServerHello to a waiting client.
fn reply(hello: &Hello) -> (Connection, Result<(), Error>) {
    let (mut client, _) = client();
    let mut datagram = record(HandshakeType::SERVER_HELLO, 0, &hello.server_body());
    let outcome = client.handle_input(Instant::ORIGIN, &mut datagram).map(drop);
    (client, outcome)
}

pub(crate) fn server_hello() -> Hello {
    let extensions = vec![(23, vec![]), (0xFF01, vec![0]), (11, vec![1, 0])];
    Hello { random: [0x66; 32], extensions, ..Hello::client() }
}

//= rfc8422#5.2
//# A client that receives a ServerHello message containing a Supported Point Formats Extension MUST respect the
//# server's choice of point formats during the handshake (cf. Sections 5.6 and 5.7).
//= rfc6347#4.2.1
//# Upon receipt of the ServerHello, the client MUST verify that the server version values match.
//= rfc5246#E.1
//# If the version chosen by the server is not supported by the client (or not acceptable), the client MUST send a
//# "protocol_version" alert message and close the connection.
//= rfc5246#7.4.1.4
//# If a client receives an extension type in ServerHello that it did not request in the associated ClientHello, it MUST
//# abort the handshake with an unsupported_extension fatal alert.
//= rfc7627#5.2
//# If a client receives a ServerHello without the extension, it SHOULD abort the handshake if it does not wish to
//# interoperate with legacy servers.
#[test]
fn server_hellos_that_break_the_offer_are_refused() {
    assert_eq!(reply(&server_hello()).1, Ok(()));
    assert_eq!(reply(&Hello { session_id: vec![7; 32], ..server_hello() }).1, Ok(()));
    let cases = [
        (Hello { version: 0xFEFF, ..server_hello() }, AlertDescription::PROTOCOL_VERSION),
        (Hello { version: 0xFEFC, ..server_hello() }, AlertDescription::PROTOCOL_VERSION),
        (Hello { suites: vec![0xC009], ..server_hello() }, AlertDescription::ILLEGAL_PARAMETER),
        (Hello { suites: vec![0x00FF], ..server_hello() }, AlertDescription::ILLEGAL_PARAMETER),
        (Hello { compression: vec![1], ..server_hello() }, AlertDescription::ILLEGAL_PARAMETER),
        (server_hello().with(14, &[0, 2, 0, 7, 0]), AlertDescription::UNSUPPORTED_EXTENSION),
        (server_hello().without(23), AlertDescription::HANDSHAKE_FAILURE),
        (server_hello().with(0xFF01, &[1, 1]), AlertDescription::HANDSHAKE_FAILURE),
        (server_hello().with(11, &[1, 1]), AlertDescription::ILLEGAL_PARAMETER),
    ];
    for (hello, expected) in cases {
        let (mut client, outcome) = reply(&hello);
        assert_eq!(outcome.unwrap_err().alert_sent(), Some(expected));
        assert_eq!(Alert::parse(&take(&mut client)[0][RECORD_HEADER..]), Ok(Alert::fatal(expected)));
    }
    let mut malformed = server_hello();
    malformed.trailing = vec![9];
    let (client, outcome) = reply(&malformed);
    assert_eq!((outcome, client.counters().bad_messages), (Ok(()), 1));
}

//= rfc8422#5.10
//# A secure hash function such as SHA-256, SHA-384, or SHA-512 from [FIPS.180-4] MUST be used.
//= rfc8422#5.10
//# EdDSA signatures MUST have HashAlgorithm of 8 (Intrinsic).
//= rfc7627#5.2
//# In all handshakes, a client implementing this document MUST send the "extended_master_secret" extension in its
//# ClientHello.
//= rfc8422#5.1.2
//# A client compliant with this specification that supports no other curves MUST send the following octets; note that the
//# first two octets indicate the extension type (Supported Point Formats Extension):
//= rfc8422#5.1
//# If the Supported Point Formats Extension is indeed sent, it MUST contain the value 0 (uncompressed) as one of the
//# items in the list of point formats.
//= rfc5246#7.4.1.4.1
//# If the client does not support the default algorithms, or supports other hash and signature algorithms (and it is
//# willing to use them for verifying messages sent by the server, i.e., server certificates and server key exchange), it
//# MUST send the signature_algorithms extension, listing the algorithms it is willing to accept.
//= rfc5246#7.4.1.4.1
//# It MUST NOT appear in this extension.
//= rfc5246#7.4.1.2
//# This vector MUST contain, and all implementations MUST support, CompressionMethod.null.
#[test]
fn our_client_hello_has_what_it_must() {
    let (_, body) = client();
    let hello = ClientHello::parse(&body).unwrap();
    assert_eq!(hello.extensions.get(ExtensionType::EXTENDED_MASTER_SECRET), Some(&[][..]));
    assert!(body.windows(6).any(|octets| octets == [0, 11, 0, 2, 1, 0]));
    let schemes = hello.extensions.numbers(ExtensionType::SIGNATURE_ALGORITHMS).unwrap().unwrap();
    assert!(schemes.contains(0x0403) && schemes.contains(0x0807));
    // The anonymous "algorithm", 0, in the low byte (RFC 5246 section 7.4.1.4.1); and neither MD5 nor SHA-1.
    assert!(schemes.iter().all(|scheme| scheme & 0xFF != 0 && scheme >> 8 > 2));
    assert_eq!(hello.compression_methods, [0]);
}

//= rfc5246#7.4.1.3
//# This structure is generated by the server and MUST be independently generated from the ClientHello.random.
#[test]
fn server_randoms_differ_for_the_same_client_hello() {
    let random = |seed| {
        let mut server = Connection::new(config(Role::Server).into(), Role::Server, Rng::from_test_seed(seed));
        let mut hello = record(HandshakeType::CLIENT_HELLO, 0, &Hello::client().client_body());
        server.handle_input(Instant::ORIGIN, &mut hello).unwrap();
        let datagram = take(&mut server).remove(0);
        let (fragment, _) = Fragment::parse(&datagram[RECORD_HEADER..]).unwrap();
        ServerHello::parse(fragment.body).unwrap().random
    };
    assert_ne!(random(1), random(2));
    assert_ne!(random(1), [0x55; 32]);
}
