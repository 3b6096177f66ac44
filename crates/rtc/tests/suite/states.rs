//! `iceConnectionState`, `connectionState` and `iceGatheringState`: every value, when it comes, and how it is told
//! (webrtc-pc sections 4.3.2, 4.3.3, 4.4.3 and 5.6.4).

use std::time::Duration;

use weft_core::Instant;
use weft_rtc::{
    Config, ConnectionState, DataChannelInit, DtlsState, Event, Failure, GatheringState, IceConnectionState, IceServer,
    OfferOptions,
};
use weft_testkit::Verdict;

use crate::support::{Peer, Peers, connected, link, negotiate, peers, peers_with};

/// What `iceConnectionState` goes through when all is well.
const UP: [IceConnectionState; 3] =
    [IceConnectionState::Checking, IceConnectionState::Connected, IceConnectionState::Completed];

fn ice(peer: &Peer) -> Vec<IceConnectionState> {
    peer.events
        .iter()
        .filter_map(|event| if let Event::IceConnectionState(s) = event { Some(*s) } else { None })
        .collect()
}

fn connection(peer: &Peer) -> Vec<ConnectionState> {
    peer.events.iter().filter_map(|event| if let Event::ConnectionState(s) = event { Some(*s) } else { None }).collect()
}

fn gathering(peer: &Peer) -> Vec<GatheringState> {
    peer.events.iter().filter_map(|event| if let Event::GatheringState(s) = event { Some(*s) } else { None }).collect()
}

/// The states that can be asked for, which must be those told last.
fn now_in(peer: &Peer) -> (IceConnectionState, ConnectionState) {
    let now = (peer.pc.ice_connection_state(), peer.pc.connection_state());
    assert_eq!(ice(peer).last().copied().unwrap_or(IceConnectionState::New), now.0);
    assert_eq!(connection(peer).last().copied().unwrap_or(ConnectionState::New), now.1);
    now
}

/// Two peers, of which A has a channel, before anything was described.
fn new() -> Peers {
    let mut pair = peers(link(20), 7);
    pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    pair
}

fn open() -> Peers {
    let mut pair = new();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| connected(p) && p.b.incoming().is_some()).unwrap();
    pair.run_for(Duration::from_secs(1));
    for peer in [&mut pair.a, &mut pair.b] {
        peer.events.clear();
    }
    pair
}

fn cut(pair: &mut Peers) {
    pair.set_filter(|_, _, _| Verdict::Drop);
}

/// Until A is in these states, in which it comes within `at_most`: when.
fn until(pair: &mut Peers, ice: IceConnectionState, connection: ConnectionState, at_most: u64) -> Duration {
    let is = |p: &mut Peers| (p.a.pc.ice_connection_state(), p.a.pc.connection_state()) == (ice, connection);
    let came = pair.run_until(Duration::from_secs(at_most), is);
    came.unwrap_or_else(|_| panic!("no {ice} and {connection}, but {:?}", now_in(&pair.a)))
}

#[test]
fn from_new_to_completed_and_closed() {
    let mut pair = new();
    for peer in [&pair.a, &pair.b] {
        assert_eq!(now_in(peer), (IceConnectionState::New, ConnectionState::New));
        assert_eq!((peer.pc.gathering_state(), peer.pc.dtls_state()), (GatheringState::New, DtlsState::New));
    }
    let now = pair.now();
    pair.a.pc.set_local_description(now, None).unwrap();
    pair.flush();
    // Candidates alone are no check.
    assert_eq!(now_in(&pair.a), (IceConnectionState::New, ConnectionState::New));
    assert_eq!(gathering(&pair.a), [GatheringState::Gathering, GatheringState::Complete]);
    let offer = pair.a.pc.local_description().unwrap();
    pair.b.pc.set_remote_description(now, &offer).unwrap();
    pair.b.pc.set_local_description(now, None).unwrap();
    let answer = pair.b.pc.local_description().unwrap();
    pair.a.pc.set_remote_description(now, &answer).unwrap();
    pair.flush();
    assert_eq!(now_in(&pair.a), (IceConnectionState::Checking, ConnectionState::Connecting));
    // A pair works, and DTLS takes longer.
    until(&mut pair, IceConnectionState::Connected, ConnectionState::Connecting, 1);
    pair.run_until(Duration::from_secs(5), connected).unwrap();
    pair.run_for(Duration::from_secs(1));
    for peer in [&pair.a, &pair.b] {
        assert_eq!(now_in(peer), (IceConnectionState::Completed, ConnectionState::Connected));
        assert_eq!(ice(peer), UP);
        assert_eq!(connection(peer), [ConnectionState::Connecting, ConnectionState::Connected]);
        assert_eq!(gathering(peer), [GatheringState::Gathering, GatheringState::Complete]);
    }

    // Who closes is told nothing of it, and may ask.
    pair.a.events.clear();
    let now = pair.now();
    pair.a.pc.close(now);
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.a.pc.ice_connection_state(), IceConnectionState::Closed);
    assert_eq!(pair.a.pc.connection_state(), ConnectionState::Closed);
    assert!(pair.a.events.is_empty(), "{:?}", pair.a.events);
    assert_eq!(pair.b.pc.dtls_state(), DtlsState::Closed);
    assert_eq!(now_in(&pair.b).1, ConnectionState::Connected, "a closed DTLS transport says nothing against it");
}

#[test]
fn closed_before_anything_began() {
    let mut pair = new();
    let now = pair.now();
    pair.a.pc.close(now);
    assert_eq!(pair.a.pc.ice_connection_state(), IceConnectionState::Closed);
    assert_eq!(pair.a.pc.connection_state(), ConnectionState::Closed);
    assert_eq!(pair.a.pc.gathering_state(), GatheringState::New);
}

#[test]
fn a_path_that_is_cut_and_comes_back() {
    let mut pair = open();
    cut(&mut pair);
    let took = until(&mut pair, IceConnectionState::Disconnected, ConnectionState::Disconnected, 20);
    assert!((5.0..=15.0).contains(&took.as_secs_f64()), "{took:?}");
    pair.clear_filter();
    until(&mut pair, IceConnectionState::Completed, ConnectionState::Connected, 10);
    now_in(&pair.a);
    assert_eq!(connection(&pair.a), [ConnectionState::Disconnected, ConnectionState::Connected]);
    assert!(!pair.a.saw(|event| matches!(event, Event::Failed(_) | Event::Closed(..))));
}

#[test]
fn a_path_that_is_cut_for_good_fails_and_a_restart_brings_it_back() {
    let mut pair = open();
    cut(&mut pair);
    until(&mut pair, IceConnectionState::Disconnected, ConnectionState::Disconnected, 20);
    let took = until(&mut pair, IceConnectionState::Failed, ConnectionState::Failed, 60);
    assert!((15.0..=35.0).contains(&took.as_secs_f64()), "{took:?} after it was disconnected");
    now_in(&pair.a);
    assert!(pair.a.saw(|event| matches!(event, Event::Failed(Failure::Ice(_)))));
    pair.clear_filter();
    pair.a.events.clear();
    let now = pair.now();
    let offer = pair.a.pc.create_offer_with(OfferOptions::ICE_RESTART).unwrap();
    pair.a.pc.set_local_description(now, Some(offer)).unwrap();
    let offer = pair.a.pc.local_description().unwrap();
    pair.b.pc.set_remote_description(now, &offer).unwrap();
    pair.b.pc.set_local_description(now, None).unwrap();
    let answer = pair.b.pc.local_description().unwrap();
    pair.a.pc.set_remote_description(now, &answer).unwrap();
    until(&mut pair, IceConnectionState::Completed, ConnectionState::Connected, 10);
    assert_eq!(ice(&pair.a).last_chunk(), Some(&UP));
    assert_eq!(connection(&pair.a), [ConnectionState::Connecting, ConnectionState::Connected]);
}

#[test]
fn where_no_path_works_it_fails_in_time() {
    let mut pair = new();
    cut(&mut pair);
    negotiate(&mut pair);
    let took = until(&mut pair, IceConnectionState::Failed, ConnectionState::Failed, 60);
    // RFC 8863 section 4: not before 39.5 s.
    assert!((39.0..=41.0).contains(&took.as_secs_f64()), "{took:?}");
    now_in(&pair.a);
    assert_eq!(ice(&pair.a), [IceConnectionState::Checking, IceConnectionState::Failed]);
    assert_eq!(connection(&pair.a), [ConnectionState::Connecting, ConnectionState::Failed]);
    assert!(pair.a.saw(|event| matches!(event, Event::Failed(Failure::Ice(_)))));
    assert_eq!(pair.a.pc.dtls_state(), DtlsState::New);
}

#[test]
fn a_certificate_that_is_not_the_announced_one_fails_it_at_once() {
    let mut pair = new();
    let now = pair.now();
    pair.a.pc.set_local_description(now, None).unwrap();
    let mut offer = pair.a.pc.local_description().unwrap();
    let print = offer.sdp.lines().find(|line| line.starts_with("a=fingerprint:sha-256")).unwrap().to_owned();
    let turned: String = print.chars().rev().take(95).collect::<String>();
    offer.sdp = offer.sdp.replace(&print, &format!("a=fingerprint:sha-256 {turned}"));
    pair.b.pc.set_remote_description(now, &offer).unwrap();
    pair.b.pc.set_local_description(now, None).unwrap();
    let answer = pair.b.pc.local_description().unwrap();
    pair.a.pc.set_remote_description(now, &answer).unwrap();
    let failed = |p: &mut Peers| p.b.pc.connection_state() == ConnectionState::Failed;
    pair.run_until(Duration::from_secs(2), failed).unwrap();
    assert_eq!(pair.b.pc.dtls_state(), DtlsState::Failed);
    assert!(matches!(now_in(&pair.b).0, IceConnectionState::Connected | IceConnectionState::Completed));
    assert_eq!(connection(&pair.b), [ConnectionState::Connecting, ConnectionState::Failed]);
    assert!(pair.b.saw(|event| matches!(event, Event::Failed(Failure::Dtls(_)))));
    // The other side hears why.
    pair.run_until(Duration::from_secs(1), |p| p.a.pc.connection_state() == ConnectionState::Failed).unwrap();
}

#[test]
fn gathering_lasts_as_long_as_a_server_may_answer() {
    let server = IceServer::stun("stun:198.51.100.1".parse().unwrap());
    let mut pair = peers_with(link(20), 1, Config::default().with_ice_server(server), Config::default());
    let now = pair.now();
    pair.a.pc.create_data_channel(now, DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(1), connected).unwrap();
    assert_eq!(pair.a.pc.gathering_state(), GatheringState::Gathering);
    // Candidates may come still.
    assert_eq!(now_in(&pair.a).0, IceConnectionState::Connected);
    pair.run_until(Duration::from_secs(11), |p| p.a.pc.gathering_state() == GatheringState::Complete).unwrap();
    assert!(pair.now() - Instant::ORIGIN > Duration::from_secs(5));
    assert_eq!(gathering(&pair.a), [GatheringState::Gathering, GatheringState::Complete]);
}
