//! Whatever bytes come.

use proptest::prelude::*;
use weft_stun::{Class, IntegrityKey, Message, MessageBuilder, Method, Priority, TransactionId, Username};

use super::survival::{READERS, devour};
use super::vectors::{LONG_TERM, LONG_TERM_SHA256, REQUEST, RESPONSE_V4, RESPONSE_V6, bytes};

#[test]
fn every_length_of_every_message() {
    for hex in [REQUEST, RESPONSE_V4, RESPONSE_V6, LONG_TERM, LONG_TERM_SHA256] {
        let whole = bytes(hex);
        for len in 0..whole.len() {
            devour(&whole[..len]);
            assert!(Message::parse(&whole[..len]).is_err(), "{len}");
            // Cut, with a length that agrees.
            if len >= 20 {
                let mut cut = whole[..len].to_vec();
                cut[2..4].copy_from_slice(&((len - 20) as u16).to_be_bytes());
                devour(&cut);
            }
        }
        for at in 0..whole.len() {
            for bits in [1, 0x10, 0x80, 0xFF] {
                let mut flipped = whole.clone();
                flipped[at] ^= bits;
                devour(&flipped);
            }
        }
    }
}

fn headed(body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    bytes.extend_from_slice(body);
    let len = body.len() as u16;
    bytes[2..4].copy_from_slice(&len.to_be_bytes());
    bytes
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        devour(&bytes);
        devour(&headed(&bytes));
    }

    #[test]
    fn arbitrary_attributes_never_panic(
        attributes in proptest::collection::vec((0_usize..64, proptest::collection::vec(any::<u8>(), 0..40)), 0..8)
    ) {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            let kind = READERS.get(kind).map_or(0x7FFF, |reader| reader.0.0);
            body.extend_from_slice(&kind.to_be_bytes());
            body.extend_from_slice(&(value.len() as u16).to_be_bytes());
            body.extend_from_slice(&value);
            body.resize(body.len().next_multiple_of(4), 0xEE);
        }
        let bytes = headed(&body);
        prop_assert!(Message::parse(&bytes).is_ok());
        devour(&bytes);
    }

    #[test]
    fn what_is_written_is_read(
        class in 0..4_usize, method in 0_u16..0x1000, id: [u8; 12], username in "\\PC{0,60}", priority: u32, password in "\\PC{0,90}"
    ) {
        let class = [Class::Request, Class::Indication, Class::Success, Class::Error][class];
        let method = Method::new(method).unwrap();
        let key = IntegrityKey::short_term(&password);
        let mut buf = [0xAA; 1024];
        let mut frame = weft_core::Frame::new(&mut buf, weft_core::Overhead::NONE);
        let mut builder = MessageBuilder::new(&mut frame, class, method, TransactionId(id)).unwrap();
        builder.attribute(&Username(&username)).unwrap().attribute(&Priority(priority)).unwrap();
        builder.integrity(&key).unwrap().integrity_sha256(&key).unwrap().fingerprint().unwrap();
        let message = Message::parse(frame.content()).unwrap();
        prop_assert_eq!((message.class(), message.method(), message.transaction_id()), (class, method, TransactionId(id)));
        prop_assert_eq!(message.get::<Username<'_>>(), Ok(Some(Username(&username))));
        prop_assert_eq!(message.get(), Ok(Some(Priority(priority))));
        prop_assert!(message.check_integrity(&key).holds() && message.has_valid_fingerprint());
    }
}
