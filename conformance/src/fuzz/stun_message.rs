//! STUN messages and their attributes.

use weft_stun::{
    AlternateDomain, AlternateServer, Attribute, DtlsInStun, DtlsInStunAck, ErrorCode, IceControlled, IceControlling,
    IntegrityKey, MappedAddress, Message, Nonce, PasswordAlgorithm, PasswordAlgorithms, Priority, Realm, Software,
    UnknownAttributes, UseCandidate, Userhash, Username, XorMappedAddress,
};

/// A message ends where its length says, and every attribute's parser sees every attribute of its type.
pub(super) fn run(data: &[u8]) {
    std::hint::black_box(Message::claims(data));
    let Ok(message) = Message::parse(data) else { return };
    assert_eq!(Message::length_of(data), Some(message.as_bytes().len()));
    assert!(message.attributes().map(|a| a.value.len() + 4).sum::<usize>() + 20 <= data.len());
    assert!(message.unknown_required().count() <= message.attributes().count());
    std::hint::black_box(message.has_valid_fingerprint());
    std::hint::black_box(message.check_integrity(&IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt")));
    read::<AlternateDomain<'_>>(&message);
    read::<AlternateServer>(&message);
    read::<DtlsInStun<'_>>(&message);
    read::<DtlsInStunAck>(&message);
    read::<ErrorCode<'_>>(&message);
    read::<IceControlled>(&message);
    read::<IceControlling>(&message);
    read::<MappedAddress>(&message);
    read::<Nonce<'_>>(&message);
    read::<PasswordAlgorithm<'_>>(&message);
    read::<PasswordAlgorithms<'_>>(&message);
    read::<Priority>(&message);
    read::<Realm<'_>>(&message);
    read::<Software<'_>>(&message);
    read::<UnknownAttributes<'_>>(&message);
    read::<UseCandidate>(&message);
    read::<Userhash>(&message);
    read::<Username<'_>>(&message);
    read::<XorMappedAddress>(&message);
}

fn read<'a, A: Attribute<'a>>(message: &Message<'a>) {
    if let Ok(value) = message.get::<A>() {
        std::hint::black_box(value.is_some());
    }
}
