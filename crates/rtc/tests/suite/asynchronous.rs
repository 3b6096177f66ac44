//! The async handles, over real loopback sockets.

use std::time::Duration;

use tokio::time::timeout;
use weft_rtc::{Config, ConnectionState, DataChannel, DataChannelInit, Error, PeerConnection, PeerEvent};

const PATIENCE: Duration = Duration::from_secs(20);

fn peer() -> PeerConnection {
    PeerConnection::new(Config::default().with_loopback(true)).unwrap()
}

async fn connect() -> (PeerConnection, PeerConnection, DataChannel, DataChannel) {
    let (a, b) = (peer(), peer());
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    let answer = b.answer(&a.offer().await.unwrap()).await.unwrap();
    a.set_remote_description(&answer).unwrap();
    let there = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
    timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
    (a, b, here, there)
}

#[tokio::test]
async fn moves_a_few_megabytes_with_backpressure() {
    let (_a, _b, here, there) = connect().await;
    let sender = tokio::spawn(async move {
        for n in 0..200_u32 {
            here.send(vec![n as u8; 50_000]).await.unwrap();
            // One message may exceed the send buffer; more have to wait.
            assert!(here.buffered_amount() <= (1 << 20) + 50_000);
        }
        here.close();
        here.closed().await;
    });
    let mut count = 0_u32;
    while let Some(message) = timeout(PATIENCE, there.recv()).await.unwrap() {
        assert!(message.data.len() == 50_000 && message.data.iter().all(|&b| b == count as u8));
        count += 1;
    }
    assert_eq!(count, 200);
    timeout(PATIENCE, sender).await.unwrap().unwrap();
}

#[tokio::test]
async fn trickles_through_events() {
    let (a, b) = (peer(), peer());
    let chat = a.create_data_channel(DataChannelInit::new("chat")).unwrap();
    let offer = a.create_offer().unwrap();
    a.set_local_description(Some(offer.clone())).unwrap();
    b.set_remote_description(&offer).unwrap();
    let answer = b.create_answer().unwrap();
    b.set_local_description(Some(answer.clone())).unwrap();
    a.set_remote_description(&answer).unwrap();
    let carry = |from: PeerConnection, to: PeerConnection| async move {
        while let Some(event) = from.next_event().await {
            match event {
                PeerEvent::IceCandidate(candidate) => to.add_ice_candidate(&candidate).unwrap(),
                PeerEvent::ConnectionState(ConnectionState::Connected) => break,
                _ => {}
            }
        }
    };
    let both = async { tokio::join!(carry(a.clone(), b.clone()), carry(b.clone(), a.clone())) };
    timeout(PATIENCE, both).await.unwrap();
    timeout(PATIENCE, chat.send_text("hi")).await.unwrap().unwrap();
    let there = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
    assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().as_text(), Some("hi"));
}

#[tokio::test]
async fn dropping_the_last_handle_tells_the_peer_at_once() {
    let (a, b, here, there) = connect().await;
    drop((a, here));
    assert!(timeout(Duration::from_secs(2), there.recv()).await.unwrap().is_none());
    drop(b);
    timeout(Duration::from_secs(2), there.closed()).await.unwrap();
}

#[tokio::test]
async fn dropping_a_channel_closes_it_and_the_connection_lives() {
    let (a, b, here, there) = connect().await;
    here.send_text("last words").await.unwrap();
    drop(here);
    assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().as_text(), Some("last words"));
    assert!(timeout(PATIENCE, there.recv()).await.unwrap().is_none());
    let again = a.create_data_channel(DataChannelInit::new("again")).unwrap();
    timeout(PATIENCE, again.opened()).await.unwrap().unwrap();
    assert_eq!(timeout(PATIENCE, b.accept()).await.unwrap().unwrap().label(), "again");
}

#[tokio::test]
async fn a_closed_connection_says_so() {
    let (a, _b, here, _there) = connect().await;
    a.close();
    assert!(matches!(a.create_offer(), Err(Error::Closed)));
    assert!(matches!(here.send_text("x").await, Err(Error::Closed)));
    assert!(here.recv().await.is_none() && a.accept().await.is_none() && a.next_event().await.is_none());
    here.closed().await;
}

/// What nobody will read any more may not keep the window of the others shut.
#[tokio::test]
async fn a_dropped_channel_gives_its_window_back() {
    let (a, b, here, there) = connect().await;
    for round in 0..3 {
        let bulk = a.create_data_channel(DataChannelInit::new("bulk")).unwrap();
        let unread = timeout(PATIENCE, b.accept()).await;
        let unread = match unread {
            Ok(Some(channel)) => channel,
            other => panic!("{other:?}"),
        };
        let send = async {
            for _ in 0..40 {
                if bulk.send(vec![0; 100_000]).await.is_err() {
                    break;
                }
            }
        };
        let drop_it = async {
            assert!(unread.recv().await.is_some());
            drop(unread);
        };
        timeout(PATIENCE, async { tokio::join!(send, drop_it) }).await.unwrap();
        here.send_text(round.to_string()).await.unwrap();
        assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().as_text(), Some(&*round.to_string()));
    }
}

#[tokio::test]
async fn a_peer_that_closes_ends_accept_and_recv() {
    let (a, b, here, _there) = connect().await;
    b.close();
    assert!(timeout(PATIENCE, a.accept()).await.unwrap().is_none());
    assert!(timeout(PATIENCE, here.recv()).await.unwrap().is_none());
    assert!(matches!(timeout(PATIENCE, a.connected()).await.unwrap(), Err(Error::Closed)));
}
