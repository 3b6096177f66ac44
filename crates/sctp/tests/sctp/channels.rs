//! Data channels: opening, closing, kinds of messages, limits.

use bytes::Bytes;
use weft_core::{Instant, Layer, Rng};
use weft_sctp::wire::kind;
use weft_sctp::{
    ChannelEvent, ChannelInit, ChannelState, CloseReason, Config, DataChannels, MessageKind, OpenError, Reliability,
    Role, SendError,
};
use weft_testkit::{LinkConfig, Loss, for_seeds};

use crate::common::{Peers, incoming, millis, number, open, payload, peers, peers_with, read_all, secs};

fn link() -> LinkConfig {
    LinkConfig::with_delay_ms(10)
}

fn closed(pair: &mut Peers, a: weft_sctp::ChannelId, b: weft_sctp::ChannelId) {
    let (mut at_a, mut at_b) = (false, false);
    pair.run_until(secs(120), |pair| {
        at_a |= pair.a.take_event(|e| matches!(e, ChannelEvent::Closed(id, _) if *id == a)).is_some();
        at_b |= pair.b.take_event(|e| matches!(e, ChannelEvent::Closed(id, _) if *id == b)).is_some();
        at_a && at_b
    })
    .unwrap();
}

#[test]
fn what_open_says_arrives() {
    let mut pair = peers(&Config::rtc(), link(), 1);
    let all = [Reliability::Reliable, Reliability::MaxRetransmits(3), Reliability::MaxLifetime(1500)];
    for reliability in all {
        for ordered in [true, false] {
            let init = ChannelInit {
                label: "Grüße".into(),
                protocol: "chat/1".into(),
                ordered,
                reliability,
                priority: 512,
                negotiated: None,
            };
            let (a, b) = open(&mut pair, init);
            let (mine, theirs) = (pair.a.layer.info(a).unwrap(), pair.b.layer.info(b).unwrap());
            assert_eq!(theirs.label, "Grüße");
            assert_eq!(theirs.protocol, "chat/1");
            assert_eq!((theirs.ordered, theirs.reliability, theirs.priority), (ordered, reliability, 512));
            assert_eq!((theirs.incoming, mine.incoming), (true, false));
            assert_eq!((theirs.stream, theirs.state), (mine.stream, ChannelState::Open));
        }
    }
}

//= rfc8832#6
//# If the side is acting as the DTLS client, it MUST choose an even stream identifier; if the side is acting as the DTLS server, it MUST choose an odd one.
#[test]
fn ids_follow_the_dtls_role() {
    let mut pair = peers(&Config::rtc(), link(), 1);
    let mut streams = Vec::new();
    for _ in 0..3 {
        let a = pair.a.layer.open(pair.now(), ChannelInit::default()).unwrap();
        let b = pair.b.layer.open(pair.now(), ChannelInit::default()).unwrap();
        streams.push((pair.a.layer.stream(a).unwrap(), pair.b.layer.stream(b).unwrap()));
    }
    assert_eq!(streams, [(0, 1), (2, 3), (4, 5)]);
    for _ in 0..3 {
        let id = incoming(&mut pair);
        assert!(pair.b.layer.stream(id).unwrap().is_multiple_of(2));
    }
}

#[test]
fn channels_opened_before_the_role_is_known() {
    let mut a = DataChannels::new(Config::rtc(), Rng::from_test_seed(1));
    let now = Instant::ORIGIN;
    let first = a.open(now, ChannelInit::default()).unwrap();
    let second = a.open(now, ChannelInit { label: "two".into(), ..ChannelInit::default() }).unwrap();
    assert_eq!(a.stream(first), None);
    assert_eq!(a.send(now, first, MessageKind::Text, Bytes::from("x")), Err(SendError::NotOpen));
    a.close(now, first);
    assert_eq!(a.poll_event(), Some(ChannelEvent::Closed(first, CloseReason::Local)));
    a.set_role(now, Role::Server);
    assert_eq!(a.stream(second), Some(1));
    assert_eq!(a.info(second).unwrap().state, ChannelState::Connecting);
    assert!(a.info(first).is_none());
}

//= rfc8831#6.6
//# The following PPIDs MUST be used (see Section 8):
//= rfc8831#6.6
//# When receiving an SCTP user message with one of these PPIDs, the receiver MUST ignore the SCTP user message and process it as an empty message.
#[test]
fn text_binary_and_empty_messages() {
    let mut pair = peers(&Config::rtc(), link(), 1);
    let (a, b) = open(&mut pair, ChannelInit::default());
    let sent = [
        (MessageKind::Text, Bytes::from_static(b"text")),
        (MessageKind::Text, Bytes::new()),
        (MessageKind::Binary, Bytes::new()),
        (MessageKind::Binary, Bytes::from_static(&[0])),
        (MessageKind::Binary, payload(1, 100_000)),
    ];
    for (kind, data) in &sent {
        pair.a.layer.send(pair.now(), a, *kind, data.clone()).unwrap();
    }
    pair.run_for(secs(5));
    let got: Vec<_> = read_all(&mut pair.b.layer, b).into_iter().map(|m| (m.kind, m.data)).collect();
    assert_eq!(got, sent);
    assert_eq!(pair.b.layer.association().stats().a_rwnd, 5 << 20, "everything was given back");
}

#[test]
fn the_peers_message_limit_is_kept_and_the_channel_lives() {
    let mut pair = peers(&Config::rtc(), link(), 1);
    let (a, b) = open(&mut pair, ChannelInit::default());
    for (limit, len, fits) in
        [(Some(1000), 1000, true), (Some(1000), 1001, false), (None, 300_000, true), (Some(0), 1, false)]
    {
        pair.a.layer.set_remote_max_message_size(limit);
        let result = pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(1, len));
        assert_eq!(result.is_ok(), fits, "{limit:?} {len}: {result:?}");
    }
    let fresh = DataChannels::new(Config::rtc(), Rng::from_test_seed(1));
    drop(fresh);
    pair.run_for(secs(5));
    assert_eq!(read_all(&mut pair.b.layer, b).len(), 2);
}

#[test]
fn negotiated_channels_need_no_message() {
    //= rfc8831#6.5
    //# If it attempts to reuse a stream that is part of an existing data channel, the addition MUST fail.
    let mut pair = peers(&Config::rtc(), link(), 1);
    let init = |id| ChannelInit { negotiated: Some(id), ordered: false, ..ChannelInit::default() };
    let a = pair.a.layer.open(pair.now(), init(7)).unwrap();
    let b = pair.b.layer.open(pair.now(), init(7)).unwrap();
    assert_eq!(pair.a.layer.open(pair.now(), init(7)), Err(OpenError::IdTaken));
    assert_eq!(pair.a.layer.open(pair.now(), init(65_535)), Err(OpenError::IdTaken));
    pair.run_until(secs(5), |pair| pair.a.take_event(|e| *e == ChannelEvent::Opened(a)).is_some()).unwrap();
    pair.a.layer.send(pair.now(), a, MessageKind::Text, Bytes::from("hi")).unwrap();
    pair.run_for(secs(1));
    assert_eq!(read_all(&mut pair.b.layer, b).len(), 1);
    pair.b.layer.close(pair.now(), b);
    closed(&mut pair, a, b);
    assert!(pair.a.layer.open(pair.now(), init(7)).is_ok(), "the id is free again");
    assert!(pair.b.layer.open(pair.now(), init(7)).is_ok());
}

#[test]
fn a_label_of_65535_bytes() {
    let mut pair = peers(&Config::rtc(), link(), 1);
    let label = "ü".repeat(32_767) + "x";
    let (a, b) =
        open(&mut pair, ChannelInit { label: label.clone(), protocol: label.clone(), ..ChannelInit::default() });
    assert_eq!(pair.b.layer.info(b).unwrap().label, label);
    assert_eq!(pair.b.layer.info(b).unwrap().protocol, label);
    assert_eq!(pair.a.layer.info(a).unwrap().label.len(), 65_535);
    let long = ChannelInit { label: label + "y", ..ChannelInit::default() };
    assert_eq!(pair.a.layer.open(pair.now(), long), Err(OpenError::TextTooLong));
}

/// Closing delivers what was queued, from either side, under loss, while both are sending.
#[test]
fn close_delivers_what_was_queued() {
    for_seeds("close_delivers_what_was_queued", 600, |seed| {
        let link = LinkConfig { loss: Loss::Random(0.05), ..link() };
        let mut pair = peers(&Config::rtc(), link, seed);
        let (a, b) = open(&mut pair, ChannelInit::default());
        let from_a = seed % 2 == 0;
        for n in 0..100 {
            let (side, id) = if from_a { (&mut pair.a, a) } else { (&mut pair.b, b) };
            side.layer.send(Instant::ORIGIN, id, MessageKind::Binary, payload(n, 2000)).unwrap();
            let (side, id) = if from_a { (&mut pair.b, b) } else { (&mut pair.a, a) };
            side.layer.send(Instant::ORIGIN, id, MessageKind::Binary, payload(n, 2000)).unwrap();
        }
        let now = pair.now();
        let (side, id) = if from_a { (&mut pair.a, a) } else { (&mut pair.b, b) };
        side.layer.close(now, id);
        assert_eq!(side.layer.send(now, id, MessageKind::Text, Bytes::from("late")), Err(SendError::Closed));
        let mut got = Vec::new();
        let mut done = false;
        pair.run_until(secs(300), |pair| {
            let (side, id) = if from_a { (&mut pair.b, b) } else { (&mut pair.a, a) };
            got.extend(read_all(&mut side.layer, id).iter().map(|m| number(&m.data)));
            done |=
                side.take_event(|e| matches!(e, ChannelEvent::Closed(i, CloseReason::Remote) if *i == id)).is_some();
            done && got.len() == 100
        })
        .unwrap();
        assert_eq!(got, (0..100).collect::<Vec<_>>());
        pair.run_for(secs(60)); // the answer to the last reset may be lost, too
        let (side, id) = if from_a { (&mut pair.a, a) } else { (&mut pair.b, b) };
        let mut more = 0;
        while let Some(message) = side.layer.receive(id) {
            assert_eq!(number(&message.data), more);
            more += 1;
        }
        assert_eq!(more, 100, "what came before the close stays readable");
        assert!(side.layer.info(id).is_none(), "and then the handle is forgotten");
    });
}

#[test]
fn ids_are_reused_only_when_both_directions_are_reset() {
    for_seeds("ids_are_reused_only_when_both_directions_are_reset", 300, |seed| {
        let link = LinkConfig { loss: Loss::Random(0.1), ..link() };
        let mut pair = peers(&Config::rtc(), link, seed);
        for round in 0..20_u32 {
            let (a, b) = open(&mut pair, ChannelInit { label: round.to_string(), ..ChannelInit::default() });
            assert_eq!(pair.a.layer.stream(a), Some(0), "the lowest id is free again");
            assert_eq!(pair.b.layer.info(b).unwrap().label, round.to_string());
            pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(round, 3000)).unwrap();
            let (side, id) = if round % 2 == 0 { (&mut pair.a, a) } else { (&mut pair.b, b) };
            side.layer.close(Instant::ORIGIN, id);
            let early = pair.a.layer.open(pair.now(), ChannelInit::default()).unwrap();
            if round % 2 == 0 {
                assert_ne!(pair.a.layer.stream(early), Some(0), "not while it is closing");
            }
            pair.a.layer.close(pair.now(), early);
            let mut got = Vec::new();
            let (mut at_a, mut at_b) = (false, false);
            pair.run_until(secs(120), |pair| {
                got.extend(read_all(&mut pair.b.layer, b));
                at_a |= pair.a.take_event(|e| matches!(e, ChannelEvent::Closed(i, _) if *i == a)).is_some();
                at_b |= pair.b.take_event(|e| matches!(e, ChannelEvent::Closed(i, _) if *i == b)).is_some();
                at_a && at_b && pair.a.layer.ids().is_empty() && pair.b.layer.ids().is_empty()
            })
            .unwrap();
            assert_eq!(got.len(), 1, "round {round}");
            pair.b.events.clear();
            assert!(pair.a.layer.info(a).is_none(), "a handle is never used again");
        }
    });
}

#[test]
fn both_close_at_once() {
    //= rfc8831#6.7
    //# Closing of a data channel MUST be signaled by resetting the corresponding outgoing streams [RFC6525].
    let mut pair = peers(&Config::rtc(), link(), 1);
    let (a, b) = open(&mut pair, ChannelInit::default());
    pair.a.layer.close(pair.now(), a);
    pair.b.layer.close(pair.now(), b);
    closed(&mut pair, a, b);
}

#[test]
fn a_channel_closed_before_it_was_ever_sent() {
    let mut pair = peers(&Config::rtc(), link(), 1);
    let a = pair.a.layer.open(pair.now(), ChannelInit::default()).unwrap();
    pair.a.layer.send(pair.now(), a, MessageKind::Text, Bytes::from("last words")).unwrap();
    pair.a.layer.close(pair.now(), a);
    let b = incoming(&mut pair);
    closed(&mut pair, a, b);
    assert_eq!(read_all(&mut pair.b.layer, b).len(), 1);
}

#[test]
fn buffered_amount_and_its_threshold() {
    let mut pair = peers(&Config::rtc(), link(), 1);
    let (a, _) = open(&mut pair, ChannelInit::default());
    pair.a.layer.set_buffered_amount_low_threshold(a, 10_000);
    for n in 0..20 {
        pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 5000)).unwrap();
    }
    assert_eq!(pair.a.layer.buffered_amount(a), 100_000);
    pair.run_until(secs(5), |pair| pair.a.take_event(|e| *e == ChannelEvent::BufferedAmountLow(a)).is_some()).unwrap();
    assert!(pair.a.layer.buffered_amount(a) <= 10_000);
    pair.run_for(secs(1));
    assert_eq!(pair.a.layer.buffered_amount(a), 0);
    assert!(pair.a.take_event(|e| *e == ChannelEvent::BufferedAmountLow(a)).is_none(), "once for each crossing");
}

/// The first messages go with the handshake, and an unordered channel keeps order until the peer has answered.
#[test]
fn messages_before_the_ack_are_ordered() {
    //= rfc8832#6
    //# After the DATA_CHANNEL_ACK or any other message has been received on the data channel, messages containing user data MUST be sent ordered on ordered data channels and MUST be sent unordered on unordered data channels.
    let mut pair = peers(&Config::rtc(), link(), 1);
    let a = pair.a.layer.open(pair.now(), ChannelInit { ordered: false, ..ChannelInit::default() }).unwrap();
    for n in 0..3 {
        pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 100)).unwrap();
    }
    pair.capture();
    let b = incoming(&mut pair);
    assert!(pair.now() <= Instant::ORIGIN + millis(31), "with the COOKIE ECHO: {:?}", pair.now());
    assert_eq!(read_all(&mut pair.b.layer, b).len(), 3);
    //= rfc8832#6
    //# However, before the DATA_CHANNEL_ACK message or any other message has been received on a data channel, all other messages containing user data and belonging to this data channel MUST be sent ordered, no matter whether the data channel is ordered or not.
    let unordered = |pair: &Peers| {
        let from_a = pair.trace().iter().filter(|t| t.from == weft_testkit::Side::A);
        from_a
            .flat_map(|t| crate::common::chunks(&t.packet.payload))
            .filter(|c| c.kind == kind::I_DATA && c.flags & 4 != 0)
            .count()
    };
    assert_eq!(unordered(&pair), 0);
    pair.run_for(secs(1));
    pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(3, 100)).unwrap();
    pair.run_for(secs(1));
    assert_eq!(unordered(&pair), 1);
}

#[test]
fn channels_that_break_the_rules_are_refused() {
    // Both believe to be the client: their ids collide.
    let mut pair = peers(&Config::rtc(), link(), 1);
    pair.b.layer.set_role(Instant::ORIGIN, Role::Client);
    let a = pair.a.layer.open(pair.now(), ChannelInit::default()).unwrap();
    //= rfc8832#6
    //# If the DATA_CHANNEL_OPEN message doesn't satisfy the conditions above, the receiver MUST close the corresponding data channel using the procedure described in [RFC8831] and MUST NOT send a DATA_CHANNEL_ACK message in response to the received message.
    pair.run_until(secs(30), |pair| pair.a.take_event(|e| *e == ChannelEvent::Closing(a)).is_some()).unwrap();
    assert!(pair.b.layer.ids().is_empty());
    assert_eq!(pair.b.layer.dropped_messages(), 1);
}

#[test]
fn channels_of_the_peer_are_bounded() {
    let b = Config { max_channels: 10, max_label_bytes: 1000, ..Config::rtc() };
    let mut pair = peers_with(Config::rtc(), b, link(), 1);
    for _ in 0..40 {
        pair.a.layer.open(pair.now(), ChannelInit::default()).unwrap();
    }
    pair.run_for(secs(20));
    assert_eq!(pair.b.layer.ids().len(), 10);
    assert_eq!(pair.a.layer.ids().len(), 10, "the others were refused by a reset, and are closed");
    for id in pair.b.layer.ids() {
        pair.b.layer.close(pair.now(), id);
    }
    pair.run_for(secs(20));
    pair.a.layer.open(pair.now(), ChannelInit { label: "x".repeat(1001), ..ChannelInit::default() }).unwrap();
    pair.run_for(secs(20));
    assert!(pair.b.layer.ids().is_empty() && pair.a.layer.ids().is_empty());
}

#[test]
fn the_end_of_the_association_closes_every_channel() {
    for abort in [true, false] {
        let mut pair = peers(&Config::rtc(), link(), 1);
        let (a, b) = open(&mut pair, ChannelInit::default());
        pair.a.layer.send(pair.now(), a, MessageKind::Text, Bytes::from("bye")).unwrap();
        pair.run_for(secs(1));
        if abort {
            pair.a.layer.abort(pair.now());
        } else {
            pair.a.layer.shutdown(pair.now());
        }
        pair.run_for(secs(5));
        for (events, id) in [(&pair.a.events, a), (&pair.b.events, b)] {
            assert!(events.contains(&ChannelEvent::Closed(id, CloseReason::Disconnected)), "{events:?}");
            assert!(matches!(events.back(), Some(ChannelEvent::Disconnected(_))));
        }
        assert_eq!(read_all(&mut pair.b.layer, b).len(), 1, "what came is still there");
        assert_eq!(pair.b.layer.open(pair.now(), ChannelInit::default()), Err(OpenError::Closed));
        assert!(pair.a.layer.ids().is_empty() && pair.b.layer.ids().is_empty());
    }
}

#[test]
fn many_channels_at_once() {
    let mut pair = peers(&Config::rtc(), link(), 1);
    let ids: Vec<_> = (0..1000).map(|_| pair.a.layer.open(pair.now(), ChannelInit::default()).unwrap()).collect();
    for (n, id) in ids.iter().enumerate() {
        pair.a.layer.send(pair.now(), *id, MessageKind::Binary, payload(n as u32, 50)).unwrap();
    }
    pair.run_for(secs(20));
    let mut seen = 0;
    for id in pair.b.layer.ids() {
        let message = pair.b.layer.receive(id).unwrap();
        assert_eq!(u32::from(pair.b.layer.stream(id).unwrap()), 2 * number(&message.data));
        seen += 1;
    }
    assert_eq!(seen, 1000);
    for id in ids {
        pair.a.layer.close(pair.now(), id);
    }
    pair.run_for(secs(60));
    assert!(pair.a.layer.ids().is_empty() && pair.b.layer.ids().is_empty());
}

/// Each DATA chunk A sent: stream, PPID, whether unordered, user data.
fn data_from_a(pair: &Peers) -> Vec<(u16, u32, bool, Vec<u8>)> {
    let from_a = pair.trace().iter().filter(|t| t.from == weft_testkit::Side::A);
    let chunks = from_a.flat_map(|t| crate::common::chunks(&t.packet.payload));
    let data = chunks.filter(|c| c.kind == 0).map(|c| weft_sctp::wire::Data::parse(c.flags, c.value).unwrap());
    data.map(|d| (d.stream, d.ppid, d.flags & 4 != 0, d.payload.to_vec())).collect()
}

#[test]
fn dcep_is_ordered_reliable_and_on_the_channels_stream() {
    //= rfc8832#6
    //# All DCEP messages MUST be sent using ordered delivery and reliable transmission.
    //= rfc8832#6
    //# They MUST be sent on the same outgoing stream as the user messages belonging to the corresponding data channel.
    //= rfc8832#6
    //# Therefore, a DCEP message MUST be sent with the assigned PPID for the Data Channel Establishment Protocol (see Section 8.1).
    //= rfc8832#6
    //# Other messages MUST NOT be sent using this PPID.
    //= rfc8832#4
    //# To avoid collisions where both sides try to open a data channel with the same stream identifiers, each side MUST use streams with either even or odd stream identifiers when sending a DATA_CHANNEL_OPEN message.
    //= rfc8832#4
    //# When using SCTP over DTLS [RFC8261], the method used to determine which side uses odd or even is based on the underlying DTLS connection role: the side acting as the DTLS client MUST use streams with even stream identifiers; the side acting as the DTLS server MUST use streams with odd stream identifiers.
    //= rfc8831#6.6
    //# Therefore, senders MUST NOT put more than one application message into an SCTP user message.
    //= rfc8831#6.6
    //# Unless the deprecated PPID-based fragmentation and reassembly is used, the sender MUST include exactly one application message in each SCTP user message.
    let link = LinkConfig { loss: Loss::Random(0.3), ..link() };
    let mut pair = peers(&Config { interleaving: false, ..Config::rtc() }, link, 5);
    pair.capture();
    let init = ChannelInit { ordered: false, reliability: Reliability::MaxRetransmits(0), ..ChannelInit::default() };
    let all: Vec<_> = (0..20).map(|_| pair.a.layer.open(pair.now(), init.clone()).unwrap()).collect();
    let mut seen = 0;
    pair.run_until(secs(120), |pair| {
        while pair.b.take_event(|e| matches!(e, ChannelEvent::Incoming(_))).is_some() {
            seen += 1;
        }
        seen == 20
    })
    .unwrap();
    pair.run_for(secs(10));
    for id in &all {
        for _ in 0..3 {
            pair.a.layer.send(pair.now(), *id, MessageKind::Text, Bytes::from("\u{3}user")).unwrap();
        }
    }
    pair.run_for(secs(10));
    let sent = data_from_a(&pair);
    for (stream, ppid, unordered, data) in &sent {
        assert!(stream.is_multiple_of(2));
        assert_eq!(*ppid == 50, data.len() == 12, "an OPEN has twelve bytes here, a message five");
        assert!(if *ppid == 50 { !unordered && data[0] == 3 } else { *unordered && data == b"\x03user" });
    }
    for id in all {
        let stream = pair.a.layer.stream(id).unwrap();
        assert!(sent.iter().any(|s| s.0 == stream && s.1 == 50));
    }
}

#[test]
fn the_parameter_of_a_reliable_channel_means_nothing() {
    //= rfc8832#5.1
    //# For reliable data channels, this field MUST be set to 0 on the sending side and MUST be ignored on the receiving side.
    use weft_sctp::wire::Dcep;
    let mut out = Vec::new();
    let open = Dcep::Open { ordered: true, reliability: Reliability::Reliable, priority: 1, label: "", protocol: "" };
    open.write(&mut out);
    assert_eq!(out[4..8], [0; 4]);
    out[4..8].fill(9);
    assert_eq!(Dcep::parse(&out), Some(open));
}

#[test]
fn the_reliability_asked_for_is_kept_in_both_directions() {
    //= rfc8831#6.6
    //# All data sent on a data channel in both directions MUST be sent over the underlying stream using the reliability defined when the data channel was opened, unless the options are changed or per-message options are specified by a higher level.
    //= rfc8831#6.1
    //# This SCTP stack and its upper layer MUST support the usage of multiple SCTP streams.
    //= rfc8831#6.1
    //# The stream reconfiguration extension defined in [RFC6525] MUST be supported.
    //= rfc8831#6.1
    //# The partial reliability extension defined in [RFC3758] MUST be supported.
    //= rfc8831#6.1
    //# In addition to the timed reliability PR-SCTP policy defined in [RFC3758], the limited retransmission policy defined in [RFC7496] MUST be supported.
    //= rfc8831#5
    //# SCTP as specified in [RFC4960] MUST be used in combination with the extension defined in [RFC3758] and provides the following features for transporting non-media data between browsers:
    for reliability in [Reliability::MaxRetransmits(0), Reliability::MaxLifetime(30), Reliability::Reliable] {
        let link = LinkConfig { loss: Loss::Random(0.3), ..link() };
        let mut pair = peers(&Config::rtc(), link, 7);
        let (a, b) = open(&mut pair, ChannelInit { reliability, ..ChannelInit::default() });
        pair.run_for(secs(10));
        for n in 0..100 {
            pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 1000)).unwrap();
            pair.b.layer.send(pair.now(), b, MessageKind::Binary, payload(n, 1000)).unwrap();
            pair.run_for(millis(100));
        }
        pair.run_for(secs(600));
        let got = (read_all(&mut pair.a.layer, a).len(), read_all(&mut pair.b.layer, b).len());
        let whole = reliability == Reliability::Reliable;
        assert!([got.0, got.1].iter().all(|n| (*n == 100) == whole && *n > 10), "{reliability:?}: {got:?}");
        // And a reset closes it.
        pair.a.layer.close(pair.now(), a);
        closed(&mut pair, a, b);
    }
}

#[test]
fn a_dcep_message_that_cannot_be_closes_the_channel() {
    //= rfc8832#6
    //# In that case, the corresponding data channel MUST be closed, as described in [RFC8831].
    for (text, ppid) in [(&[3, 7, 0, 0][..], 50), (&[9], 50), (&[3, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0xFF], 50)] {
        let now = Instant::from_millis(1);
        let mut it = DataChannels::new(Config::rtc(), Rng::from_test_seed(3));
        it.set_role(now, Role::Client);
        let mut peer = weft_sctp::Association::new(Config::rtc(), Rng::from_test_seed(4));
        peer.connect(now);
        peer.send(now, 1, ppid, Bytes::copy_from_slice(text), weft_sctp::SendOptions::default()).unwrap();
        for _ in 0..10 {
            let mut buffer = [0; 1200];
            let mut frame = weft_core::Frame::new(&mut buffer, weft_core::Overhead::NONE);
            if peer.poll_transmit(now, &mut frame).is_some() {
                it.handle_input(now, frame.content()).unwrap();
            }
            let mut frame = weft_core::Frame::new(&mut buffer, weft_core::Overhead::NONE);
            if it.poll_transmit(now, &mut frame).is_some() {
                peer.handle_input(now, frame.content()).unwrap();
            }
        }
        assert!(it.ids().is_empty() && it.dropped_messages() == 1);
        let events: Vec<_> = core::iter::from_fn(|| peer.poll_event()).collect();
        assert!(events.contains(&weft_sctp::Event::IncomingReset(1)), "{events:?}");
    }
}

/// The deprecated ways to cut messages (RFC 8831 section 6.6), and what nobody registered.
#[test]
fn messages_with_deprecated_or_unknown_ppids_are_dropped() {
    let now = Instant::from_millis(1);
    let mut it = DataChannels::new(Config::rtc(), Rng::from_test_seed(3));
    it.set_role(now, Role::Client);
    let id = it.open(now, ChannelInit { negotiated: Some(1), ..ChannelInit::default() }).unwrap();
    let mut peer = weft_sctp::Association::new(Config::rtc(), Rng::from_test_seed(4));
    peer.connect(now);
    for ppid in [52, 54, 0, 55, u32::MAX, 51] {
        peer.send(now, 1, ppid, Bytes::from_static(b"text"), weft_sctp::SendOptions::default()).unwrap();
    }
    for _ in 0..10 {
        for packet in crate::common::packets(&mut peer, now) {
            it.handle_input(now, &packet).unwrap();
        }
        let mut buffer = [0; 1200];
        let mut frame = weft_core::Frame::new(&mut buffer, weft_core::Overhead::NONE);
        if it.poll_transmit(now, &mut frame).is_some() {
            peer.handle_input(now, frame.content()).unwrap();
        }
    }
    let got: Vec<_> = read_all(&mut it, id).into_iter().map(|message| message.data).collect();
    assert_eq!((got, it.dropped_messages()), (vec![Bytes::from_static(b"text")], 5));
    assert_eq!(it.association().stats().a_rwnd, Config::rtc().receive_buffer, "their room is given back");
    assert_eq!(it.info(id).unwrap().state, ChannelState::Open);
}

/// Who sends without looking is told to wait, with the settings as they come, and when there is room again.
#[test]
fn backpressure_is_on_by_default() {
    let narrow = LinkConfig { bandwidth: Some(200_000_000), queue: 500_000, ..link() };
    let mut pair = peers(&Config::rtc(), narrow, 1);
    let (a, _) = open(&mut pair, ChannelInit::default());
    let mut queued = 0;
    let refused = loop {
        match pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(0, 65_536)) {
            Ok(()) => queued += 65_536,
            Err(error) => break error,
        }
        assert!(queued < 32 << 20, "it takes whatever it is given");
    };
    assert_eq!((refused, pair.a.layer.buffered_amount(a)), (SendError::Full, queued));
    pair.run_until(secs(10), |pair| pair.a.take_event(|e| *e == ChannelEvent::Writable(a)).is_some()).unwrap();
    pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(0, 65_536)).unwrap();
}

/// Of many channels that wait for room none is woken for a message that leaves: each is told once a quarter of the buffer is
/// free, and never later than when all is.
#[test]
fn room_is_told_of_when_there_is_some() {
    let config = Config::rtc();
    let narrow = LinkConfig { bandwidth: Some(200_000_000), queue: 500_000, ..link() };
    let mut pair = peers(&config, narrow, 1);
    let channels = [(); 8].map(|()| open(&mut pair, ChannelInit::default()));
    for round in 0..40 {
        let mut sent = 0;
        for (id, _) in channels {
            while pair.a.layer.send(pair.now(), id, MessageKind::Binary, payload(0, 65_536)).is_ok() {
                sent += 65_536;
            }
        }
        assert!(sent >= config.send_buffer / 4, "round {round}: woken for {sent} bytes");
        pair.a.events.clear();
        let told = |pair: &mut Peers| {
            for (_, id) in channels {
                read_all(&mut pair.b.layer, id);
            }
            pair.a.events.iter().any(|event| matches!(event, ChannelEvent::Writable(_)))
        };
        pair.run_until(secs(10), told).unwrap();
    }
}

/// The peer's close does not cost what was queued here (the W3C's closing procedure sends it first).
#[test]
fn what_was_queued_when_the_peer_closed_is_still_sent() {
    let mut pair = peers(&Config::rtc(), link(), 1);
    let (a, b) = open(&mut pair, ChannelInit::default());
    pair.run_for(secs(1));
    for n in 0..50 {
        pair.b.layer.send(pair.now(), b, MessageKind::Binary, payload(n, 5000)).unwrap();
    }
    pair.a.layer.close(pair.now(), a);
    closed(&mut pair, a, b);
    assert_eq!(read_all(&mut pair.a.layer, a).len(), 50);
}

/// Thousands are opened without looking at all that are open each time.
#[test]
fn opening_thousands_takes_the_lowest_free_ids() {
    let config = Config { max_channels: 40_000, max_send_entries: 100_000, ..Config::rtc() };
    let mut it = DataChannels::new(config, Rng::from_test_seed(1));
    let now = Instant::ORIGIN;
    it.set_role(now, Role::Client);
    let ahead = it.open(now, ChannelInit { negotiated: Some(4), ..ChannelInit::default() }).unwrap();
    let ids: Vec<_> = (0..30_000).map(|_| it.open(now, ChannelInit::default()).unwrap()).collect();
    assert_eq!((it.stream(ids[1]), it.stream(ids[2]), it.stream(ids[29_999])), (Some(2), Some(6), Some(60_000)));
    assert_eq!(it.stream(ahead), Some(4));
}
