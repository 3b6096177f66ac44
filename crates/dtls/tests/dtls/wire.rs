//! Parsers: whatever comes in, none panics, and what was written is read.

use proptest::prelude::*;
use weft_core::{Instant, Layer, Rng};
use weft_dtls::wire::{
    Ack, Alert, Certificate13, CertificateRequest13, ClientHello, ContentType, ExtensionType, Fragment, HandshakeType,
    KeyShares, ProtocolVersion, RECORD_HEADER, RecordHeader, UnifiedHeader, check_handshake_body, parse_key_share,
};
use weft_dtls::{Connection, Fingerprint, Role};

use crate::link::{Pair, config};

/// The body of a ClientHello that our client sends.
fn client_hello() -> Vec<u8> {
    let mut pair = Pair::plain(1);
    pair.ends[0].start(pair.now);
    let datagram = pair.take(0).remove(0);
    let (fragment, rest) = Fragment::parse(&datagram[RECORD_HEADER..]).unwrap();
    assert!(rest.is_empty());
    fragment.body.to_vec()
}

#[test]
fn our_client_hello_says_what_it_must() {
    let body = client_hello();
    let hello = ClientHello::parse(&body).unwrap();
    assert_eq!(hello.client_version, ProtocolVersion::DTLS_1_2);
    assert!(hello.offers_version(ProtocolVersion::DTLS_1_2).unwrap());
    assert!(!hello.offers_version(ProtocolVersion::DTLS_1_3).unwrap());
    assert_eq!((hello.session_id, hello.cookie, hello.compression_methods), (&[][..], &[][..], &[0][..]));
    assert_eq!(hello.cipher_suites.iter().next(), Some(0xC02B));
    let types: Vec<ExtensionType> = hello.extensions.iter().map(|(t, _)| t).collect();
    for wanted in [
        ExtensionType::EXTENDED_MASTER_SECRET,
        ExtensionType::RENEGOTIATION_INFO,
        ExtensionType::SUPPORTED_GROUPS,
        ExtensionType::EC_POINT_FORMATS,
        ExtensionType::SIGNATURE_ALGORITHMS,
    ] {
        assert!(types.contains(&wanted), "{wanted}");
    }
    let groups = hello.extensions.numbers(ExtensionType::SUPPORTED_GROUPS).unwrap().unwrap();
    assert_eq!(groups.iter().collect::<Vec<_>>(), [29, 23, 24]);
    // Cut short it is malformed, but for the cut that leaves no extensions at all.
    let bare = body.len() - 2 - hello.extensions.iter().map(|(_, data)| data.len() + 4).sum::<usize>();
    for length in 0..body.len() {
        assert_eq!(ClientHello::parse(&body[..length]).is_ok(), length == bare, "cut at {length}");
    }
}

proptest! {
    #[test]
    fn any_bytes_as_any_message(message_type in 0..=25_u8, body in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = check_handshake_body(HandshakeType(message_type), &body);
        let _ = Alert::parse(&body);
        let _ = RecordHeader::parse(&body);
        let _ = Ack::parse(&body).map(|ack| ack.iter().count());
        let _ = KeyShares::parse(&body).map(|shares| shares.iter().count());
        let _ = parse_key_share(&body);
        let _ = Certificate13::parse(&body).map(|chain| chain.iter().count());
        let _ = CertificateRequest13::parse(&body);
        if let Ok(header) = UnifiedHeader::parse(&body) {
            prop_assert!(header.ciphertext_offset() <= body.len());
        }
        let mut rest = &body[..];
        while let Ok((fragment, tail)) = Fragment::parse(rest) {
            prop_assert!(fragment.offset + fragment.body.len() <= fragment.length);
            prop_assert!(tail.len() < rest.len());
            rest = tail;
        }
    }

    #[test]
    fn damaged_client_hellos(at in 0..200_usize, with in any::<u8>(), cut in 0..200_usize) {
        let mut body = client_hello();
        let at = at % body.len();
        body[at] ^= with;
        body.truncate(body.len() - cut % 20);
        if let Ok(hello) = ClientHello::parse(&body) {
            for (extension_type, _) in hello.extensions.iter() {
                let _ = hello.extensions.numbers(extension_type);
            }
            let _ = hello.offers_version(ProtocolVersion::DTLS_1_2);
        }
    }

    #[test]
    fn record_headers_round_trip(content_type: u8, version: u16, epoch: u16, sequence in 0..1_u64 << 48, length: u16) {
        let header = RecordHeader {
            content_type: ContentType(content_type),
            version: ProtocolVersion(version),
            epoch,
            sequence_number: sequence,
            length,
        };
        prop_assert_eq!(RecordHeader::parse(&header.to_bytes()), Ok(header));
    }

    #[test]
    fn fragments_round_trip(message_type: u8, message_seq: u16, offset in 0..1000_usize, more in 0..1000_usize,
                            body in proptest::collection::vec(any::<u8>(), 0..100)) {
        let length = offset + body.len() + more;
        let fragment = Fragment { message_type: HandshakeType(message_type), length, message_seq, offset, body: &body };
        let bytes = [&fragment.header()[..], &body].concat();
        prop_assert_eq!(Fragment::parse(&bytes), Ok((fragment, &[][..])));
    }

    #[test]
    fn any_text_as_a_fingerprint(text in ".{0,120}") {
        let _ = text.parse::<Fingerprint>();
    }

    #[test]
    fn any_datagrams_to_a_live_connection(
        server: bool,
        datagrams in proptest::collection::vec(
            (20..24_u8, 0..3_u16, proptest::collection::vec(any::<u8>(), 0..200)), 0..20),
    ) {
        let role = if server { Role::Server } else { Role::Client };
        let mut connection = Connection::new(config(role).into(), role, Rng::from_test_seed(1));
        connection.start(Instant::ORIGIN);
        for (n, (content_type, epoch, content)) in datagrams.iter().enumerate() {
            let header = RecordHeader {
                content_type: ContentType(*content_type),
                version: ProtocolVersion::DTLS_1_2,
                epoch: *epoch,
                sequence_number: n as u64,
                length: content.len() as u16,
            };
            let mut datagram = [&header.to_bytes()[..], content].concat();
            let yields = connection.handle_input(Instant::ORIGIN, &mut datagram).map(|mut r| r.next().is_some());
            prop_assert_eq!(yields, Ok(false));
        }
    }
}
