//! `setConfiguration`: RFC 8829 section 4.1.18, webrtc-pc section 4.4.1.6.

use std::sync::Arc;
use std::time::Duration;

use weft_rtc::ice::Policy;
use weft_rtc::sans_io::PeerConnection;
use weft_rtc::{Certificate, Config, DataChannelInit, Error, Event, GatheringState, IceServer, OfferOptions, Request};

use crate::support::{Peers, connected, link, negotiate, peers};

fn stun(url: &str) -> IceServer {
    IceServer::stun(url.parse().unwrap())
}

fn turn() -> IceServer {
    IceServer::turn(vec!["turn:198.51.100.1?transport=tcp".parse().unwrap()], "alice", "secret")
}

fn requests(pc: &mut PeerConnection) -> Vec<Request> {
    std::iter::from_fn(|| pc.poll_request()).collect()
}

/// A connection without servers.
fn pair() -> Peers {
    let mut pair = peers(link(20), 3);
    pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(10), |p| connected(p) && p.b.incoming().is_some()).unwrap();
    pair
}

fn ufrag(sdp: &str) -> &str {
    sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap()
}

fn candidates(sdp: &str) -> usize {
    sdp.lines().filter(|line| line.starts_with("a=candidate:")).count()
}

#[test]
fn before_gathering_has_begun_it_takes_effect_at_once() {
    let mut pair = peers(link(20), 1);
    let now = pair.now();
    let pc = &mut pair.a.pc;
    pc.create_data_channel(now, DataChannelInit::new("x")).unwrap();
    let mut config = pc.config().clone().with_ice_server(stun("stun:stun.example.org"));
    config.ice_transport_policy = Policy::Relay;
    pc.set_configuration(now, config.clone()).unwrap();
    config.ice_servers = vec![turn()];
    pc.set_configuration(now, config).unwrap();
    assert_eq!((pc.config().ice_servers.len(), pc.config().ice_transport_policy), (1, Policy::Relay));
    pc.set_local_description(now, None).unwrap();
    let offer = pc.local_description().unwrap();
    assert_eq!(candidates(&offer.sdp), 0, "relays alone: {}", offer.sdp);
    let _ = pair.run_until(Duration::from_millis(200), |_| false);
    let asked = requests(&mut pair.a.pc);
    assert!(asked.iter().any(|request| matches!(request, Request::OpenStream(..))), "{asked:?}");
    // Nothing is owed for it: the first offer was made with it.
    assert_eq!(ufrag(&pair.a.pc.create_offer().unwrap().sdp), ufrag(&offer.sdp));
}

#[test]
fn after_that_it_waits_for_the_next_offer_which_restarts_ice() {
    let mut pair = pair();
    let now = pair.now();
    let first = pair.a.pc.local_description().unwrap();
    pair.a.events.clear();
    let config = pair.a.pc.config().clone().with_ice_server(turn());
    pair.a.pc.set_configuration(now, config).unwrap();
    let _ = pair.run_until(Duration::from_secs(1), |_| false);
    assert_eq!(requests(&mut pair.a.pc), []);
    assert!(!pair.a.pc.negotiation_needed() && !pair.a.saw(|event| matches!(event, Event::NegotiationNeeded)));

    let offer = pair.a.pc.create_offer().unwrap();
    assert_ne!(ufrag(&offer.sdp), ufrag(&first.sdp));
    // Taken back, the next is another one all the same.
    pair.a.pc.set_local_description(now, Some(offer)).unwrap();
    assert_eq!(pair.a.pc.gathering_state(), GatheringState::Gathering);
    pair.a.pc.set_local_description(now, Some(weft_rtc::Description::rollback())).unwrap();
    assert_ne!(ufrag(&pair.a.pc.create_offer().unwrap().sdp), ufrag(&first.sdp));
    let _ = pair.run_until(Duration::from_millis(200), |_| false);
    let asked = requests(&mut pair.a.pc);
    assert!(asked.iter().any(|request| matches!(request, Request::OpenStream(..))), "{asked:?}");

    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), connected).unwrap();
    let second = pair.a.pc.local_description().unwrap();
    assert_ne!(ufrag(&second.sdp), ufrag(&first.sdp));
    // And then no other is owed.
    assert_eq!(ufrag(&pair.a.pc.create_offer().unwrap().sdp), ufrag(&second.sdp));
}

#[test]
fn a_restart_of_the_peer_is_an_occasion_too() {
    let mut pair = pair();
    let now = pair.now();
    let mut config = pair.b.pc.config().clone();
    config.ice_transport_policy = Policy::Relay;
    pair.b.pc.set_configuration(now, config).unwrap();
    let offer = pair.a.pc.create_offer_with(OfferOptions::ICE_RESTART).unwrap();
    pair.a.pc.set_local_description(now, Some(offer.clone())).unwrap();
    pair.b.pc.set_remote_description(now, &offer).unwrap();
    pair.b.pc.set_local_description(now, None).unwrap();
    let answer = pair.b.pc.local_description().unwrap();
    assert_eq!(candidates(&answer.sdp), 0, "{}", answer.sdp);
    assert!(answer.sdp.contains("a=end-of-candidates"), "{}", answer.sdp);
}

#[test]
fn all_candidates_are_told_again_when_the_policy_allows_them() {
    let mut pair = pair();
    let mut config = pair.a.pc.config().clone();
    for (policy, told) in [(Policy::Relay, 0), (Policy::All, 2)] {
        let now = pair.now();
        config.ice_transport_policy = policy;
        pair.a.pc.set_configuration(now, config.clone()).unwrap();
        pair.a.pc.set_local_description(now, None).unwrap();
        let offer = pair.a.pc.local_description().unwrap();
        assert_eq!(candidates(&offer.sdp), told, "{policy:?}: {}", offer.sdp);
        pair.b.pc.set_remote_description(now, &offer).unwrap();
        pair.b.pc.set_local_description(now, None).unwrap();
        let answer = pair.b.pc.local_description().unwrap();
        pair.a.pc.set_remote_description(now, &answer).unwrap();
        let _ = pair.run_until(Duration::from_secs(1), |_| false);
    }
    pair.run_until(Duration::from_secs(5), connected).unwrap();
}

#[test]
fn what_cannot_change_is_refused_and_what_is_the_same_is_not() {
    let certificate = Arc::new(Certificate::generate().unwrap());
    let mut pair = peers(link(20), 1);
    let now = pair.now();
    let pc = &mut pair.a.pc;
    pc.create_data_channel(now, DataChannelInit::new("x")).unwrap();
    pc.set_local_description(now, None).unwrap();
    let before = ufrag(&pc.local_description().unwrap().sdp).to_owned();
    let config = pc.config().clone();
    let refused = |pc: &mut PeerConnection, change: &dyn Fn(&mut Config)| {
        let mut other = config.clone().with_ice_server(turn());
        change(&mut other);
        match pc.set_configuration(now, other) {
            Err(Error::InvalidModification(what)) => what,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(pc, &|other| other.port = 1), "port");
    assert_eq!(refused(pc, &|other| other.trickle = false), "trickle");
    assert_eq!(refused(pc, &|other| other.max_message_size = 1), "max_message_size");
    assert_eq!(refused(pc, &|other| other.certificate = Some(Arc::clone(&certificate))), "certificate");
    let wrong = config.clone().with_ice_server(IceServer { urls: turn().urls, credentials: None });
    assert!(matches!(pc.set_configuration(now, wrong), Err(Error::Config(_))));
    let mut many = config.clone();
    many.ice_servers = vec![turn(); 17];
    assert!(matches!(pc.set_configuration(now, many), Err(Error::Config(_))));
    assert!(pc.config().ice_servers.is_empty());
    // With the certificate that it made itself, or none, it is as it was.
    let own = config.clone().with_certificate(Arc::clone(pc.certificate()));
    pc.set_configuration(now, own).unwrap();
    pc.set_configuration(now, config).unwrap();
    assert_eq!(ufrag(&pc.create_offer().unwrap().sdp), before);
    pc.close(now);
    assert!(matches!(pc.set_configuration(now, Config::default()), Err(Error::Closed)));
}

#[tokio::test]
async fn of_the_async_handles() {
    let config = Config::default().with_loopback(true);
    let peer = weft_rtc::PeerConnection::new(config).unwrap();
    peer.create_data_channel(DataChannelInit::new("x")).unwrap();
    let first = peer.offer().await.unwrap();
    assert!(candidates(&first.sdp) > 0);
    let mut config = Config::clone(&peer.configuration());
    config.ice_transport_policy = Policy::Relay;
    peer.set_configuration(config.clone()).unwrap();
    assert_eq!(peer.configuration().ice_transport_policy, Policy::Relay);
    let second = peer.offer().await.unwrap();
    assert_eq!(candidates(&second.sdp), 0, "{}", second.sdp);
    assert_ne!(ufrag(&first.sdp), ufrag(&second.sdp));
    config.port = 1;
    assert!(matches!(peer.set_configuration(config), Err(Error::InvalidModification("port"))));
}

#[test]
fn of_the_polled_driver() {
    use weft_rtc::polled::{ChannelOptions, Configuration, ErrorCode, IceServer, Signal};
    let mut peer = weft_rtc::polled::PeerConnection::with_config(Config::default().with_loopback(true));
    let relay_only = |relay_only| Configuration { ice_servers: Vec::new(), relay_only };
    peer.set_configuration(&relay_only(true)).unwrap();
    let _channel = peer.create_data_channel("x", &ChannelOptions::default()).unwrap();
    peer.create_offer().unwrap();
    peer.poll().unwrap();
    let Some(Signal::SessionDescriptionCreated { kind, sdp }) = peer.next_signal() else { panic!("no offer") };
    peer.set_local_description(&kind, &sdp).unwrap();
    peer.poll().unwrap();
    assert!(peer.next_signal().is_none(), "a candidate is told");
    peer.set_configuration(&relay_only(false)).unwrap();
    let malformed = IceServer { urls: vec!["nonsense".to_owned()], ..IceServer::default() };
    let wrong = Configuration { ice_servers: vec![malformed], relay_only: false };
    assert_eq!(peer.set_configuration(&wrong).unwrap_err().code(), ErrorCode::InvalidParameter);
    peer.close();
    assert_eq!(peer.set_configuration(&relay_only(false)).unwrap_err().code(), ErrorCode::Failed);
}
