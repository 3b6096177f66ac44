//! Ends amid whatever a connection does: the other side learns of it at once, and nothing stays.
#![allow(clippy::disallowed_types)] // a server is made of what a driver may not use

use std::net::UdpSocket as StdSocket;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;
use weft_rtc::{
    Certificate, Config, ConnectionState, DataChannel, DataChannelInit, Description, Endpoint, GatheringState,
    IceServer, MessageKind, OfferOptions, PeerConnection, SignalingState,
};

use crate::{PATIENCE, SLACK, all_ended, all_gone, alone, config, open_files};

/// What it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Amid {
    Gathering,
    RestartOffered,
    RestartOfPeer,
    RestartAnswered,
    Restarting,
    Finishing,
    FinishingChannel,
    AbortingChannel,
    /// A message is sent in pieces.
    Piece,
    /// A message is watched.
    Delivering,
    /// Much waits to be read.
    Unread,
    /// DTLS: it never was connected, and the other side need not learn of it.
    Failed,
}

const ALL: [Amid; 12] = [
    Amid::Gathering,
    Amid::RestartOffered,
    Amid::RestartOfPeer,
    Amid::RestartAnswered,
    Amid::Restarting,
    Amid::Finishing,
    Amid::FinishingChannel,
    Amid::AbortingChannel,
    Amid::Piece,
    Amid::Delivering,
    Amid::Unread,
    Amid::Failed,
];

/// With another fingerprint than that of the certificate.
fn forged(description: &Description) -> Description {
    let print = description.sdp.lines().find(|line| line.starts_with("a=fingerprint:")).unwrap();
    let other = "00:".repeat(31) + "00";
    Description {
        sdp: description.sdp.replace(print, &format!("a=fingerprint:sha-256 {other}")),
        ..description.clone()
    }
}

/// A connected pair, or one that failed.
async fn join(a: &PeerConnection, b: &PeerConnection, amid: Amid) -> Vec<DataChannel> {
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    // Not all candidates of A may be known ever.
    a.set_local_description(None).unwrap();
    let offer = a.local_description().unwrap();
    let failed = amid == Amid::Failed;
    let answer = b.answer(&if failed { forged(&offer) } else { offer }).await.unwrap();
    a.set_remote_description(&answer).unwrap();
    if failed {
        assert!(timeout(PATIENCE, b.connected()).await.unwrap().is_err());
        assert_eq!(b.connection_state(), ConnectionState::Failed);
        return vec![here];
    }
    let there = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
    timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
    vec![here, there]
}

async fn fill(channel: &DataChannel) {
    while channel.send(vec![1; 50_000]).now_or_never().is_some() {}
    tokio::task::yield_now().await;
}

fn restart(peer: &PeerConnection) -> Description {
    peer.set_local_description(Some(peer.create_offer_with(OfferOptions::ICE_RESTART).unwrap())).unwrap();
    peer.local_description().unwrap()
}

async fn go(a: &PeerConnection, b: &PeerConnection, here: &DataChannel, amid: Amid) {
    match amid {
        Amid::Gathering => assert_eq!(a.gathering_state(), GatheringState::Gathering),
        Amid::RestartOffered => drop(restart(a)),
        Amid::RestartOfPeer => a.set_remote_description(&restart(b)).unwrap(),
        Amid::RestartAnswered => drop(a.answer(&restart(b)).await.unwrap()),
        Amid::Restarting => {
            let answer = a.answer(&restart(b)).await.unwrap();
            b.set_remote_description(&answer).unwrap();
            assert_eq!(a.signaling_state(), SignalingState::Stable);
            tokio::task::yield_now().await;
        }
        Amid::Finishing => {
            fill(here).await;
            assert!(a.finish().now_or_never().is_none());
        }
        Amid::FinishingChannel => {
            fill(here).await;
            assert!(here.finish().now_or_never().is_none());
        }
        Amid::AbortingChannel => {
            fill(here).await;
            here.abort();
        }
        Amid::Piece => {
            here.begin_message(MessageKind::Binary).unwrap();
            here.send_piece(vec![1; 10_000], false).await.unwrap();
        }
        Amid::Delivering => {
            assert!(here.deliver(MessageKind::Binary, vec![1; 50_000]).now_or_never().is_none());
        }
        Amid::Unread | Amid::Failed => {}
    }
}

fn end_amid(certificate: &Arc<Certificate>, amid: Amid) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let idle = open_files();
    runtime.block_on(async {
        let server = Endpoint::bind(&config(certificate)).unwrap();
        for closes in [true, false, true, false] {
            let silent = StdSocket::bind("127.0.0.1:0").unwrap();
            let url = format!("stun:{}", silent.local_addr().unwrap()).parse().unwrap();
            let plain = config(certificate);
            let of_a: Config =
                if amid == Amid::Gathering { plain.clone().with_ice_server(IceServer::stun(url)) } else { plain };
            // Either may be the one whose sockets go with it.
            let (mut a, mut b) =
                (PeerConnection::new(of_a.clone()).unwrap(), server.peer_connection(config(certificate)).unwrap());
            if !closes && amid != Amid::Gathering {
                (a, b) = (b, a);
            }
            let mut channels = join(&a, &b, amid).await;
            let here = channels.remove(0);
            go(&a, &b, &here, amid).await;
            if amid == Amid::Unread {
                fill(&channels[0]).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if closes {
                a.close();
                assert!(here.recv().await.is_none() || amid == Amid::Unread);
            }
            drop((a, here));
            if let Some(there) = channels.pop() {
                let learns = async { while there.recv().await.is_some() {} };
                assert!(timeout(Duration::from_secs(2), learns).await.is_ok(), "{amid:?}: the other side is not told");
            }
            drop(b);
        }
        all_gone(&server).await;
        drop(server);
        all_ended().await;
        assert_eq!(open_files(), idle, "{amid:?}: sockets are open");
    });
}

#[test]
fn nothing_stays_and_the_other_side_learns_of_it() {
    let _alone = alone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    for amid in ALL {
        end_amid(&certificate, amid);
        let counted = allocation_counter::measure(|| end_amid(&certificate, amid));
        assert!(counted.bytes_current.abs() < SLACK / 8, "{amid:?}: {} bytes stay", counted.bytes_current);
    }
}
