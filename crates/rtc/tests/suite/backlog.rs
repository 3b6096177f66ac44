//! Events that are read late, or never.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{sleep, timeout};
use weft_rtc::{
    ConnectionState, DataChannelInit, GatheringState, IceConnectionState, PeerConnection, PeerEvent, SignalingState,
};

use super::asynchronous::{connect, peer};

fn all(peer: &PeerConnection) -> Vec<PeerEvent> {
    std::iter::from_fn(|| peer.next_event().now_or_never().flatten()).collect()
}

async fn completed(peer: &PeerConnection) {
    let done = async {
        while peer.ice_connection_state() != IceConnectionState::Completed {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), done).await.unwrap();
}

/// All is told in its order, but of the pairs that were in use only the last.
#[tokio::test]
async fn what_nobody_has_read_is_told_late() {
    let (a, b, _here, _there) = connect().await;
    for (peer, offers) in [(&a, true), (&b, false)] {
        completed(peer).await;
        let events = all(peer);
        let description = peer.local_description().unwrap().sdp;
        let line = |name: &str| description.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let (mid, ufrag) = (line("a=mid:"), line("a=ice-ufrag:"));
        assert!(mid.is_some() && ufrag.is_some());
        let mut expected = description
            .lines()
            .filter_map(|line| line.strip_prefix("a="))
            .filter(|line| line.starts_with("candidate:"));
        let mut pairs = 0;
        let mut ended = false;
        let (mut signaling, mut gathering, mut ice, mut connection) = (vec![], vec![], vec![], vec![]);
        for event in events {
            match event {
                PeerEvent::IceCandidate(candidate) => {
                    assert!(!ended, "the end comes last");
                    ended = candidate.candidate.is_empty();
                    assert_eq!(candidate.candidate, expected.next().unwrap_or_default());
                    assert_eq!((&candidate.sdp_mid, &candidate.username_fragment), (&mid, &ufrag));
                    assert_eq!(candidate.sdp_mline_index, Some(0));
                }
                PeerEvent::SelectedPair(pair) => {
                    assert_eq!(pair.path, peer.stats().selected_pair.unwrap().path);
                    pairs += 1;
                }
                PeerEvent::SignalingState(state) => signaling.push(state),
                PeerEvent::GatheringState(state) => gathering.push(state),
                PeerEvent::IceConnectionState(state) => ice.push(state),
                PeerEvent::ConnectionState(state) => connection.push(state),
                PeerEvent::NegotiationNeeded => assert!(offers),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((pairs, ended, expected.next()), (1, true, None));
        let between = if offers { SignalingState::HaveLocalOffer } else { SignalingState::HaveRemoteOffer };
        assert_eq!(signaling, [between, SignalingState::Stable]);
        assert_eq!(gathering, [GatheringState::Gathering, GatheringState::Complete]);
        assert_eq!(connection, [ConnectionState::Connecting, ConnectionState::Connected]);
        let states = [IceConnectionState::Checking, IceConnectionState::Connected, IceConnectionState::Completed];
        assert_eq!(ice, states);
        assert!(all(peer).is_empty());
    }
}

/// A program that never reads holds no more than a thousand, the latest.
#[tokio::test]
async fn what_nobody_reads_is_bounded() {
    let peer = peer();
    let _channel = peer.create_data_channel(DataChannelInit::new("x")).unwrap();
    for _ in 0..600 {
        let offer = peer.create_offer().unwrap();
        peer.set_local_description(Some(offer)).unwrap();
        peer.set_local_description(Some(weft_rtc::Description::rollback())).unwrap();
    }
    let events = all(&peer);
    assert_eq!(events.len(), 1024);
    // Candidates that were dropped are not told in the place of others.
    let latest = events.iter().rev().find_map(|event| match event {
        PeerEvent::IceCandidate(candidate) => Some(candidate.clone()),
        _ => None,
    });
    let offer = peer.create_offer().unwrap();
    peer.set_local_description(Some(offer)).unwrap();
    let now = all(&peer).into_iter().find_map(|event| match event {
        PeerEvent::IceCandidate(candidate) => Some(candidate),
        _ => None,
    });
    let (latest, now) = (latest.unwrap(), now.unwrap());
    assert!(latest.candidate.is_empty() && now.candidate.starts_with("candidate:"), "{latest:?} {now:?}");
}
