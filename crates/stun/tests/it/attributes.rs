//! Every attribute, there and back.

use core::net::SocketAddr;

use weft_core::{Frame, Overhead};
use weft_stun::{
    AddressFamily, AlternateDomain, AlternateServer, Attribute, AttributeType, ChannelNumber, Class, Crc32s, Data,
    DtlsInStun, DtlsInStunAck, ErrorCode, EvenPort, IceControlled, IceControlling, Malformed, MappedAddress, Message,
    MessageBuilder, Method, Nonce, PasswordAlgorithm, PasswordAlgorithms, Priority, Realm, RequestedAddressFamily,
    RequestedTransport, Software, TransactionId, UnknownAttributes, UseCandidate, Userhash, Username, XorMappedAddress,
};

const ID: TransactionId = TransactionId([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);

#[derive(Clone, Copy, PartialEq, Debug)]
struct Raw<'a>(u16, &'a [u8]);

fn message(attribute: Raw<'_>) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
    bytes.extend_from_slice(&ID.0);
    bytes.extend_from_slice(&attribute.0.to_be_bytes());
    bytes.extend_from_slice(&(attribute.1.len() as u16).to_be_bytes());
    bytes.extend_from_slice(attribute.1);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let len = bytes.len() as u16 - 20;
    bytes[2..4].copy_from_slice(&len.to_be_bytes());
    bytes
}

fn round_trip<A: for<'a> Attribute<'a> + PartialEq + core::fmt::Debug>(attribute: A) {
    let mut buf = [0xAA; 1024];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    let mut builder = MessageBuilder::new(&mut frame, Class::Indication, Method::BINDING, ID).unwrap();
    builder.attribute(&attribute).unwrap();
    assert_eq!(Message::parse(frame.content()).unwrap().get::<A>(), Ok(Some(attribute)));
}

macro_rules! round_trip {
    ($value:expr, $kind:ty) => {{
        let value = $value;
        let mut buf = [0xAA; 1024];
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        let mut builder = MessageBuilder::new(&mut frame, Class::Indication, Method::BINDING, ID).unwrap();
        builder.attribute(&value).unwrap();
        assert_eq!(Message::parse(frame.content()).unwrap().get::<$kind>(), Ok(Some(value)));
    }};
}

#[test]
fn there_and_back() {
    for address in ["192.0.2.1:0", "0.0.0.0:65535", "[2001:db8::1]:443", "[::]:1"] {
        let address: SocketAddr = address.parse().unwrap();
        round_trip(MappedAddress(address));
        round_trip(XorMappedAddress(address));
        round_trip(AlternateServer(address));
    }
    round_trip(Priority(u32::MAX - 1));
    round_trip(IceControlled(u64::MAX - 1));
    round_trip(IceControlling(3));
    round_trip(UseCandidate);
    round_trip(Userhash([9; 32]));
    round_trip!(Username("a:b"), Username<'_>);
    round_trip!(Realm("żółw"), Realm<'_>);
    round_trip!(Nonce(""), Nonce<'_>);
    round_trip!(Software("weft"), Software<'_>);
    round_trip!(AlternateDomain("turn.example"), AlternateDomain<'_>);
    round_trip!(ErrorCode { code: 699, reason: "no" }, ErrorCode<'_>);
    round_trip!(ErrorCode::ROLE_CONFLICT, ErrorCode<'_>);
    round_trip!(UnknownAttributes::new(&[[0, 1], [0x12, 0x34], [2, 2]]), UnknownAttributes<'_>);
    round_trip!(DtlsInStun(&[22, 254, 253]), DtlsInStun<'_>);
    round_trip!(PasswordAlgorithm { algorithm: 2, parameters: &[1, 2, 3] }, PasswordAlgorithm<'_>);
    let mut acks = Crc32s::default();
    round_trip(DtlsInStunAck(acks));
    for value in 1..=4 {
        assert!(acks.push(value));
    }
    assert!(!acks.push(5));
    round_trip(DtlsInStunAck(acks));
}

//= rfc8489#14.1
//# If the address family is IPv4, the address MUST be 32 bits.
//= rfc8489#14.1
//# If the address family is IPv6, the address MUST be 128 bits.
//= rfc8489#14.1
//# The first 8 bits of the MAPPED-ADDRESS MUST be set to 0 and MUST be ignored by receivers.
#[test]
fn addresses() {
    let read = |value: &[u8]| Message::parse(&message(Raw(0x0001, value))).unwrap().get::<MappedAddress>();
    let v4 = Ok(Some(MappedAddress("192.0.2.1:258".parse().unwrap())));
    assert_eq!(read(&[0, 1, 1, 2, 192, 0, 2, 1]), v4);
    assert_eq!(read(&[0xFF, 1, 1, 2, 192, 0, 2, 1]), v4, "the first byte is ignored");
    let bad = Err(Malformed(AttributeType::MAPPED_ADDRESS));
    assert_eq!(read(&[0, 1, 1, 2, 192, 0, 2]), bad);
    assert_eq!(read(&[0, 2, 1, 2, 192, 0, 2, 1]), bad);
    assert_eq!(read(&[0, 3, 1, 2, 192, 0, 2, 1]), bad);
    assert_eq!(read(&[0; 20]), bad);
    assert_eq!(read(&[]), bad);

    let mut buf = [0xAA; 64];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    let mut builder = MessageBuilder::new(&mut frame, Class::Success, Method::BINDING, ID).unwrap();
    builder.attribute(&MappedAddress("192.0.2.1:258".parse().unwrap())).unwrap();
    assert_eq!(frame.content()[24..], [0, 1, 1, 2, 192, 0, 2, 1]);
}

//= rfc8489#14.8
//# Receivers MUST ignore these bits.
//= rfc8489#14.8
//# The value MUST be between 3 and 6.
//= rfc8489#14.8
//# The Number represents the binary encoding of the error code modulo 100, and its value MUST be between 0 and 99.
#[test]
fn error_codes() {
    let read = |value: &[u8]| {
        let bytes = message(Raw(0x0009, value));
        Message::parse(&bytes).unwrap().get::<ErrorCode<'_>>().map(|code| code.map(|code| code.code))
    };
    assert_eq!(read(&[0xFF, 0xFF, 0xFC, 20]), Ok(Some(420)));
    assert_eq!(read(&[0, 0, 3, 0]), Ok(Some(300)));
    assert_eq!(read(&[0, 0, 6, 99]), Ok(Some(699)));
    let bad = Err(Malformed(AttributeType::ERROR_CODE));
    for value in [&[0, 0, 2, 0][..], &[0, 0, 7, 0], &[0, 0, 4, 100], &[0, 0, 4], &[0, 0, 4, 0, 0xFF]] {
        assert_eq!(read(value), bad, "{value:?}");
    }
}

//= rfc8489#14.3
//# A compliant implementation MUST be able to parse a UTF-8-encoded sequence of 763 or fewer octets to be compatible with [RFC5389].
#[test]
fn long_texts() {
    let text = "u".repeat(763);
    let bytes = message(Raw(0x0006, text.as_bytes()));
    assert_eq!(Message::parse(&bytes).unwrap().get(), Ok(Some(Username(&text))));
    let text = "u".repeat(764);
    let bytes = message(Raw(0x0006, text.as_bytes()));
    assert_eq!(Message::parse(&bytes).unwrap().get::<Username<'_>>(), Err(Malformed(AttributeType::USERNAME)));
    let bytes = message(Raw(0x0006, &[0xC3]));
    assert_eq!(Message::parse(&bytes).unwrap().get::<Username<'_>>(), Err(Malformed(AttributeType::USERNAME)));
}

#[test]
fn password_algorithms() {
    // SHA-256 with three bytes of parameters and their padding, then MD5 without.
    let bytes = message(Raw(0x8002, &[0, 2, 0, 3, 1, 2, 3, 0, 0, 1, 0, 0]));
    let list = Message::parse(&bytes).unwrap().get::<PasswordAlgorithms<'_>>().unwrap().unwrap();
    assert_eq!(
        list.iter().collect::<Vec<_>>(),
        [
            PasswordAlgorithm { algorithm: 2, parameters: &[1, 2, 3] },
            PasswordAlgorithm { algorithm: 1, parameters: &[] }
        ]
    );
    for bad in [&[0, 2, 0][..], &[0, 2, 0, 9, 1], &[0, 1, 0, 0, 5]] {
        let bytes = message(Raw(0x8002, bad));
        assert!(Message::parse(&bytes).unwrap().get::<PasswordAlgorithms<'_>>().is_err(), "{bad:?}");
    }
}

#[test]
fn embedded_dtls_that_is_none_is_refused() {
    for first in 0..=255 {
        let bytes = message(Raw(0xC070, &[first, 1, 2]));
        let dtls = Message::parse(&bytes).unwrap().get::<DtlsInStun<'_>>().is_ok();
        assert_eq!(dtls, (20..=63).contains(&first), "{first}");
    }
    for len in 0..=24 {
        let bytes = message(Raw(0xC071, &vec![0; len]));
        let acks = Message::parse(&bytes).unwrap().get::<DtlsInStunAck>().is_ok();
        assert_eq!(acks, len % 4 == 0 && len <= 16, "{len}");
    }
}

//= rfc8656#18
//# Some of these attributes have lengths that are not multiples of 4. By the rules of STUN, any attribute whose length is not a multiple of 4 bytes MUST be immediately followed by 1 to 3 padding bytes to ensure the next attribute (if any) would start on a 4-byte boundary (see [RFC8489]).
//= rfc8656#18.1
//# The value portion of this attribute is 4 bytes long and consists of a 16-bit unsigned integer followed by a two-octet RFFU (Reserved For Future Use) field, which MUST be set to 0 on transmission and MUST be ignored on reception.
//= rfc8656#18.6
//# Reserved: At this point, the 24 bits in the Reserved field MUST be set to zero by the client and MUST be ignored by the server.
//= rfc8656#18.8
//# The RFFU field MUST be set to zero on transmission and MUST be ignored on reception.
#[test]
fn reserved_bits_are_zero_when_sent_and_ignored_when_received() {
    let mut buf = [0xAA; 128];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    let mut builder = MessageBuilder::new(&mut frame, Class::Request, Method::ALLOCATE, ID).unwrap();
    builder.attribute(&ChannelNumber(0x4001)).unwrap().attribute(&RequestedAddressFamily(AddressFamily::V6)).unwrap();
    builder.attribute(&RequestedTransport::UDP).unwrap().attribute(&Data(b"12345")).unwrap();
    builder.attribute(&EvenPort { reserve: true }).unwrap();
    let bytes = frame.content();
    assert_eq!(bytes[20..28], [0, 0x0C, 0, 4, 0x40, 1, 0, 0]);
    assert_eq!(bytes[28..36], [0, 0x17, 0, 4, 2, 0, 0, 0]);
    assert_eq!(bytes[36..44], [0, 0x19, 0, 4, 17, 0, 0, 0]);
    assert_eq!(bytes[44..56], [0, 0x13, 0, 5, b'1', b'2', b'3', b'4', b'5', 0, 0, 0]);
    assert_eq!(bytes[56..], [0, 0x18, 0, 1, 0x80, 0, 0, 0]);
    let bytes = message(Raw(0x000C, &[0x40, 1, 0xFF, 0xFF]));
    assert_eq!(Message::parse(&bytes).unwrap().get(), Ok(Some(ChannelNumber(0x4001))));
    let bytes = message(Raw(0x0017, &[2, 0xFF, 0xFF, 0xFF]));
    assert_eq!(Message::parse(&bytes).unwrap().get(), Ok(Some(RequestedAddressFamily(AddressFamily::V6))));
    let bytes = message(Raw(0x0019, &[17, 0xFF, 0xFF, 0xFF]));
    assert_eq!(Message::parse(&bytes).unwrap().get(), Ok(Some(RequestedTransport::UDP)));
}

//= rfc8489#14.12
//# Similarly, the padding bits MUST be set to zero on sending and MUST be ignored by the receiver.
#[test]
fn parameters_of_password_algorithms_are_padded() {
    let value = PasswordAlgorithm { algorithm: 2, parameters: &[1, 2, 3] };
    let mut buf = [0xAA; 64];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    let mut builder = MessageBuilder::new(&mut frame, Class::Request, Method::ALLOCATE, ID).unwrap();
    builder.attribute(&value).unwrap();
    assert_eq!(frame.content()[24..32], [0, 2, 0, 3, 1, 2, 3, 0]);
    let bytes = message(Raw(0x001D, &[0, 2, 0, 3, 1, 2, 3, 0xFF]));
    assert_eq!(Message::parse(&bytes).unwrap().get(), Ok(Some(value)));
}
