//! A connection that is closed from within whatever event: nothing of it goes on, and the other side learns of it.

use std::time::Duration;

use bytes::Bytes;
use weft_core::Instant;
use weft_rtc::{DataChannelInit, DtlsState, Event, MessageKind, SctpState};

use crate::support::{Peers, link, negotiate, peers};

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

fn learnt(pc: &weft_rtc::sans_io::PeerConnection) -> bool {
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
