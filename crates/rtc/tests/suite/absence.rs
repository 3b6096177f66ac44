//! A peer that falls silent, in real time: `disconnected`, told ten seconds later, and what comes of it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use weft_rtc::polled::{self, ChannelState};
use weft_rtc::{Config, ConnectionState, DataChannelInit, IceConnectionState, PeerConnection, PeerEvent};

use crate::polled::connected;

/// The ten seconds, and what a busy machine takes besides.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection whose other side is gone without a word.
async fn abandoned() -> PeerConnection {
    let peer = || PeerConnection::new(Config::default().with_loopback(true)).unwrap();
    let a = peer();
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    let offer = a.offer().await.unwrap();
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let there = other.spawn(async move {
        let b = peer();
        let answer = b.answer(&offer).await.unwrap();
        (b, answer)
    });
    let (_b, answer) = there.await.unwrap();
    a.set_remote_description(&answer).unwrap();
    timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
    std::mem::forget(here);
    other.shutdown_background();
    a
}

async fn until_disconnected(a: &PeerConnection) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        match a.next_event().await.unwrap() {
            PeerEvent::IceConnectionState(state) => told.push(state.to_string()),
            PeerEvent::ConnectionState(state) => told.push(state.to_string()),
            _ => {}
        }
        if told.ends_with(&["disconnected".to_owned(), "disconnected".to_owned()]) {
            return told;
        }
    }
}

#[tokio::test]
async fn is_told_by_both_drivers() {
    let a = abandoned().await;
    // Of polled peers, those are silent that nobody polls.
    let (mut first, hers, his) = connected();
    let (mut second, _hers, _his) = connected();
    let begun = Instant::now();
    let both = async {
        let state = |peer: &mut polled::PeerConnection| {
            peer.poll().unwrap();
            peer.connection_state()
        };
        loop {
            let states = [state(&mut first.a), state(&mut second.a)];
            if states == [polled::ConnectionState::Disconnected; 2] {
                break;
            }
            let all_well =
                |state| matches!(state, polled::ConnectionState::Connected | polled::ConnectionState::Disconnected);
            assert!(states.into_iter().all(all_well), "{states:?}");
            sleep(Duration::from_millis(20)).await;
        }
    };
    let (told, ()) = timeout(PATIENCE, async { tokio::join!(until_disconnected(&a), both) }).await.expect("never told");
    assert!(begun.elapsed() > Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(told.last_chunk::<2>().unwrap(), &["disconnected"; 2]);
    assert_eq!(a.ice_connection_state(), IceConnectionState::Disconnected);
    assert_eq!(a.connection_state(), ConnectionState::Disconnected);
    assert_eq!(polled::ConnectionState::Disconnected as i32, 3);

    // Closed then, the other side learns of it as soon as it looks.
    assert_eq!(his.ready_state(), ChannelState::Open);
    first.a.close();
    assert_eq!(
        (first.a.connection_state(), hers.ready_state()),
        (polled::ConnectionState::Closed, ChannelState::Closed)
    );
    first.until("the far end hears of it", |_| his.ready_state() == ChannelState::Closed);
    // Heard again, it is connected as before.
    second.until("it comes back", |couple| couple.a.connection_state() == polled::ConnectionState::Connected);
    a.close();
    assert!(timeout(Duration::from_secs(1), a.accept()).await.unwrap().is_none());
    assert_eq!(a.ice_connection_state(), IceConnectionState::Closed);
}

/// What DTLS cannot agree on fails at once, and is told as such.
#[test]
fn a_polled_peer_fails_by_a_forged_certificate() {
    let mut couple = crate::polled::Couple::new();
    let _hers = couple.a.create_data_channel("x", &polled::ChannelOptions::default()).unwrap();
    couple.a.create_offer().unwrap();
    let begun = Instant::now();
    while couple.b.connection_state() != polled::ConnectionState::Failed {
        assert!(begun.elapsed() < PATIENCE, "it is {:?}", couple.b.connection_state());
        for n in 0..2 {
            let (from, to) = if n == 0 { (&mut couple.a, &mut couple.b) } else { (&mut couple.b, &mut couple.a) };
            from.poll().unwrap();
            while let Some(signal) = from.next_signal() {
                match signal {
                    polled::Signal::SessionDescriptionCreated { kind, sdp } => {
                        from.set_local_description(&kind, &sdp).unwrap();
                        let print = sdp.lines().find(|line| line.starts_with("a=fingerprint:")).unwrap();
                        let other = format!("a=fingerprint:sha-256 {}00", "00:".repeat(31));
                        to.set_remote_description(&kind, &sdp.replace(print, &other)).unwrap();
                    }
                    polled::Signal::IceCandidateCreated { media, index, name } => {
                        to.add_ice_candidate(&media, index, &name).unwrap();
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    assert_eq!(couple.b.connection_state() as i32, 4);
    // It is over, and may be begun anew.
    couple.b.close();
    assert_eq!(couple.b.connection_state() as i32, 5);
    couple.b.initialize(&polled::Configuration::default()).unwrap();
    assert_eq!(couple.b.connection_state() as i32, 0);
}
