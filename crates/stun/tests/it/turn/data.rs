//! Permissions, channels and what passes.

use core::net::IpAddr;
use core::time::Duration;

use weft_core::{Datagram, Frame, Instant, Layer as _, Overhead, Path, Rng, Spent, Transport, Wrap as _};
use weft_stun::turn::{Event, MAX_OVERHEAD, Received, RequestError};
use weft_stun::{
    ChannelData, ChannelNumber, Class, Data, Icmp, Message, MessageBuilder, Method, NotTurn, TransactionId,
    XorPeerAddress, stream_message_len,
};
use weft_testkit::{TurnServerConfig, for_seeds};

use super::world::{PEER, SERVER, World, address, config};

const SECOND: Duration = Duration::from_secs(1);

//= rfc8656#11.1
//# However, the client MUST ensure that there is a permission installed for the IP address of the peer to which the Send indication is being sent; this prevents a third party from using a TURN server to send data to arbitrary destinations.
//= rfc8656#11.1
//# When forming a Send indication, the client MUST include an XOR-PEER-ADDRESS attribute and a DATA attribute.
#[test]
fn data_passes_with_a_permission_and_only_then() {
    for content in [&b"hello"[..], b"", b"abc", b"abcd"] {
        let mut world = World::new(1, config(), TurnServerConfig::default());
        let peer = address(PEER);
        world.run(SECOND);
        assert!(!world.send(peer, content));
        world.client.permit(world.now, peer.ip()).unwrap();
        assert!(!world.send(peer, content), "before the request has left");
        world.drain();
        assert!(world.send(peer, content), "right behind the request");
        world.run(SECOND);
        assert!(world.has(|event| *event == Event::Permitted(peer.ip())));
        let relayed = world.allocation().relayed;
        assert_eq!(world.at_peer, [(relayed, peer, content.to_vec())]);
        // Another port of the same address passes, another address does not.
        world.peer_sends(address("203.0.113.9:7001"), content);
        world.peer_sends(address("203.0.113.10:7000"), content);
        world.run(SECOND);
        assert_eq!(world.received, [(address("203.0.113.9:7001"), content.to_vec())]);
        assert_eq!(world.servers[0].relayed, (1, 0, 0));
    }
}

#[test]
fn a_channel_saves_bytes() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut world = World::over(transport, 2, config(), TurnServerConfig::default());
        let peer = address(PEER);
        world.client.bind_channel(world.now, peer).unwrap();
        world.run(SECOND);
        assert!(world.has(|event| *event == Event::ChannelBound(peer)));
        let tail = if transport == Transport::Udp { 0 } else { 3 };
        assert_eq!(world.client.overhead(peer), Some(Overhead { head: 4, tail }));
        for len in 0..9 {
            world.send(peer, &vec![7; len]);
            world.peer_sends(peer, &vec![8; len]);
        }
        world.run(SECOND);
        let lens: Vec<_> = world.at_peer.iter().map(|(_, _, content)| content.len()).collect();
        assert_eq!(lens, (0..9).collect::<Vec<_>>());
        assert_eq!(world.received.len(), 9);
        assert_eq!(world.servers[0].relayed, (0, 9, 0));
    }
}

//= rfc8656#12.5
//# Over TCP and TLS-over-TCP, the ChannelData message MUST be padded to a multiple of four bytes in order to ensure the alignment of subsequent messages.
#[test]
fn channel_data_in_head_room() {
    for (padded, len) in (0..10).flat_map(|len| [(false, len), (true, len)]) {
        let mut buf = [0xAA; 64];
        let mut frame = Frame::new(&mut buf, Overhead { head: 4, tail: 3 });
        frame.push(&vec![1; len]).unwrap();
        ChannelData::wrap(0x4001, padded, &mut frame).unwrap();
        let bytes = frame.content();
        let expected = if padded { 4 + len.next_multiple_of(4) } else { 4 + len };
        assert_eq!(bytes.len(), expected);
        assert!(bytes[4 + len..].iter().all(|&b| b == 0), "padding is zero: {bytes:?}");
        assert_eq!(ChannelData::parse(bytes), Some(ChannelData { number: 0x4001, data: &vec![1; len] }));
        assert_eq!(stream_message_len(bytes), Ok(Some(4 + len.next_multiple_of(4))));
    }
    // No room: untouched.
    let mut buf = [0; 8];
    let mut frame = Frame::new(&mut buf, Overhead { head: 3, tail: 0 });
    frame.push(b"hello").unwrap();
    assert!(ChannelData::wrap(0x4000, false, &mut frame).is_err());
    assert_eq!(frame.content(), b"hello");
    assert_eq!(stream_message_len(&[0x40, 0, 0]), Ok(None));
    assert_eq!(stream_message_len(&[0x50, 0, 0, 0]), Err(NotTurn));
    assert_eq!(stream_message_len(&[0xFF; 9]), Err(NotTurn));
    for number in [0x3FFF_u16, 0x5000, 0xFFFF] {
        let [n0, n1] = number.to_be_bytes();
        assert_eq!(ChannelData::parse(&[n0, n1, 0, 0]), None);
    }
}

#[test]
fn send_indications_are_written_in_place() {
    for peer in [PEER, "[2001:db8::9]:7000"] {
        let peer = address(peer);
        let server = TurnServerConfig { relay_v6: Some("2001:db8::101".parse().unwrap()), ..Default::default() };
        let mut world = World::new(3, config().with_family(weft_stun::turn::RelayFamily::Both), server);
        world.client.permit(world.now, peer.ip()).unwrap();
        world.run(SECOND);
        let mut buf = [0xAA; 200];
        let mut frame = Frame::new(&mut buf, MAX_OVERHEAD);
        frame.push(b"hello").unwrap();
        let at = frame.content().as_ptr();
        let mut relay = world.client.relay(peer);
        assert_eq!(relay.overhead(), Some(Overhead { head: if peer.is_ipv4() { 36 } else { 48 }, tail: 3 }));
        relay.wrap(&mut frame).unwrap();
        let message = Message::parse(frame.content()).unwrap();
        assert_eq!((message.class(), message.method()), (Class::Indication, Method::SEND));
        assert_eq!(message.get(), Ok(Some(XorPeerAddress(peer))));
        let Ok(Some(Data(data))) = message.get() else { panic!("no data") };
        assert_eq!((data, data.as_ptr()), (&b"hello"[..], at));
        assert_eq!(&frame.content()[frame.len() - 3..], [0; 3]);
        // Too little room.
        let mut frame = Frame::new(&mut buf, Overhead { head: 35, tail: 3 });
        frame.push(b"hello").unwrap();
        assert_eq!(world.client.wrap(peer, &mut frame), Err(Spent::NoRoom));
        assert_eq!(frame.content(), b"hello");
    }
}

//= rfc8656#10.1
//# The client MUST only include XOR-PEER-ADDRESS attributes with addresses of the same address family as that of the relayed transport address for the allocation.
//= rfc8656#12.1
//# The client MUST only include an XOR-PEER-ADDRESS attribute with an address of the same address family as that of a relayed transport address for the allocation.
#[test]
fn a_peer_of_another_family_is_not_asked_for() {
    let mut world = World::new(4, config(), TurnServerConfig::default());
    let six = address("[2001:db8::9]:7000");
    world.client.bind_channel(world.now, six).unwrap();
    world.client.permit(world.now, address(PEER).ip()).unwrap();
    world.run(SECOND);
    world.client.permit(world.now, "2001:db8::10".parse().unwrap()).unwrap();
    world.run(SECOND);
    assert_eq!(world.count(|event| matches!(event, Event::PermissionRefused { code: 443, .. })), 2);
    assert_eq!(world.count(|event| matches!(event, Event::ChannelRefused { code: 443, .. })), 1);
    assert_eq!(world.count(|event| matches!(event, Event::Permitted(_))), 1);
    for bytes in &world.sent {
        let Ok(message) = Message::parse(bytes) else { continue };
        let peer = message.get::<XorPeerAddress>().unwrap();
        assert!(peer.is_none_or(|peer| peer.0.is_ipv4()), "{peer:?}");
    }
}

//= rfc8656#12
//# When the client uses channel binding, it MUST comply with the demultiplexing scheme discussed above.
//= rfc8656#12
//# To prevent race conditions, the client MUST wait 5 minutes after the channel binding expires before attempting to bind the channel number to a different transport address or the transport address to a different channel number.
#[test]
fn a_channel_number_is_for_one_peer_and_a_peer_has_one_number() {
    let mut world = World::new(4, config(), TurnServerConfig::default());
    let peer = |n: u16| address(&format!("203.0.113.9:{}", 7000 + n));
    let mut numbers = std::collections::BTreeMap::new();
    for round in 0..40_u16 {
        world.client.bind_channel(world.now, peer(round % 3)).unwrap();
        world.client.bind_channel(world.now, peer(100 + round)).unwrap();
        world.run(SECOND * 30);
        world.client.revoke(world.now, peer(0).ip());
        world.run(SECOND * (u64::from(round) % 4 * 250) as u32);
        for bytes in std::mem::take(&mut world.sent) {
            let Some(message) = Message::parse(&bytes).ok().filter(|m| m.method() == Method::CHANNEL_BIND) else {
                continue;
            };
            let Ok((Some(ChannelNumber(number)), Some(XorPeerAddress(to)))) =
                message.get().and_then(|number| Ok((number, message.get()?)))
            else {
                panic!("a bind without number or peer")
            };
            assert!(ChannelData::NUMBERS.contains(&number));
            assert_eq!(*numbers.entry(number).or_insert(to), to, "a number has one peer");
        }
    }
    assert!(!world.has(|event| matches!(event, Event::ChannelRefused { .. } | Event::Lost(_))), "{:?}", world.events);
}

//= rfc8656#10.1
//# When forming a CreatePermission request, the client MUST include at least one XOR-PEER-ADDRESS attribute and MAY include more than one such attribute.
#[test]
fn a_forbidden_peer_spoils_it_for_no_other() {
    let denied: IpAddr = "203.0.113.66".parse().unwrap();
    let server = TurnServerConfig { denied: vec![denied], ..Default::default() };
    let mut world = World::new(4, config(), server);
    for last in 60..70 {
        world.client.permit(world.now, format!("203.0.113.{last}").parse().unwrap()).unwrap();
    }
    world.run(SECOND * 2);
    let refused = |event: &Event| matches!(event, Event::PermissionRefused { peer, code: 403, .. } if *peer == denied);
    assert!(world.has(refused), "{:?}", world.events);
    assert_eq!(world.count(|event| matches!(event, Event::Permitted(_))), 9);
    assert!(!world.send(address("203.0.113.66:1"), b"no"));
    assert!(world.send(address("203.0.113.65:1"), b"yes"));
    world.client.bind_channel(world.now, address("203.0.113.66:1")).unwrap();
    world.run(SECOND);
    assert!(world.has(|event| matches!(event, Event::ChannelRefused { code: 403, .. })));
}

#[test]
fn permissions_and_channels_last() {
    for_seeds("permissions_and_channels_last", 100, |seed| {
        let mut world = World::new(seed, config(), TurnServerConfig::default());
        world.loss = 0.05;
        let (one, two) = (address(PEER), address("203.0.113.10:7000"));
        world.client.bind_channel(world.now, one).unwrap();
        world.client.permit(world.now, two.ip()).unwrap();
        world.run(SECOND * 3600);
        world.loss = 0.0;
        assert!(world.send(one, b"one") && world.send(two, b"two"));
        world.run(SECOND);
        assert_eq!(world.at_peer.len(), 2);
        assert_eq!(world.servers[0].relayed, (1, 1, 0));
        assert_eq!(world.count(|event| matches!(event, Event::Permitted(_))), 2, "told once: {:?}", world.events);
        // What is revoked runs out.
        world.client.revoke(world.now, one.ip());
        assert!(!world.send(one, b"no"));
        world.run(SECOND * 1200);
        let asked = world.sent.len();
        world.run(SECOND * 1200);
        let permits = |from: usize, world: &World| world.sent[from..].iter().filter(|b| b[..2] == [0, 9]).count();
        assert_eq!(permits(asked, &world), 0, "channels are bound no more");
        assert!(world.send(two, b"two"));
    });
}

#[test]
fn limits_hold() {
    let mut config = config();
    (config.max_permissions, config.max_channels) = (3, 2);
    let mut world = World::new(5, config, TurnServerConfig::default());
    let ip = |n: u8| IpAddr::from([203, 0, 113, n]);
    for n in 0..3 {
        world.client.permit(world.now, ip(n)).unwrap();
        world.client.permit(world.now, ip(n)).unwrap();
    }
    assert_eq!(world.client.permit(world.now, ip(3)), Err(RequestError::TooMany));
    world.client.bind_channel(world.now, (ip(0), 1).into()).unwrap();
    world.client.bind_channel(world.now, (ip(0), 2).into()).unwrap();
    assert_eq!(world.client.bind_channel(world.now, (ip(0), 3).into()), Err(RequestError::TooMany));
    world.run(SECOND);
    world.client.close(world.now);
    assert_eq!(world.client.permit(world.now, ip(0)), Err(RequestError::Closed));
}

/// What comes from elsewhere, and what comes from the server and is no TURN, goes back to the owner; what is TURN and
/// makes no sense is dropped.
#[test]
fn what_is_not_ours_comes_back() {
    let mut world = World::new(6, config(), TurnServerConfig::default());
    let peer = address(PEER);
    world.client.bind_channel(world.now, peer).unwrap();
    world.run(SECOND);
    let path = world.client.path();
    let mut give = |path: Path, bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        match world.client.handle_input(Instant::from_millis(2000), Datagram::new(path, &mut bytes)) {
            Ok(Received::Taken) => "taken",
            Ok(Received::Relayed(_)) => "relayed",
            Ok(Received::NotOurs(datagram)) => {
                assert_eq!(datagram.path, path);
                "not ours"
            }
            Err(never) => match never {},
        }
    };
    let channel = [0x40, 0, 0, 2, 9, 9];
    assert_eq!(give(path, &channel), "relayed");
    assert_eq!(give(Path { remote: address("198.51.100.1:3479"), ..path }, &channel), "not ours");
    assert_eq!(give(Path { local: address("192.0.2.2:5000"), ..path }, &channel), "not ours");
    assert_eq!(give(Path { transport: Transport::Tcp, ..path }, &channel), "not ours");
    assert_eq!(give(path, &[0x40, 1, 0, 2, 9, 9]), "taken", "no such channel");
    assert_eq!(give(path, &[0x40, 0, 0, 3, 9, 9]), "taken", "shorter than it says");
    assert_eq!(give(path, &[22, 254, 253]), "not ours", "DTLS");
    let mut build = |class, method, fill: &dyn Fn(&mut MessageBuilder<'_, '_>)| {
        let mut buf = [0; 200];
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        let id = TransactionId::random(&mut Rng::from_test_seed(9));
        fill(&mut MessageBuilder::new(&mut frame, class, method, id).unwrap());
        give(path, frame.content())
    };
    assert_eq!(build(Class::Success, Method::BINDING, &|_| ()), "not ours", "another's response");
    assert_eq!(build(Class::Request, Method::BINDING, &|_| ()), "not ours", "a check");
    let stranger = XorPeerAddress(address("203.0.113.99:1"));
    let indication = |address: XorPeerAddress, data: bool| {
        move |m: &mut MessageBuilder<'_, '_>| {
            m.attribute(&address).unwrap();
            if data {
                m.attribute(&Data(b"x")).unwrap();
            }
        }
    };
    assert_eq!(build(Class::Indication, Method::DATA, &indication(stranger, true)), "taken", "no permission");
    assert_eq!(build(Class::Indication, Method::DATA, &indication(XorPeerAddress(peer), true)), "relayed");
    assert_eq!(build(Class::Indication, Method::DATA, &indication(XorPeerAddress(peer), false)), "taken", "no data");
    assert_eq!(build(Class::Indication, Method::DATA, &|m| drop(m.attribute(&Data(b"x")))), "taken", "from nobody");
    let icmp = Icmp { kind: 3, code: 4, data: 1280 };
    let unreachable = move |m: &mut MessageBuilder<'_, '_>| {
        m.attribute(&XorPeerAddress(peer)).unwrap().attribute(&icmp).unwrap();
    };
    assert_eq!(build(Class::Indication, Method::DATA, &unreachable), "taken");
    world.drain();
    assert!(world.has(|event| *event == Event::Unreachable { peer, icmp }), "{:?}", world.events);
    assert_eq!(world.client.path().remote, address(SERVER));
}
