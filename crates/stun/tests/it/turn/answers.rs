//! What a client makes of answers that no well-behaved server gives, or seldom.

use core::time::Duration;

use weft_core::{Datagram, Frame, Full, Layer as _, Overhead, Transport};
use weft_stun::turn::{Config, Event, Failure, RelayFamily, State};
use weft_stun::{
    AdditionalAddressFamily, AddressErrorCode, AddressFamily, AttributeType, Class, Credentials, ErrorCode,
    IntegrityKey, Lifetime, Message, MessageBuilder, Method, PasswordAlgorithmId, RequestedAddressFamily, Software,
    XorMappedAddress, XorRelayedAddress,
};
use weft_testkit::TurnServerConfig;

use super::world::{CLIENT, OTHER_SERVER, World, address, config};

const SECOND: Duration = Duration::from_secs(1);

/// A client that has asked with its credentials, and hears nothing of the server any more.
fn asking(transport: Transport, config: Config) -> World {
    let mut world = World::over(transport, 1, config, TurnServerConfig::default());
    world.run(Duration::from_millis(60));
    world.dead = true;
    world.drain();
    assert_eq!(world.client.state(), State::Allocating);
    assert!(Message::parse(world.sent.last().unwrap()).unwrap().has(AttributeType::MESSAGE_INTEGRITY));
    world
}

/// Answers the last request, signed with `password`.
fn answer(
    world: &mut World,
    class: Class,
    password: Option<&str>,
    fill: impl FnOnce(&mut MessageBuilder<'_, '_>) -> Result<(), Full>,
) {
    let request = world.sent.last().unwrap().clone();
    let request = Message::parse(&request).unwrap();
    let mut buf = [0; 1024];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    let mut builder = MessageBuilder::new(&mut frame, class, request.method(), request.transaction_id()).unwrap();
    fill(&mut builder).unwrap();
    if let Some(password) = password {
        let key = IntegrityKey::long_term(PasswordAlgorithmId::Md5, "alice", "test", password);
        builder.integrity(&key).unwrap();
    }
    let path = world.client.path();
    let mut bytes = frame.content().to_vec();
    world.client.handle_input(world.now, Datagram::new(path, &mut bytes)).unwrap();
    world.drain();
}

fn allocates(world: &World) -> usize {
    let of = |bytes: &&Vec<u8>| Message::parse(bytes).is_ok_and(|message| message.method() == Method::ALLOCATE);
    world.sent.iter().filter(of).count()
}

//= rfc8489#9.2.5
//# If all the responses received are discarded, then instead of signaling a timeout after ending the transaction, the layer MUST signal that the integrity protection was violated.
//= rfc8489#14.8
//# The server may not be able to generate a valid MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 for this error, so the client MUST NOT expect a valid MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 attribute on this response.
#[test]
fn answers_that_only_forgers_gave_are_told_from_none() {
    for forged in [false, true] {
        let mut world = asking(Transport::Udp, config());
        if forged {
            answer(&mut world, Class::Success, Some("guess"), |_| Ok(()));
            answer(&mut world, Class::Error, None, |b| b.attribute(&ErrorCode::BAD_REQUEST).map(|_| ()));
            assert_eq!(world.client.state(), State::Allocating, "nothing is believed");
        }
        world.run(SECOND * 60);
        let expected = Event::Failed(if forged { Failure::Integrity } else { Failure::TimedOut });
        assert!(world.has(|event| *event == expected), "{:?}", world.events);
    }
}

//= rfc8489#9.2.5
//# If the request was sent over a reliable transport, the response MUST be discarded, and the layer MUST immediately end the transaction and signal that the integrity protection was violated.
#[test]
fn a_forged_answer_over_tcp_ends_the_request() {
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut world = asking(transport, config());
        answer(&mut world, Class::Success, Some("guess"), |_| Ok(()));
        assert!(world.has(|event| *event == Event::Failed(Failure::Integrity)), "{:?}", world.events);
    }
}

//= rfc8656#7.1
//# Clients MUST NOT include more than one REQUESTED-ADDRESS-FAMILY attribute in an Allocate request.
//= rfc8656#7.1
//# The attribute value in the ADDITIONAL-ADDRESS-FAMILY MUST be set to 0x02 (IPv6 address family).
//= rfc8656#7.1
//# Clients MUST NOT include REQUESTED-ADDRESS-FAMILY and ADDITIONAL-ADDRESS-FAMILY attributes in the same request.
#[test]
fn an_allocate_request_names_one_family_or_both() {
    for (family, requested, additional) in [
        (RelayFamily::Unspecified, None, None),
        (RelayFamily::Only(AddressFamily::V4), Some(RequestedAddressFamily(AddressFamily::V4)), None),
        (RelayFamily::Only(AddressFamily::V6), Some(RequestedAddressFamily(AddressFamily::V6)), None),
        (RelayFamily::Both, None, Some(AdditionalAddressFamily(AddressFamily::V6))),
    ] {
        let world = asking(Transport::Udp, config().with_family(family));
        for bytes in &world.sent {
            let message = Message::parse(bytes).unwrap();
            assert_eq!((message.get(), message.get()), (Ok(requested), Ok(additional)), "{family:?}");
            let count = |kind| message.attributes().filter(|raw| raw.kind == kind).count();
            assert!(count(AttributeType::REQUESTED_ADDRESS_FAMILY) <= 1);
        }
    }
}

//= rfc8656#7.3
//# If the client receives an Allocate success response, then it MUST check that the mapped address and the relayed transport address or addresses are part of an address family or families that the client understands and is prepared to handle.
//= rfc8656#7.3
//# If these addresses are not part of an address family or families that the client is prepared to handle, then the client MUST delete the allocation (Section 8) and MUST NOT attempt to create another allocation on that server until it believes the mismatch has been fixed.
#[test]
fn an_allocation_of_the_wrong_family_is_given_back() {
    let mut world = asking(Transport::Udp, config());
    answer(&mut world, Class::Success, Some("secret"), |b| {
        b.attribute(&XorRelayedAddress(address("[2001:db8::101]:50000")))?;
        b.attribute(&XorMappedAddress(address(CLIENT)))?.attribute(&Lifetime(600)).map(|_| ())
    });
    assert!(world.has(|event| *event == Event::Failed(Failure::Malformed)), "{:?}", world.events);
    let last = Message::parse(world.sent.last().unwrap()).unwrap();
    assert_eq!((last.method(), last.get()), (Method::REFRESH, Ok(Some(Lifetime(0)))));
    let asked = allocates(&world);
    world.run(SECOND * 3600);
    assert_eq!(allocates(&world), asked);
}

//= rfc8656#7.3
//# If the client receives an Allocate success response but with an ADDRESS-ERROR-CODE attribute in the response and the error code value signaled in the ADDRESS-ERROR-CODE attribute is 440 (Address Family not Supported), the client MUST NOT retry its request for the rejected address type.
#[test]
fn half_an_allocation_is_taken_as_it_is() {
    let mut world = asking(Transport::Udp, config().with_family(RelayFamily::Both));
    answer(&mut world, Class::Success, Some("secret"), |b| {
        b.attribute(&XorRelayedAddress(address("198.51.100.101:50000")))?;
        b.attribute(&AddressErrorCode { family: AddressFamily::V6, code: 440, reason: "" })?;
        b.attribute(&XorMappedAddress(address(CLIENT)))?.attribute(&Lifetime(600)).map(|_| ())
    });
    assert_eq!(world.allocation().refused, Some((AddressFamily::V6, 440)));
    let asked = allocates(&world);
    world.run(SECOND * 590);
    assert_eq!(allocates(&world), asked);
}

//= rfc8489#6.3.4
//# If the error code is 500 through 599, the client MAY resend the request; clients that do so MUST limit the number of times they do this.
#[test]
fn a_server_in_trouble_is_not_asked_again_and_again() {
    for code in [500, 508, 599] {
        let mut world = World::new(1, config(), TurnServerConfig { refuses: Some(code), ..Default::default() });
        world.run(SECOND * 600);
        assert_eq!(allocates(&world), 2, "one bare, one with credentials");
        let Some((_, Event::Failed(failure))) = world.events.last() else { panic!("{:?}", world.events) };
        assert_eq!(failure.code(), Some(code));
        assert!(failure.retry_after().unwrap() >= SECOND, "the owner may ask again, later");
    }
}

//= rfc8489#6.1
//# Outside of this or similar applications, the MTU constraint MUST be followed.
#[test]
fn a_request_that_does_not_fit_into_a_datagram_is_not_sent() {
    let token = weft_stun::OAuthToken::new("kid", vec![1; 1200], [7; 20]);
    let server_name = "turn.example".to_owned();
    let third_party = weft_testkit::ThirdParty { server_name, tokens: vec![(vec![1; 1200], vec![7; 20])] };
    let server = TurnServerConfig { user: None, third_party: Some(third_party), ..Default::default() };
    for transport in [Transport::Udp, Transport::Tcp] {
        let config = Config::new(Credentials::third_party(token.clone()));
        let mut world = World::over(transport, 1, config, server.clone());
        world.run(SECOND);
        if transport == Transport::Udp {
            assert!(world.has(|event| *event == Event::Failed(Failure::TooLarge)), "{:?}", world.events);
            assert!(world.sent.iter().all(|bytes| bytes.len() <= 1200));
        } else {
            assert_eq!(world.client.state(), State::Allocated, "a stream has no datagrams: {:?}", world.events);
        }
    }
}

//= rfc8489#14.14
//# It MUST be a UTF-8-encoded [RFC3629] sequence of fewer than 128 characters (which can be as long as 509 when encoding them and as long as 763 bytes when decoding them).
#[test]
fn software_is_cut_to_what_servers_have_to_take() {
    let mut config = config();
    config.software = Some("ż".repeat(300));
    let world = asking(Transport::Udp, config);
    let software = Message::parse(&world.sent[0]).unwrap().get::<Software<'_>>().unwrap().map(|s| s.0.chars().count());
    assert_eq!(software, Some(127));
}

//= rfc8489#10
//# That request, if authenticated, MUST utilize the same credentials that the client would have used in the request to the server that performed the redirection.
#[test]
fn a_redirection_after_authentication_is_believed_if_it_is_signed() {
    use weft_stun::AlternateServer;
    for password in [None, Some("guess"), Some("secret")] {
        let mut world = asking(Transport::Udp, config());
        answer(&mut world, Class::Error, password, |b| {
            b.attribute(&ErrorCode::TRY_ALTERNATE)?.attribute(&AlternateServer(address(OTHER_SERVER))).map(|_| ())
        });
        assert_eq!(world.client.path().remote == address(OTHER_SERVER), password == Some("secret"));
        world.dead = false;
        world.run(SECOND * 10);
        assert_eq!(world.client.state(), State::Allocated, "alice is known there, too: {:?}", world.events);
    }
}
