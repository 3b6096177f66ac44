//! STUN messages and their attributes.

use weft_stun::{
    AccessToken, AdditionalAddressFamily, AddressErrorCode, AlternateDomain, AlternateServer, Attribute, ChangeRequest,
    ChannelNumber, Credentials, Data, DontFragment, DtlsInStun, DtlsInStunAck, ErrorCode, EvenPort, IceControlled,
    IceControlling, Icmp, IntegrityKey, Lifetime, LongTerm, MappedAddress, Message, Nonce, OAuthToken, OtherAddress,
    PasswordAlgorithm, PasswordAlgorithms, Priority, Realm, RequestedAddressFamily, RequestedTransport,
    ReservationToken, ResponseOrigin, Software, ThirdPartyAuthorization, UnknownAttributes, UseCandidate, Userhash,
    Username, XorMappedAddress, XorPeerAddress, XorRelayedAddress,
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
    read::<AccessToken<'_>>(&message);
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
    read::<AdditionalAddressFamily>(&message);
    read::<AddressErrorCode<'_>>(&message);
    read::<ChangeRequest>(&message);
    read::<ChannelNumber>(&message);
    read::<Data<'_>>(&message);
    read::<DontFragment>(&message);
    read::<EvenPort>(&message);
    read::<Icmp>(&message);
    read::<Lifetime>(&message);
    read::<OtherAddress>(&message);
    read::<RequestedAddressFamily>(&message);
    read::<RequestedTransport>(&message);
    read::<ReservationToken>(&message);
    read::<ThirdPartyAuthorization<'_>>(&message);
    read::<ResponseOrigin>(&message);
    read::<XorPeerAddress>(&message);
    read::<XorRelayedAddress>(&message);
    let mut long_term = LongTerm::new(Some(Credentials::new("alice", "secret")));
    std::hint::black_box((long_term.judge(&message), long_term.judge(&message)));
    let token = OAuthToken::new("kid", [1; 40], [2; 20]);
    let mut third_party = LongTerm::new(Some(Credentials::third_party(token.clone()))).preferring_sha256();
    std::hint::black_box((third_party.judge(&message), third_party.third_party().map(str::len)));
    third_party.set_credentials(Credentials::new("alice", "secret").with_token(token));
    std::hint::black_box(third_party.judge(&message));
}

fn read<'a, A: Attribute<'a>>(message: &Message<'a>) {
    if let Ok(value) = message.get::<A>() {
        std::hint::black_box(value.is_some());
    }
}
