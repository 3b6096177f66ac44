//! Ends, counted: whatever state connections are dropped in, and however many at once, no task, socket or byte stays.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use weft_rtc::{Certificate, Config, DataChannel, DataChannelInit, Endpoint, PeerConnection};

const PATIENCE: Duration = Duration::from_secs(60);

/// What may stay for good: tables of the runtime and of the cryptography that are made once.
const SLACK: i64 = 32 * 1024;

fn config(certificate: &Arc<Certificate>) -> Config {
    let mut config = Config::default().with_loopback(true).with_certificate(Arc::clone(certificate));
    config.interfaces = Some(vec!["lo".to_owned()]);
    config
}

/// Open files are counted for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How far a pair is taken before it is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Until {
    New,
    Offered,
    Answered,
    Open,
    Sending,
}

struct Held {
    _peers: [PeerConnection; 2],
    _channels: Vec<DataChannel>,
}

async fn pair(server: &Endpoint, certificate: &Arc<Certificate>, until: Until) -> Held {
    let a = PeerConnection::new(config(certificate)).unwrap();
    let b = server.peer_connection(config(certificate)).unwrap();
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    let mut channels = Vec::new();
    if until != Until::New {
        let offer = a.offer().await.unwrap();
        if until != Until::Offered {
            let answer = b.answer(&offer).await.unwrap();
            a.set_remote_description(&answer).unwrap();
        }
    }
    if matches!(until, Until::Open | Until::Sending) {
        channels.push(timeout(PATIENCE, b.accept()).await.unwrap().unwrap());
        timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
    }
    if until == Until::Sending {
        for _ in 0..10 {
            here.send(vec![0; 50_000]).await.unwrap();
            channels[0].send(vec![0; 50_000]).await.unwrap();
        }
    }
    channels.push(here);
    Held { _peers: [a, b], _channels: channels }
}

async fn all_gone(endpoint: &Endpoint) {
    timeout(PATIENCE, async {
        while endpoint.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .unwrap();
}

/// The tasks end by themselves: nothing is cancelled with the runtime.
async fn all_ended() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let ended = timeout(PATIENCE, async {
        while metrics.num_alive_tasks() > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(ended.await.is_ok(), "{} tasks are alive", metrics.num_alive_tasks());
}

/// Sockets and other things this process has open.
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn drop_pairs(count: usize, until: Until, certificate: &Arc<Certificate>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let idle = open_files();
    runtime.block_on(async {
        let server = Endpoint::bind(&config(certificate)).unwrap();
        let mut pairs = Vec::new();
        for _ in 0..count {
            pairs.push(pair(&server, certificate, until).await);
        }
        drop(pairs);
        all_gone(&server).await;
        drop(server);
        all_ended().await;
        assert_eq!(open_files(), idle, "{until:?}: sockets are open");
    });
}

#[test]
fn nothing_stays_in_whatever_state_a_connection_is_dropped() {
    let _alone = alone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    for until in [Until::New, Until::Offered, Until::Answered, Until::Open, Until::Sending] {
        drop_pairs(2, until, &certificate);
        let counted = allocation_counter::measure(|| drop_pairs(20, until, &certificate));
        assert!(counted.bytes_current < SLACK, "{until:?}: {} bytes stay", counted.bytes_current);
    }
}

#[test]
fn a_thousand_end_at_once() {
    let _alone = alone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    drop_pairs(2, Until::Open, &certificate);
    // 300 connected pairs, and 400 more that came less far.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let counted = allocation_counter::measure(|| {
        runtime.block_on(async {
            let server = Endpoint::bind(&config(&certificate)).unwrap();
            let mut pairs = Vec::new();
            for _ in 0..300 {
                pairs.push(pair(&server, &certificate, Until::Open).await);
            }
            let mut offered = Vec::new();
            for _ in 0..400 {
                let peer = server.peer_connection(config(&certificate)).unwrap();
                peer.offer().await.unwrap();
                offered.push(peer);
            }
            assert_eq!(server.connections(), 700);
            drop((pairs, offered));
            all_gone(&server).await;
            drop(server);
            all_ended().await;
        });
    });
    assert!(counted.bytes_current < 8 * SLACK, "{} bytes stay", counted.bytes_current);
}

#[test]
fn the_other_side_learns_of_it_at_once() {
    let _alone = alone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Endpoint::bind(&config(&certificate)).unwrap();
        let a = PeerConnection::new(config(&certificate)).unwrap();
        let b = server.peer_connection(config(&certificate)).unwrap();
        let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
        let answer = b.answer(&a.offer().await.unwrap()).await.unwrap();
        a.set_remote_description(&answer).unwrap();
        let there = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
        timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
        drop((a, here));
        assert!(timeout(Duration::from_secs(1), there.recv()).await.unwrap().is_none());
    });
}

/// A runtime that goes away takes the task with it: handles that are left wait for nothing.
#[test]
fn a_runtime_that_ends_leaves_nobody_waiting() {
    let _alone = alone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    let first = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (endpoint, peer) = first.block_on(async {
        let endpoint = Endpoint::bind(&config(&certificate)).unwrap();
        let peer = endpoint.peer_connection(config(&certificate)).unwrap();
        (endpoint, peer)
    });
    drop(first);
    let second = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    second.block_on(async {
        assert!(timeout(PATIENCE, peer.accept()).await.unwrap().is_none());
        assert!(peer.create_data_channel(DataChannelInit::new("x")).is_err());
        assert!(endpoint.peer_connection(config(&certificate)).is_err());
        assert_eq!(endpoint.connections(), 0);
    });
}
