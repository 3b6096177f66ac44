//! Captured handshakes of other stacks.

use std::collections::BTreeMap;

use weft_core::{Instant, Rng};
use weft_dtls::wire::{
    ClientHello, ContentType, ExtensionType, Fragment, HandshakeType, RECORD_HEADER, RecordHeader, ServerHello,
    ServerKeyExchange, UnifiedHeader, check_handshake_body, parse_key_share,
};
use weft_dtls::{CipherSuite, Connection, NamedGroup, ProtocolVersion, Role};

use crate::link::{PERFECT, Pair, config, config_any};

const CAPTURES: &[(&str, &str)] = &[
    ("aiortc", include_str!("../fixtures/aiortc-1.16-dtls12.hex")),
    ("chromium mlkem", include_str!("../fixtures/chromium-156-dtls13-mlkem.hex")),
    ("chromium x25519", include_str!("../fixtures/chromium-156-dtls13-x25519.hex")),
    ("firefox 1.2", include_str!("../fixtures/firefox-153-dtls12.hex")),
    ("firefox mlkem", include_str!("../fixtures/firefox-153-dtls13-mlkem.hex")),
    ("node-datachannel", include_str!("../fixtures/node-datachannel-0.33-dtls.hex")),
    ("libwebrtc", include_str!("../fixtures/pywrtc-0.1.0-m152-dtls13.hex")),
];

/// The datagrams of a capture: who sent them, and their bytes.
fn datagrams(capture: &str) -> Vec<(char, Vec<u8>)> {
    let hex =
        |text: &str| (0..text.len() / 2).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap()).collect();
    let lines = capture.lines().filter(|line| !line.starts_with('#') && line.len() > 2);
    lines.map(|line| (line.chars().next().unwrap(), hex(line[2..].trim()))).collect()
}

/// Handshake fragments in the clear, of one datagram.
fn fragments(datagram: &[u8]) -> Vec<Fragment<'_>> {
    let (mut all, mut rest) = (Vec::new(), datagram);
    while let Ok(header) = RecordHeader::parse(rest) {
        let end = RECORD_HEADER + usize::from(header.length);
        if header.content_type == ContentType::HANDSHAKE && header.epoch == 0 {
            let mut content = &rest[RECORD_HEADER..end];
            while !content.is_empty() {
                let (fragment, tail) = Fragment::parse(content).unwrap();
                all.push(fragment);
                content = tail;
            }
        } else if !(20..=23).contains(&header.content_type.0) {
            break;
        }
        rest = &rest[end..];
    }
    all
}

/// Whole messages by number.
fn messages<'a>(datagrams: impl Iterator<Item = &'a Vec<u8>>) -> BTreeMap<u16, (HandshakeType, Vec<u8>)> {
    let mut all = BTreeMap::new();
    for datagram in datagrams {
        for fragment in fragments(datagram) {
            let (_, body) =
                all.entry(fragment.message_seq).or_insert_with(|| (fragment.message_type, vec![0; fragment.length]));
            body[fragment.offset..fragment.offset + fragment.body.len()].copy_from_slice(fragment.body);
        }
    }
    all
}

#[test]
fn every_plaintext_handshake_message_parses() {
    for (name, capture) in CAPTURES {
        let all = datagrams(capture);
        let mut count = 0;
        for side in ['C', 'S'] {
            for (seq, (message_type, body)) in messages(all.iter().filter(|d| d.0 == side).map(|d| &d.1)) {
                // ServerHellos of 1.3 have the same syntax.
                check_handshake_body(message_type, &body).unwrap_or_else(|e| panic!("{name} {side} {seq}: {e}"));
                count += 1;
            }
        }
        assert!(count >= 2, "{name} has {count}");
    }
}

/// The datagrams of the first ClientHello, each piece once.
fn hello_of(capture: &str) -> Vec<Vec<u8>> {
    let all = datagrams(capture);
    let is_hello =
        |d: &Vec<u8>| fragments(d).iter().any(|f| f.message_type == HandshakeType::CLIENT_HELLO && f.message_seq == 0);
    let mut hello: Vec<Vec<u8>> = Vec::new();
    for datagram in all.iter().filter(|d| d.0 == 'C').map(|d| &d.1).filter(|d| is_hello(d)) {
        let offset = fragments(datagram)[0].offset;
        if hello.iter().all(|earlier| fragments(earlier)[0].offset != offset) {
            hello.push(datagram.clone());
        }
    }
    hello
}

/// Bytes of a datagram in protected records of 1.3.
fn protected_bytes(datagram: &[u8]) -> usize {
    let mut rest = datagram;
    while !rest.is_empty() && !UnifiedHeader::is_unified(rest[0]) {
        rest = &rest[RECORD_HEADER + usize::from(RecordHeader::parse(rest).unwrap().length)..];
    }
    rest.len()
}

/// The hellos of today's browsers are answered with the first flight of 1.3, in the group they prefer.
#[test]
fn client_hellos_of_browsers_are_answered_with_dtls_1_3() {
    for (name, capture) in CAPTURES {
        let hello = hello_of(capture);
        let mut pair = Pair::new(config_any(Role::Client), config_any(Role::Server), PERFECT, 1);
        for datagram in &hello {
            pair.inject(1, datagram);
        }
        let flight = pair.take(1);
        let messages = messages(flight.iter());
        let answer = ServerHello::parse(&messages[&0].1).unwrap();
        let offered = self::messages(hello.iter());
        let offer = ClientHello::parse(&offered[&0].1).unwrap();
        assert_eq!(answer.chooses_v13(), offer.offers_v13().unwrap(), "{name}");
        assert_eq!(answer.chooses_v13(), ["chromium", "firefox m", "libwebrtc"].iter().any(|s| name.starts_with(s)));
        if !answer.chooses_v13() {
            // Such a client does not look, but it is told that we speak 1.3.
            assert!(answer.signals_downgrade(), "{name}");
            continue;
        }
        assert!(!answer.is_retry() && !answer.signals_downgrade());
        assert_eq!(messages.len(), 1, "all but the ServerHello is protected");
        assert_eq!(answer.server_version, ProtocolVersion::DTLS_1_2);
        assert_eq!(answer.session_id, offer.session_id);
        assert_eq!(answer.cipher_suite, CipherSuite::AES_128_GCM_SHA256);
        let (group, share) = parse_key_share(answer.extensions.get(ExtensionType::KEY_SHARE).unwrap()).unwrap();
        let (preferred, length) = if name.contains("x25519") || *name == "libwebrtc" {
            (NamedGroup::X25519, 32)
        } else {
            (NamedGroup::X25519MLKEM768, 1120)
        };
        assert_eq!((group, share.len()), (preferred, length), "{name}");
        // A certificate and a signature at least follow the ServerHello.
        let protected: usize = flight.iter().map(|datagram| protected_bytes(datagram)).sum();
        assert!(protected > 500, "{name}: {protected}");
    }
}

/// Every ClientHello, 1.3-capable or not, in one datagram or two, in either order, is answered with flight 4.
#[test]
fn client_hellos_are_answered_with_dtls_1_2() {
    for (name, capture) in CAPTURES {
        let mut hello = hello_of(capture);
        assert!(!hello.is_empty(), "{name}");
        for reversed in [false, true] {
            let mut pair = Pair::new(config(Role::Client), config(Role::Server), PERFECT, 1);
            pair.ends[1] = Connection::new(config(Role::Server).into(), Role::Server, Rng::from_test_seed(1));
            if reversed {
                hello.reverse();
            }
            for (n, datagram) in hello.iter().enumerate() {
                assert!(pair.take(1).is_empty(), "{name}: answered after {n} of {} datagrams", hello.len());
                pair.inject(1, datagram);
            }
            let flight = pair.take(1);
            let messages = messages(flight.iter());
            let types: Vec<HandshakeType> = messages.values().map(|m| m.0).collect();
            assert_eq!(
                types,
                [
                    HandshakeType::SERVER_HELLO,
                    HandshakeType::CERTIFICATE,
                    HandshakeType::SERVER_KEY_EXCHANGE,
                    HandshakeType::CERTIFICATE_REQUEST,
                    HandshakeType::SERVER_HELLO_DONE
                ],
                "{name}: {:?} {:?}",
                pair.errors[1],
                pair.ends[1].counters()
            );
            let hello = ServerHello::parse(&messages[&0].1).unwrap();
            assert_eq!(hello.server_version, ProtocolVersion::DTLS_1_2);
            assert_eq!(hello.cipher_suite, CipherSuite::ECDHE_ECDSA_AES_128_GCM_SHA256);
            assert_eq!(hello.extensions.get(ExtensionType::EXTENDED_MASTER_SECRET), Some(&[][..]));
            assert_eq!(hello.extensions.get(ExtensionType::USE_SRTP), None, "tolerated, not answered");
            assert!(!hello.random.ends_with(b"DOWNGRD\x01") && !hello.random.ends_with(b"DOWNGRD\x00"));
            let exchange = ServerKeyExchange::parse(&messages[&2].1).unwrap();
            // libdatachannel offers nothing but P-256.
            let group = if *name == "node-datachannel" { NamedGroup::SECP256R1 } else { NamedGroup::X25519 };
            assert_eq!(exchange.group, group, "{name}");
            assert_eq!(pair.now, Instant::ORIGIN);
        }
    }
}
