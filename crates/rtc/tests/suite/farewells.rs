//! A connection that is closed from within whatever event: nothing of it goes on, and the other side learns of it.

use std::time::Duration;

use bytes::Bytes;
use weft_core::Instant;
use weft_rtc::sans_io::PeerConnection;
use weft_rtc::{
    ChannelId, Config, DataChannelInit, DtlsState, Event, GatheringState, IceConnectionState, IceServer, MessageKind,
    OfferOptions, SctpState,
};
use weft_testkit::{Side, Verdict};

use crate::support::{Peers, connected, link, negotiate, peers, peers_with};

/// Until messages went both ways, or for a second where a side is closed before that.
fn run(close_a: Option<usize>, close_b: Option<usize>) -> (Peers, Option<Instant>) {
    let mut pair = peers(link(20), 5);
    (pair.a.close_at, pair.b.close_at) = (close_a, close_b);
    pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    let (mut closed, mut sent) = (None, [false; 2]);
    let _ = pair.run_until(Duration::from_secs(1), |p| {
        let now = p.now();
        for (peer, sent) in [&mut p.a, &mut p.b].into_iter().zip(&mut sent) {
            let open = peer.events.iter().find_map(|event| match event {
                Event::Open(id) | Event::DataChannel(id) => Some(*id),
                _ => None,
            });
            if let Some(id) = open.filter(|_| !*sent) {
                // Refused once it is closed.
                *sent = peer.pc.send(now, id, MessageKind::Binary, Bytes::from_static(b"x")).is_ok();
            }
            if peer.pc.is_closed() {
                closed.get_or_insert(now);
            }
        }
        closed.is_some() || !p.a.messages.is_empty() && !p.b.messages.is_empty()
    });
    (pair, closed)
}

fn learnt(pc: &PeerConnection) -> bool {
    pc.dtls_state() == DtlsState::Closed || pc.sctp_state() == Some(SctpState::Closed)
}

#[test]
fn closed_from_within_any_event() {
    let (pair, closed) = run(None, None);
    assert!(closed.is_none() && !pair.a.messages.is_empty() && !pair.b.messages.is_empty());
    let (events_a, events_b) = (pair.a.seen, pair.b.seen);
    assert!(events_a > 15 && events_b > 15, "{events_a} and {events_b} events");
    let (mut told, mut early) = (0, 0);
    for (at, of_a) in (0..events_a).map(|at| (at, true)).chain((0..events_b).map(|at| (at, false))) {
        let (mut pair, closed) = run(of_a.then_some(at), (!of_a).then_some(at));
        assert!(closed.is_some(), "event {at} did not come again");
        let reached = |p: &Peers| if of_a { p.a.saw(is_connected) } else { p.b.saw(is_connected) };
        let connected = reached(&pair);
        let took = pair.run_until(Duration::from_millis(200), |p| learnt(if of_a { &p.b.pc } else { &p.a.pc }));
        if connected {
            assert!(took.is_ok(), "event {at} of {}: the other side was not told", if of_a { 'a' } else { 'b' });
            told += 1;
        } else {
            early += 1;
        }
        let gone = if of_a { &mut pair.a.pc } else { &mut pair.b.pc };
        assert!(gone.poll_timeout().is_none() && gone.poll_event().is_none() && !gone.has_requests());
    }
    assert!(told > 10 && early > 10, "{told} told, {early} too early for that");
}

fn is_connected(event: &Event) -> bool {
    matches!(event, Event::DtlsState(DtlsState::Connected))
}

/// What a connection is about when it is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Amid {
    Gathering,
    Handshake,
    RestartOffered,
    RestartOfPeer,
    RestartAnswered,
    RestartChecks,
    /// What it sends arrives, and nothing comes.
    Disconnected,
    Failed,
    Finishing,
    Aborting,
}

impl Amid {
    const ALL: [Self; 10] = [
        Self::Gathering,
        Self::Handshake,
        Self::RestartOffered,
        Self::RestartOfPeer,
        Self::RestartAnswered,
        Self::RestartChecks,
        Self::Disconnected,
        Self::Failed,
        Self::Finishing,
        Self::Aborting,
    ];
}

/// Takes A there.
fn go(pair: &mut Peers, here: ChannelId, amid: Amid) {
    negotiate(pair);
    if amid == Amid::Handshake {
        pair.run_until(Duration::from_secs(1), |p| p.a.pc.dtls_state() == DtlsState::Connecting).unwrap();
        return;
    }
    pair.run_until(Duration::from_secs(5), |p| connected(p) && p.b.incoming().is_some()).unwrap();
    let now = pair.now();
    let restart = |pc: &mut PeerConnection| {
        let offer = pc.create_offer_with(OfferOptions::ICE_RESTART).unwrap();
        pc.set_local_description(now, Some(offer)).unwrap();
        pc.local_description().unwrap()
    };
    match amid {
        Amid::Handshake => {}
        Amid::Gathering => assert_eq!(pair.a.pc.gathering_state(), GatheringState::Gathering),
        Amid::RestartOffered => drop(restart(&mut pair.a.pc)),
        Amid::RestartOfPeer => {
            let offer = restart(&mut pair.b.pc);
            pair.a.pc.set_remote_description(now, &offer).unwrap();
        }
        Amid::RestartAnswered | Amid::RestartChecks => {
            let offer = restart(&mut pair.b.pc);
            pair.a.pc.set_remote_description(now, &offer).unwrap();
            pair.a.pc.set_local_description(now, None).unwrap();
            if amid == Amid::RestartChecks {
                let answer = pair.a.pc.local_description().unwrap();
                pair.b.pc.set_remote_description(now, &answer).unwrap();
                pair.flush();
                assert_eq!(pair.a.pc.ice_connection_state(), IceConnectionState::Connected, "by the pair of before");
            }
        }
        Amid::Disconnected | Amid::Failed => {
            let both_ways = amid == Amid::Failed;
            let cut = move |side| if both_ways || side == Side::B { Verdict::Drop } else { Verdict::Pass };
            pair.set_filter(move |_, side, _| cut(side));
            let wanted = if both_ways { IceConnectionState::Failed } else { IceConnectionState::Disconnected };
            let reached = |p: &mut Peers| p.a.pc.ice_connection_state() == wanted;
            pair.run_until(Duration::from_secs(60), reached).unwrap();
        }
        Amid::Finishing | Amid::Aborting => {
            while pair.a.pc.send(now, here, MessageKind::Binary, Bytes::from(vec![1; 50_000])).is_ok() {}
            if amid == Amid::Finishing {
                pair.a.pc.close_data_channel(now, here);
            } else {
                pair.a.pc.abort_data_channel(now, here);
            }
            pair.run_for(Duration::from_millis(30));
        }
    }
}

#[test]
fn closed_amid_whatever_it_does() {
    for amid in Amid::ALL {
        let silent = IceServer::stun("stun:198.51.100.1".parse().unwrap());
        let of_a = if amid == Amid::Gathering { Config::default().with_ice_server(silent) } else { Config::default() };
        let mut pair = peers_with(link(20), 5, of_a, Config::default());
        let here = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
        go(&mut pair, here, amid);
        let (now, sent) = (pair.now(), pair.a.pc.stats().counters.datagrams_sent);
        pair.a.pc.close(now);
        let took = pair.run_until(Duration::from_millis(200), |p| learnt(&p.b.pc));
        match amid {
            // There is no way to the other side: RFC 7675 section 5.1 forbids to send without consent.
            Amid::Failed => assert_eq!(pair.a.pc.stats().counters.datagrams_sent, sent),
            // And no key that it would believe yet.
            Amid::Handshake => assert_eq!(pair.b.pc.dtls_state(), DtlsState::Connecting),
            _ => assert!(took.is_ok(), "{amid:?}: the other side was not told"),
        }
        let gone = &mut pair.a.pc;
        assert!(gone.poll_timeout().is_none() && gone.poll_event().is_none() && !gone.has_requests(), "{amid:?}");
        // Nothing of what comes is answered.
        let sent = gone.stats().counters.datagrams_sent;
        pair.clear_filter();
        pair.run_for(Duration::from_secs(60));
        assert_eq!(pair.a.pc.stats().counters.datagrams_sent, sent, "{amid:?}");
    }
}
