//! SNAP (draft-hancke-tsvwg-snap-00): SCTP's INIT chunks in the descriptions.

use std::time::Duration;

use weft_rtc::{Config, DataChannelInit, Description, Error, MessageKind};
use weft_testkit::{LinkConfig, Loss, for_seeds};

use crate::support::{Peers, link, negotiate, peers_with};

fn snap(on: bool) -> Config {
    Config::default().with_snap(on)
}

fn wait_for_message(pair: &mut Peers) -> Duration {
    pair.run_until(Duration::from_secs(60), |p| !p.b.messages.is_empty()).unwrap()
}

fn first_message(a: bool, b: bool, link: LinkConfig, seed: u64) -> (Peers, Duration) {
    let mut pair = peers_with(link, seed, snap(a), snap(b));
    let id = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.a.pc.send(pair.now(), id, MessageKind::Text, "hello".into()).unwrap();
    let took = wait_for_message(&mut pair);
    (pair, took)
}

fn init_of(description: &Description) -> Option<&str> {
    description.sdp.lines().find_map(|line| line.strip_prefix("a=sctp-init:"))
}

#[test]
fn the_first_message_comes_sooner() {
    let (pair, with) = first_message(true, true, link(100), 1);
    let offer = pair.a.pc.local_description().unwrap();
    let answer = pair.b.pc.local_description().unwrap();
    assert!(init_of(&offer).is_some() && init_of(&answer).is_some() && init_of(&offer) != init_of(&answer));
    let (pair, without) = first_message(false, false, link(100), 1);
    assert!(init_of(&pair.a.pc.local_description().unwrap()).is_none(), "off by default");
    assert!(without >= with + Duration::from_millis(95), "a round trip at least: {without:?} and {with:?}");
}

#[test]
fn one_side_alone_does_the_handshake() {
    for (a, b) in [(true, false), (false, true)] {
        let (pair, _) = first_message(a, b, link(10), 2);
        assert!(init_of(&pair.b.pc.local_description().unwrap()).is_none());
    }
}

/// libdatachannel#1620: a peer that copies what it does not know does the handshake, whatever its answer says.
#[test]
fn libdatachannel_1620_a_copied_value_means_no_snap() {
    let mut pair = peers_with(link(10), 3, snap(true), snap(false));
    let id = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    let now = pair.now();
    pair.a.pc.set_local_description(now, None).unwrap();
    let offer = pair.a.pc.local_description().unwrap();
    pair.b.pc.set_remote_description(now, &offer).unwrap();
    pair.b.pc.set_local_description(now, None).unwrap();
    let mut answer = pair.b.pc.local_description().unwrap();
    answer.sdp += &["a=sctp-init:", init_of(&offer).unwrap(), "\r\n"].concat();
    pair.a.pc.set_remote_description(now, &answer).unwrap();
    pair.a.pc.send(now, id, MessageKind::Text, "hello".into()).unwrap();
    wait_for_message(&mut pair);
}

#[test]
fn later_descriptions_repeat_the_value() {
    let (mut pair, _) = first_message(true, true, link(10), 4);
    let first = (pair.a.pc.local_description().unwrap(), pair.b.pc.local_description().unwrap());
    negotiate(&mut pair);
    let second = (pair.a.pc.local_description().unwrap(), pair.b.pc.local_description().unwrap());
    assert_eq!(init_of(&first.0), init_of(&second.0));
    assert_eq!(init_of(&first.1), init_of(&second.1));
    // Another value for the association there is, is an error and changes nothing.
    let mut other = second.0.clone();
    let value = init_of(&other).unwrap().to_owned();
    other.sdp = other.sdp.replace(&value, "AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA");
    let result = pair.b.pc.set_remote_description(pair.now(), &other);
    assert!(matches!(result, Err(Error::SctpInit(_))), "{result:?}");
    negotiate(&mut pair);
}

#[test]
fn a_value_that_is_no_init_is_refused() {
    for bad in ["*", "AQAA", "AgAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA"] {
        let mut pair = peers_with(link(10), 5, snap(true), snap(true));
        pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
        let now = pair.now();
        pair.a.pc.set_local_description(now, None).unwrap();
        let mut offer = pair.a.pc.local_description().unwrap();
        let value = init_of(&offer).unwrap().to_owned();
        offer.sdp = offer.sdp.replace(&value, bad);
        assert!(matches!(pair.b.pc.set_remote_description(now, &offer), Err(Error::SctpInit(_))), "{bad}");
        negotiate(&mut pair);
        pair.run_until(Duration::from_secs(5), crate::support::connected).unwrap();
    }
}

#[test]
fn snap_survives_loss_and_reordering() {
    for_seeds("snap_survives_loss_and_reordering", 200, |seed| {
        let bad = LinkConfig { loss: Loss::Random(0.2), jitter: Duration::from_millis(30), ..link(40) };
        first_message(true, true, bad, seed);
    });
}
