//! Header, lengths, order and padding.

use weft_core::{Frame, Full, Overhead, Rng};
use weft_stun::{
    AttributeType, Class, Integrity, IntegrityKey, Message, MessageBuilder, Method, ParseError, Priority, Realm,
    Software, TransactionId, Username,
};

fn build(fill: impl FnOnce(&mut MessageBuilder<'_, '_>) -> Result<(), Full>) -> Vec<u8> {
    let mut buf = [0xAA; 1024];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    let mut builder = MessageBuilder::new(&mut frame, Class::Request, Method::BINDING, TransactionId([7; 12])).unwrap();
    fill(&mut builder).unwrap();
    frame.content().to_vec()
}

fn raw(attributes: &[u8]) -> Vec<u8> {
    let mut bytes = build(|_| Ok(()));
    bytes.extend_from_slice(attributes);
    let len = (bytes.len() - 20) as u16;
    bytes[2..4].copy_from_slice(&len.to_be_bytes());
    bytes
}

//= rfc8489#5
//# The most significant 2 bits of every STUN message MUST be zeroes.
//= rfc8489#5
//# The Magic Cookie field MUST contain the fixed value 0x2112A442 in network byte order.
//= rfc8489#5
//# The message length MUST contain the size of the message in bytes, not including the 20-byte STUN header.
//= rfc8489#6.1
//# When formulating a request or indication message, the agent MUST follow the rules in Section 5 when creating the header.
#[test]
fn header() {
    let bytes = build(|b| b.attribute(&Username("abcde")).map(|_| ()));
    assert_eq!(bytes[0] & 0xC0, 0);
    assert_eq!(bytes[2..8], [0, 12, 0x21, 0x12, 0xA4, 0x42]);
    assert_eq!(Message::length_of(&bytes), Some(bytes.len()));
    assert_eq!(Message::length_of(&bytes[..3]), None);
    assert!(Message::claims(&bytes) && !Message::claims(&[]) && !Message::claims(&[20]));

    for (at, bits, error) in [
        (0, 0x80, ParseError::NotStun),
        (0, 0x40, ParseError::NotStun),
        (4, 1, ParseError::NotStun),
        (7, 1, ParseError::NotStun),
        (3, 1, ParseError::Length),
        (3, 4, ParseError::Length),
        (2, 1, ParseError::Length),
        (23, 16, ParseError::Attribute),
    ] {
        let mut bad = bytes.clone();
        bad[at] ^= bits;
        assert_eq!(Message::parse(&bad).unwrap_err(), error, "byte {at} ^ {bits}");
    }
}

//= rfc8489#14
//# Each STUN attribute MUST end on a 32-bit boundary.
//= rfc8489#14
//# The value in the Length field MUST contain the length of the Value part of the attribute, prior to padding, measured in bytes.
//= rfc8489#14
//# The padding bits MUST be set to zero on sending and MUST be ignored by the receiver.
//= rfc8489#14
//# Each attribute MUST be TLV encoded, with a 16-bit type, 16-bit length, and value.
#[test]
fn padding_is_zero_when_sent_and_ignored_when_received() {
    for len in 0..=8 {
        let text = &"abcdefgh"[..len];
        let mut bytes = build(|b| b.attribute(&Software(text)).map(|_| ()));
        assert_eq!(bytes.len(), 24 + len.next_multiple_of(4));
        assert_eq!(bytes[22..24], (len as u16).to_be_bytes());
        assert!(bytes[24 + len..].iter().all(|&b| b == 0), "{bytes:?}");
        bytes[24 + len..].fill(0x55);
        assert_eq!(Message::parse(&bytes).unwrap().get(), Ok(Some(Software(text))));
    }
}

//= rfc8489#9
//# Note that agents MUST ignore all attributes that follow MESSAGE-INTEGRITY, with the exception of the MESSAGE-INTEGRITY-SHA256 and FINGERPRINT attributes.
#[test]
fn what_follows_the_integrity_is_ignored() {
    let key = IntegrityKey::short_term("secret");
    let bytes = build(|b| {
        b.attribute(&Username("me"))?.integrity(&key)?.attribute(&Priority(1))?.attribute(&Realm("r"))?;
        b.integrity_sha256(&key)?.attribute(&Software("s"))?.fingerprint()
    });
    let message = Message::parse(&bytes).unwrap();
    let kinds: Vec<_> = message.attributes().map(|raw| raw.kind).collect();
    assert_eq!(
        kinds,
        [
            AttributeType::USERNAME,
            AttributeType::MESSAGE_INTEGRITY,
            AttributeType::MESSAGE_INTEGRITY_SHA256,
            AttributeType::FINGERPRINT
        ]
    );
    assert_eq!(message.get::<Priority>(), Ok(None));
    assert_eq!(message.check_integrity(&key), Integrity::Sha256);
    assert!(message.has_valid_fingerprint());
}

//= rfc8489#9
//# Similarly, agents MUST ignore all attributes that follow the MESSAGE-INTEGRITY-SHA256 attribute if the MESSAGE-INTEGRITY attribute is not present, with the exception of the FINGERPRINT attribute.
#[test]
fn what_follows_the_sha256_integrity_is_ignored() {
    let key = IntegrityKey::short_term("secret");
    let bytes = build(|b| {
        b.attribute(&Username("me"))?.integrity_sha256(&key)?.attribute(&Priority(1))?.integrity(&key)?.fingerprint()
    });
    let message = Message::parse(&bytes).unwrap();
    let kinds: Vec<_> = message.attributes().map(|raw| raw.kind).collect();
    assert_eq!(kinds, [AttributeType::USERNAME, AttributeType::MESSAGE_INTEGRITY_SHA256, AttributeType::FINGERPRINT]);
}

//= rfc8489#14.6
//# The value will be at most 32 bytes, but it MUST be at least 16 bytes and MUST be a multiple of 4 bytes.
#[test]
fn integrity_covers_every_bit_before_it() {
    let key = IntegrityKey::short_term("secret");
    for sha256 in [false, true] {
        let bytes = build(|b| {
            b.attribute(&Username("someone"))?.attribute(&Priority(77))?;
            if sha256 { b.integrity_sha256(&key) } else { b.integrity(&key) }.map(|_| ())
        });
        let expected = if sha256 { Integrity::Sha256 } else { Integrity::Sha1 };
        assert_eq!(Message::parse(&bytes).unwrap().check_integrity(&key), expected);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(message) = Message::parse(&bad) {
                assert!(!message.check_integrity(&key).holds(), "bit {bit}");
            }
        }
    }
    // A truncated or empty HMAC is none.
    for len in [0_u8, 16, 20, 28] {
        let mut attribute = vec![0, 0x1C, 0, len];
        attribute.resize(4 + usize::from(len), 0);
        let bytes = raw(&attribute);
        assert_eq!(Message::parse(&bytes).unwrap().check_integrity(&key), Integrity::Invalid);
    }
}

//= rfc8489#14.7
//# When present, the FINGERPRINT attribute MUST be the last attribute in the message and thus will appear after MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256.
#[test]
fn fingerprint_is_last_and_covers_every_bit() {
    let bytes = build(|b| b.attribute(&Username("someone"))?.fingerprint());
    assert!(Message::parse(&bytes).unwrap().has_valid_fingerprint());
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(!Message::parse(&bad).is_ok_and(|m| m.has_valid_fingerprint()), "bit {bit}");
    }
    let not_last = build(|b| {
        b.fingerprint()?;
        b.attribute(&Priority(1)).map(|_| ())
    });
    assert!(!Message::parse(&not_last).unwrap().has_valid_fingerprint());

    // Bytes that look like the attribute, inside the value of another.
    let mut inside = bytes.clone();
    let at = inside.len() - 12;
    inside[at..at + 4].copy_from_slice(&[0x80, 0x22, 0, 8]);
    let _ = Message::parse(&inside).map(|m| assert!(!m.has_valid_fingerprint()));
}

//= rfc8489#6.3
//# Unknown comprehension-optional attributes MUST be ignored by the agent.
#[test]
fn unknown_attributes_are_told_apart() {
    let bytes = raw(&[0x00, 0x7F, 0, 0, 0xC0, 0x57, 0, 4, 0, 1, 0, 10, 0xFF, 0xFF, 0, 0, 0x12, 0x34, 0, 1, 9, 0, 0, 0]);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.unknown_required().collect::<Vec<_>>(), [AttributeType(0x7F), AttributeType(0x1234)]);
    assert_eq!(format!("{:?}", AttributeType(0x1234)), "0x1234");
}

// RFC 8489 section 14: Unless specified otherwise, the order of appearance is significant: only the first occurrence needs to be processed by a receiver, and any duplicates MAY be ignored by a receiver.
#[test]
fn the_first_of_several_counts() {
    let bytes = build(|b| b.attribute(&Priority(1))?.attribute(&Priority(2)).map(|_| ()));
    assert_eq!(Message::parse(&bytes).unwrap().get(), Ok(Some(Priority(1))));
}

//= rfc8489#5
//# As such, the transaction ID MUST be uniformly and randomly chosen from the interval 0 .. 2**96-1 and MUST be cryptographically random.
#[test]
fn transaction_ids_use_all_bits() {
    let mut rng = Rng::from_test_seed(3);
    let (mut ones, mut zeros) = ([0_u8; 12], [0xFF_u8; 12]);
    for _ in 0..64 {
        let TransactionId(id) = TransactionId::random(&mut rng);
        (0..12).for_each(|i| {
            ones[i] |= id[i];
            zeros[i] &= id[i];
        });
    }
    assert_eq!((ones, zeros), ([0xFF; 12], [0; 12]));
}

#[test]
fn what_does_not_fit_is_not_written() {
    for size in 0..80 {
        let mut buf = vec![0; size];
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        let Ok(mut b) = MessageBuilder::new(&mut frame, Class::Request, Method::BINDING, TransactionId([7; 12])) else {
            assert!(size < 20);
            continue;
        };
        let key = IntegrityKey::short_term("secret");
        let _ = b.attribute(&Username("someone"));
        let _ = b.integrity(&key);
        let _ = b.fingerprint();
        let message = Message::parse(frame.content()).unwrap();
        assert!(matches!(message.check_integrity(&key), Integrity::Absent | Integrity::Sha1));
    }
}
