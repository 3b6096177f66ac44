//! The test vectors of RFC 5769 and RFC 8489 appendix B.

use weft_core::{Frame, Overhead};
use weft_stun::{
    Class, IceControlled, IceControlling, Integrity, IntegrityKey, Message, MessageBuilder, Method, Nonce, ParseError,
    PasswordAlgorithmId, Priority, Realm, Software, Userhash, Username, XorMappedAddress, userhash,
};

/// RFC 5769 section 2.1.
pub(super) const REQUEST: &str = "\
    000100582112a442b7e7a701bc34d686fa87dfae \
    802200105354554e207465737420636c69656e74 \
    002400046e0001ff80290008932ff9b151263b36 \
    000600096576746a3a6836765920202000080014 \
    9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 \
    80280004e57a3bcf \
";
/// RFC 5769 section 2.2.
pub(super) const RESPONSE_V4: &str = "\
    0101003c2112a442b7e7a701bc34d686fa87dfae \
    8022000b7465737420766563746f722000200008 \
    0001a147e112a643000800142b91f599fd9e90c3 \
    8c7489f92af9ba53f06be7d780280004c07d4c96 \
";
/// RFC 5769 section 2.3.
pub(super) const RESPONSE_V6: &str = "\
    010100482112a442b7e7a701bc34d686fa87dfae \
    8022000b7465737420766563746f722000200014 \
    0002a1470113a9faa5d3f179bc25f4b5bed2b9d9 \
    00080014a382954e4be67bf11784c97c8292c275 \
    bfe3ed4180280004c8fb0b4c \
";
/// RFC 5769 section 2.4.
pub(super) const LONG_TERM: &str = "\
    000100602112a44278ad3433c6ad72c029da412e \
    00060012e3839ee38388e383aae38383e382afe3 \
    82b900000015001c662f2f3439396b3935346436 \
    4f4c33346f4c394653547679363473410014000b \
    6578616d706c652e6f72670000080014f6702465 \
    6dd64a3e02b8e0712e85c9a28ca89666 \
";
/// RFC 8489 appendix B.1.
pub(super) const LONG_TERM_SHA256: &str = "\
    0001009c2112a44278ad3433c6ad72c029da412e \
    001e00204a3cf38fef6992bda952c6780417da0f \
    24819415569e60b205c46e41407f170400150029 \
    6f624d61744a6f733241414143662f2f3439396b \
    39353464364f4c33346f4c394653547679363473 \
    410000000014000b6578616d706c652e6f726700 \
    001c0020e4686c8f0edeb59013e07090010a93ef \
    ccbccc544c0a45d9f830aa6d6f735a01 \
";

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
const USER: &str = "マトリックス";

pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn sample_request() {
    let bytes = bytes(REQUEST);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
    assert_eq!(message.get::<Software<'_>>(), Ok(Some(Software("STUN test client"))));
    assert_eq!(message.get(), Ok(Some(Priority(0x6e00_01ff))));
    assert_eq!(message.get(), Ok(Some(IceControlled(0x932f_f9b1_5126_3b36))));
    assert_eq!(message.get::<IceControlling>(), Ok(None));
    assert_eq!(message.get(), Ok(Some(Username("evtj:h6vY"))));
    assert_eq!(message.check_integrity(&IntegrityKey::short_term(PASSWORD)), Integrity::Sha1);
    assert_eq!(message.check_integrity(&IntegrityKey::short_term("another")), Integrity::Invalid);
    assert!(message.has_valid_fingerprint());
    assert_eq!(message.unknown_required().count(), 0);
}

#[test]
fn sample_responses() {
    for (hex, address) in
        [(RESPONSE_V4, "192.0.2.1:32853"), (RESPONSE_V6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
    {
        let bytes = bytes(hex);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.class(), Class::Success);
        assert_eq!(message.get::<Software<'_>>(), Ok(Some(Software("test vector"))));
        assert_eq!(message.get(), Ok(Some(XorMappedAddress(address.parse().unwrap()))));
        assert_eq!(message.check_integrity(&IntegrityKey::short_term(PASSWORD)), Integrity::Sha1);
        assert!(message.has_valid_fingerprint());
    }
}

#[test]
fn sample_request_with_long_term_authentication() {
    let bytes = bytes(LONG_TERM);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.get(), Ok(Some(Username(USER))));
    assert_eq!(message.get(), Ok(Some(Nonce("f//499k954d6OL34oL9FSTvy64sA"))));
    assert_eq!(message.get(), Ok(Some(Realm("example.org"))));
    let key = IntegrityKey::long_term(PasswordAlgorithmId::Md5, USER, "example.org", "TheMatrIX");
    assert_eq!(message.check_integrity(&key), Integrity::Sha1);
    assert!(!message.has_valid_fingerprint(), "it has none");

    // Written again, it has the same bytes: padding, order, integrity.
    let mut buf = [0xAA; 512];
    let mut frame = Frame::new(&mut buf, Overhead { head: 7, tail: 0 });
    let mut again = MessageBuilder::new(&mut frame, Class::Request, Method::BINDING, message.transaction_id()).unwrap();
    again.attribute(&Username(USER)).unwrap().attribute(&Nonce("f//499k954d6OL34oL9FSTvy64sA")).unwrap();
    again.attribute(&Realm("example.org")).unwrap().integrity(&key).unwrap();
    assert_eq!(frame.content(), bytes);
}

#[test]
fn sample_request_with_sha256_and_userhash() {
    // As printed, the length counts the header, too, so it is no message before that is put right. The integrity was
    // computed with the printed length; its key is checked in `src/integrity.rs`.
    let mut bytes = bytes(LONG_TERM_SHA256);
    assert_eq!(Message::parse(&bytes).unwrap_err(), ParseError::Length);
    bytes[3] -= 20;
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.get(), Ok(Some(Userhash(userhash(USER, "example.org")))));
    assert_eq!(message.get(), Ok(Some(Nonce("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"))));

    let key = IntegrityKey::long_term(PasswordAlgorithmId::Sha256, USER, "example.org", "TheMatrIX");
    let mut buf = [0xAA; 512];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    let mut again = MessageBuilder::new(&mut frame, Class::Request, Method::BINDING, message.transaction_id()).unwrap();
    again.attribute(&Userhash(userhash(USER, "example.org"))).unwrap();
    again.attribute(&Nonce("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA")).unwrap();
    again.attribute(&Realm("example.org")).unwrap().integrity_sha256(&key).unwrap();
    assert_eq!(frame.content()[..120], bytes[..120]);
    assert_eq!(Message::parse(frame.content()).unwrap().check_integrity(&key), Integrity::Sha256);
}
