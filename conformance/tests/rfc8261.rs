//! SCTP over DTLS (RFC 8261): what the two layers owe each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::sync::Arc;

use weft_core::{Frame, Instant, Layer, Overhead, Rng};
use weft_dtls::{
    Certificate, Config, Connection, Role, Verifier,
    wire::{ClientHello, Fragment, HandshakeType, RECORD_HEADER},
};
use weft_sctp::{
    Association,
    wire::{Init, Packet, kind},
};

/// Parameter types (RFC 9260 section 3.3.2.1).
const IPV4_ADDRESS: u16 = 5;
const IPV6_ADDRESS: u16 = 6;
const SUPPORTED_ADDRESS_TYPES: u16 = 12;

fn transmit(layer: &mut impl Layer<Route = ()>) -> Vec<u8> {
    let mut buf = [0; 2048];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    layer.poll_transmit(Instant::ORIGIN, &mut frame).expect("something to send");
    frame.content().to_vec()
}

/// The types of the parameters in the INIT or INIT ACK that `packet` begins with.
fn parameters(packet: &[u8], expected: u8) -> Vec<u16> {
    let packet = Packet::parse(packet).unwrap();
    let chunk = packet.chunks().next().unwrap();
    assert_eq!(chunk.kind, expected);
    Init::parse(chunk.value).unwrap().params.map(|p| p.kind).collect()
}

#[test]
fn init_and_init_ack_hold_no_addresses() {
    let mut client = Association::new(weft_sctp::Config::rtc(), Rng::from_test_seed(1));
    let mut server = Association::new(weft_sctp::Config::rtc(), Rng::from_test_seed(2));
    client.connect(Instant::ORIGIN);
    let init = transmit(&mut client);
    server.handle_input(Instant::ORIGIN, &init).unwrap();
    let init_ack = transmit(&mut server);

    let in_init = parameters(&init, kind::INIT);
    let in_init_ack = parameters(&init_ack, kind::INIT_ACK);
    assert!(!in_init.is_empty() && !in_init_ack.is_empty());
    for types in [&in_init, &in_init_ack] {
        //= rfc8261#6.1
        //# The INIT and INIT-ACK chunk MUST NOT contain any IPv4 Address or IPv6 Address parameters.
        assert!(!types.contains(&IPV4_ADDRESS) && !types.contains(&IPV6_ADDRESS), "{types:?}");
    }
    //= rfc8261#6.1
    //# The INIT chunk MUST NOT contain the Supported Address Types parameter.
    assert!(!in_init.contains(&SUPPORTED_ADDRESS_TYPES), "{in_init:?}");
}

#[test]
fn no_compression_is_offered() {
    let certificate = Arc::new(Certificate::generate().unwrap());
    let mut config = Config::new(certificate, Verifier::Fingerprints(Vec::new()));
    // Room for a hello with post-quantum keys in one piece.
    config.mtu = 2000;
    let mut client = Connection::new(Arc::new(config), Role::Client, Rng::from_test_seed(3));
    client.start(Instant::ORIGIN);
    let datagram = transmit(&mut client);
    let (fragment, _) = Fragment::parse(&datagram[RECORD_HEADER..]).unwrap();
    assert_eq!(fragment.message_type, HandshakeType::CLIENT_HELLO);
    assert_eq!(fragment.body.len(), fragment.length, "the hello is whole");
    let hello = ClientHello::parse(fragment.body).unwrap();
    //= rfc8261#5
    //# Therefore, the DTLS layer MUST NOT use any compression algorithm.
    assert_eq!(hello.compression_methods, [0]);
}
