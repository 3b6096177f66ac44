//! Every length from 0 to 64 bytes of every message: all classes, all methods, all attributes, and ChannelData.

use core::time::Duration;

use weft_core::{Datagram, Frame, Layer as _, Overhead};
use weft_stun::turn::Received;
use weft_stun::{
    AccessToken, AdditionalAddressFamily, AddressErrorCode, AlternateDomain, AlternateServer, Attribute, AttributeType,
    ChangeRequest, ChannelData, ChannelNumber, Data, DontFragment, DtlsInStun, DtlsInStunAck, ErrorCode, EvenPort,
    IceControlled, IceControlling, Icmp, IntegrityKey, Lifetime, LongTerm, MappedAddress, Message, Nonce, OtherAddress,
    PasswordAlgorithm, PasswordAlgorithms, Priority, Realm, RequestedAddressFamily, RequestedTransport,
    ReservationToken, ResponseOrigin, Software, ThirdPartyAuthorization, UnknownAttributes, UseCandidate, Userhash,
    Username, XorMappedAddress, XorPeerAddress, XorRelayedAddress, stream_message_len,
};
use weft_testkit::TurnServerConfig;

use super::turn::world::{World, address, config};

/// The longest that is looked at.
const LONGEST: usize = 64;
/// Binding, Allocate, Refresh, Send, Data, CreatePermission, ChannelBind, and two that nobody knows.
const METHODS: [u16; 9] = [1, 3, 4, 6, 7, 8, 9, 2, 0xFFF];
/// Request, indication, success, error: the bits C1 and C0 of the message type.
const CLASSES: [u16; 4] = [0x000, 0x010, 0x100, 0x110];
/// What a value is made of: it says nothing, it may be an IPv4 address, an IPv6 address, an error code, anything.
const FILLS: [[u8; 4]; 5] = [[0; 4], [0, 1, 0x21, 0x12], [0, 2, 0x40, 0], [0, 0, 4, 1], [0xFF; 4]];

/// A type and what reads it.
type Reader = (AttributeType, fn(&Message<'_>));

macro_rules! readers {
    ($($kind:ty),* $(,)?) => {
        [$((<$kind as Attribute<'_>>::TYPE, |message: &Message<'_>| {
            if let Ok(Some(value)) = message.get::<$kind>() {
                // What is read can be written, and is as long as it says.
                let mut out = vec![0; value.encoded_len()];
                value.encode(&mut out, &message.transaction_id());
            }
        })),*]
    };
}

/// Every attribute that has a type of its own.
pub(super) const READERS: [Reader; 37] = readers![
    AccessToken<'_>,
    AdditionalAddressFamily,
    AddressErrorCode<'_>,
    AlternateDomain<'_>,
    AlternateServer,
    ChangeRequest,
    ChannelNumber,
    Data<'_>,
    DontFragment,
    DtlsInStun<'_>,
    DtlsInStunAck,
    ErrorCode<'_>,
    EvenPort,
    IceControlled,
    IceControlling,
    Icmp,
    Lifetime,
    MappedAddress,
    Nonce<'_>,
    OtherAddress,
    PasswordAlgorithm<'_>,
    PasswordAlgorithms<'_>,
    Priority,
    Realm<'_>,
    RequestedAddressFamily,
    RequestedTransport,
    ReservationToken,
    ResponseOrigin,
    Software<'_>,
    ThirdPartyAuthorization<'_>,
    UnknownAttributes<'_>,
    UseCandidate,
    Userhash,
    Username<'_>,
    XorMappedAddress,
    XorPeerAddress,
    XorRelayedAddress,
];

/// All types: those with a reader, those the message itself deals with, and unknown ones of both kinds.
fn types() -> Vec<AttributeType> {
    let mut types: Vec<_> = READERS.iter().map(|reader| reader.0).collect();
    types.extend([
        AttributeType::MESSAGE_INTEGRITY,
        AttributeType::MESSAGE_INTEGRITY_SHA256,
        AttributeType::FINGERPRINT,
        AttributeType(0xC057),
        AttributeType(0x7FFF),
        AttributeType(0xFFFF),
    ]);
    types.sort_unstable();
    types.dedup();
    types
}

/// Reads all that can be read of a message.
pub(super) fn devour(bytes: &[u8]) {
    let _ = (Message::length_of(bytes), Message::claims(bytes), stream_message_len(bytes));
    let Ok(message) = Message::parse(bytes) else { return };
    assert_eq!(message.as_bytes(), bytes);
    // No attribute is shorter than four bytes, so that nothing takes more steps than there are bytes.
    assert!(message.attributes().count() <= (bytes.len() - 20) / 4);
    assert!(message.unknown_required().count() <= message.attributes().count());
    let _ = message.has_valid_fingerprint();
    let _ = message.check_integrity(&IntegrityKey::short_term("secret"));
    for (_, read) in READERS {
        read(&message);
    }
    let _ = message.get::<UnknownAttributes<'_>>().map(|list| list.map(|list| list.iter().count()));
    let _ = message.get::<PasswordAlgorithms<'_>>().map(|list| list.map(|list| list.iter().count()));
    let mut long_term = LongTerm::new(None);
    let _ = long_term.judge(&message);
}

/// A message of this type and length whose one attribute takes what the header leaves.
fn whole(message_type: u16, kind: AttributeType, fill: [u8; 4], id: [u8; 12]) -> Vec<u8> {
    let mut bytes = message_type.to_be_bytes().to_vec();
    bytes.extend_from_slice(&(LONGEST as u16 - 20).to_be_bytes());
    bytes.extend_from_slice(&[0x21, 0x12, 0xA4, 0x42]);
    bytes.extend_from_slice(&id);
    bytes.extend_from_slice(&kind.0.to_be_bytes());
    bytes.extend_from_slice(&(LONGEST as u16 - 24).to_be_bytes());
    bytes.extend(fill.iter().cycle().take(LONGEST - 24));
    bytes
}

/// The message cut to `len` bytes: as it is, with a length that agrees, and with an attribute that agrees, too.
fn cuts(whole: &[u8], len: usize) -> [Vec<u8>; 3] {
    let plain = whole[..len].to_vec();
    let (mut agrees, mut all_agrees) = (plain.clone(), plain.clone());
    if len >= 20 {
        agrees[2..4].copy_from_slice(&(len as u16 - 20).to_be_bytes());
    }
    if len >= 24 {
        all_agrees[22..24].copy_from_slice(&(len as u16 - 24).to_be_bytes());
        all_agrees.resize(len.next_multiple_of(4), 0xEE);
        let body = all_agrees.len() as u16 - 20;
        all_agrees[2..4].copy_from_slice(&body.to_be_bytes());
    }
    [plain, agrees, all_agrees]
}

fn message_type(class: u16, method: u16) -> u16 {
    (method & 0xF80) << 2 | (method & 0x70) << 1 | method & 0xF | class
}

/// str0m#709: a STUN message of 19 bytes.
#[test]
fn every_length_of_every_class_method_and_attribute() {
    let mut parsed = 0;
    for class in CLASSES {
        for method in METHODS {
            for kind in types() {
                for fill in FILLS {
                    let whole = whole(message_type(class, method), kind, fill, [9; 12]);
                    for len in 0..=LONGEST {
                        for bytes in cuts(&whole, len) {
                            parsed += u32::from(Message::parse(&bytes).is_ok());
                            devour(&bytes);
                        }
                    }
                }
            }
        }
    }
    assert!(parsed > 100_000, "most of the sound ones are looked into: {parsed}");
}

/// The same before a client with an allocation, as answers to its requests and as what its server sends of itself.
#[test]
fn every_length_of_every_message_before_a_live_client() {
    let mut world = connected();
    let mut ids = under_way(&mut world);
    for class in CLASSES {
        for method in METHODS {
            for (n, kind) in types().into_iter().enumerate() {
                let whole = whole(message_type(class, method), kind, FILLS[n % FILLS.len()], ids[n % ids.len()]);
                for len in 0..=LONGEST {
                    for mut bytes in cuts(&whole, len) {
                        let path = world.client.path();
                        match world.client.handle_input(world.now, Datagram::new(path, &mut bytes)) {
                            Ok(Received::Relayed(datagram)) => panic!("{:?} by {:?}", datagram.payload, datagram.path),
                            Ok(_) => {}
                            Err(never) => match never {},
                        }
                    }
                }
                world.drain();
                assert!(world.events.len() < 600, "events are few: {:?}", world.events.last());
                if world.client.allocation().is_none() || world.client.poll_timeout().is_none() {
                    world = connected();
                    ids = under_way(&mut world);
                }
            }
        }
    }
}

fn connected() -> World {
    let mut world = World::new(1, config(), TurnServerConfig::default());
    world.run(Duration::from_secs(1));
    assert!(world.client.allocation().is_some());
    world
}

/// The transaction ids of a Refresh, a CreatePermission and a ChannelBind that wait for their answers.
fn under_way(world: &mut World) -> Vec<[u8; 12]> {
    let before = world.sent.len();
    world.client.refresh(world.now);
    world.client.bind_channel(world.now, address("203.0.113.9:7000")).unwrap();
    world.drain();
    let ids: Vec<_> =
        world.sent[before..].iter().map(|bytes| Message::parse(bytes).unwrap().transaction_id().0).collect();
    assert_eq!(ids.len(), 3);
    ids
}

#[test]
fn every_length_of_channel_data() {
    for number in [0x0000_u16, 0x3FFF, 0x4000, 0x4001, 0x4FFF, 0x5000, 0xFFFF] {
        for claimed in 0..=LONGEST as u16 + 4 {
            for len in 0..=LONGEST {
                let mut bytes = number.to_be_bytes().to_vec();
                bytes.extend_from_slice(&claimed.to_be_bytes());
                bytes.resize(LONGEST, 0xEE);
                bytes.truncate(len);
                let parsed = ChannelData::parse(&bytes);
                let sound = len >= 4 && usize::from(claimed) <= len - 4 && (0x4000..=0x4FFF).contains(&number);
                assert_eq!(parsed.is_some(), sound, "{number:#x} {claimed} {len}");
                if let Some(message) = parsed {
                    assert_eq!((message.number, message.data.len()), (number, usize::from(claimed)));
                }
                if len >= 4 && ChannelData::claims(&bytes) {
                    let expected = 4 + usize::from(claimed).next_multiple_of(4);
                    assert_eq!(stream_message_len(&bytes), Ok(Some(expected)));
                }
                assert_eq!(len < 4, stream_message_len(&bytes) == Ok(None));
            }
        }
    }
}

/// Reading takes time in proportion to the length: four times as many attributes cost four times as much, not sixteen.
#[test]
#[allow(clippy::disallowed_methods)] // the one thing measured here is time
fn reading_is_linear() {
    let message = |attributes: usize| {
        let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
        bytes.extend_from_slice(&[5; 12]);
        (0..attributes).for_each(|_| bytes.extend_from_slice(&[0x7F, 0xFE, 0, 0]));
        let len = bytes.len() as u16 - 20;
        bytes[2..4].copy_from_slice(&len.to_be_bytes());
        bytes
    };
    let fastest = |bytes: &[u8]| {
        let took = (0..9).map(|_| {
            let start = std::time::Instant::now();
            devour(bytes);
            start.elapsed()
        });
        took.min().unwrap()
    };
    let (short, long) = (message(4_000), message(16_000));
    assert_eq!(Message::parse(&long).unwrap().unknown_required().count(), 16_000);
    let (short, long) = (fastest(&short), fastest(&long));
    assert!(long < short * 10, "{short:?} and {long:?}");
}

/// Whatever is written is never longer than the frame, however small that is.
#[test]
fn no_frame_is_too_small() {
    let mut world = connected();
    world.client.refresh(world.now);
    for size in 0..=LONGEST {
        let mut buf = vec![0; size];
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        let _ = world.client.poll_transmit(world.now, &mut frame);
        assert!(frame.is_empty());
    }
}
