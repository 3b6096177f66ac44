//! Captured DTLS 1.2 handshakes of other stacks: their certificates are read and their signatures verified.

#[cfg(test)]
use crate::config::Limits;
use crate::crypto::PeerKey;
use crate::der;
use crate::event::Counters;
use crate::reassembly::Reassembly;
use crate::record::split;
use crate::transcript::Transcript;
use crate::wire::{
    CertificateMessage, ClientHello, ContentType, DigitallySigned, Fragment, HandshakeType, RECORD_HEADER, ServerHello,
    ServerKeyExchange,
};

const CAPTURES: &[(&str, &str)] = &[
    ("aiortc", include_str!("../tests/fixtures/aiortc-1.16-dtls12.hex")),
    ("firefox", include_str!("../tests/fixtures/firefox-153-dtls12.hex")),
    ("node-datachannel", include_str!("../tests/fixtures/node-datachannel-0.33-dtls.hex")),
];

/// The plaintext handshake messages of a capture in their order: from client or server, number, type, body.
fn messages(capture: &str) -> Vec<(char, u16, HandshakeType, Vec<u8>)> {
    let mut sides = [('C', Reassembly::new(&Limits::default())), ('S', Reassembly::new(&Limits::default()))];
    let mut all = Vec::new();
    for line in capture.lines().filter(|line| !line.starts_with('#') && line.len() > 2) {
        let (sender, hex) = line.split_at(1);
        let hex = hex.trim();
        let datagram: Vec<u8> =
            (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect();
        let (name, reassembly) = sides.iter_mut().find(|(name, _)| sender.starts_with(*name)).unwrap();
        let mut at = 0;
        while let Some((header, end)) = split(&datagram, at) {
            let mut rest = &datagram[at + RECORD_HEADER..end];
            at = end;
            if header.content_type != ContentType::HANDSHAKE || header.epoch != 0 {
                continue;
            }
            while let Ok((fragment, tail)) = Fragment::parse(rest) {
                reassembly.insert(&fragment, 0, &mut Counters::default());
                rest = tail;
            }
            while let Some(message) = reassembly.take() {
                reassembly.advance();
                all.push((*name, message.message_seq, message.message_type, message.body));
            }
        }
    }
    all
}

fn body(messages: &[(char, u16, HandshakeType, Vec<u8>)], sender: char, wanted: HandshakeType) -> &[u8] {
    &messages.iter().rfind(|m| m.0 == sender && m.2 == wanted).unwrap_or_else(|| panic!("no {wanted}")).3
}

fn key(messages: &[(char, u16, HandshakeType, Vec<u8>)], sender: char) -> PeerKey {
    let chain = CertificateMessage::parse(body(messages, sender, HandshakeType::CERTIFICATE)).unwrap();
    PeerKey::new(&crate::crypto::default(), der::subject_public_key(chain.iter().next().unwrap()).unwrap())
}

//= rfc8422#5.3
//# ECC public keys MUST be encoded in certificates as described in Section 5.9.
//= rfc6347#4.2.6
//# Note that in cases where the cookie exchange is used, the initial ClientHello and HelloVerifyRequest MUST NOT be
//# included in the CertificateVerify or Finished MAC computations.
//= rfc8422#2.1
//# These parameters MUST be signed with ECDSA or EdDSA using the private key corresponding to the public key in the
//# server's Certificate.
#[test]
fn signatures_of_captured_handshakes_verify() {
    for (name, capture) in CAPTURES {
        let all = messages(capture);
        let client_random = ClientHello::parse(body(&all, 'C', HandshakeType::CLIENT_HELLO)).unwrap().random;
        let server_random = ServerHello::parse(body(&all, 'S', HandshakeType::SERVER_HELLO)).unwrap().random;
        let exchange = ServerKeyExchange::parse(body(&all, 'S', HandshakeType::SERVER_KEY_EXCHANGE)).unwrap();
        let mut signed = [&client_random[..], &server_random, exchange.params].concat();
        let server = key(&all, 'S');
        server.verify_v12(exchange.signed.scheme, &signed, exchange.signed.signature).expect(name);
        signed[0] ^= 1;
        assert!(server.verify_v12(exchange.signed.scheme, &signed, exchange.signed.signature).is_err());

        let mut transcript = Transcript::default();
        let cookie = all.iter().any(|m| m.2 == HandshakeType::HELLO_VERIFY_REQUEST);
        let uncounted = |m: &&(char, u16, HandshakeType, Vec<u8>)| {
            cookie && (m.2 == HandshakeType::HELLO_VERIFY_REQUEST || m.2 == HandshakeType::CLIENT_HELLO && m.1 == 0)
        };
        let before_verify =
            all.iter().filter(|m| !uncounted(m)).take_while(|m| m.2 != HandshakeType::CERTIFICATE_VERIFY);
        before_verify.for_each(|(_, seq, message_type, body)| transcript.add_v12(*message_type, *seq, body));
        let verify = DigitallySigned::parse(body(&all, 'C', HandshakeType::CERTIFICATE_VERIFY)).unwrap();
        key(&all, 'C').verify_v12(verify.scheme, transcript.bytes(), verify.signature).expect(name);
    }
}
