//! Ends, counted: whatever state connections are dropped in, and however many at once, no task, socket or byte stays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod churn;
#[path = "../narrows/mod.rs"]
mod narrows;
#[path = "../processor/mod.rs"]
mod processor;
mod signals;
mod states;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use weft_rtc::{Certificate, Config, DataChannel, DataChannelInit, Endpoint, PeerConnection, TcpCandidates, polled};

use narrows::{Joined, join_and_congest};

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

/// A connection by TCP that is closed while the other side reads nothing: how long its endpoint keeps it, and with
/// `with_endpoint`, until when it is dropped, too.
fn drop_congested(certificate: &Arc<Certificate>, with_endpoint: bool) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let idle = open_files();
    let took = runtime.block_on(async {
        let passive = config(certificate).with_tcp_candidates(TcpCandidates::ActiveAndPassive);
        let server = Endpoint::bind(&passive).unwrap();
        let Joined { a, b, here, there, narrows } = join_and_congest(&server, [passive, config(certificate)]).await;
        let tasks = tokio::runtime::Handle::current().metrics();
        assert_eq!(tasks.num_alive_tasks(), 2);
        let closed = tokio::time::Instant::now();
        drop((a, here));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(server.connections(), 1, "it waits to say farewell");
        if with_endpoint {
            drop(server);
            timeout(PATIENCE, async {
                while tasks.num_alive_tasks() > 1 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            })
            .await
            .unwrap();
        } else {
            all_gone(&server).await;
        }
        let took = closed.elapsed();
        narrows.shut(false);
        drop((b, there));
        took
    });
    runtime.block_on(async {
        all_ended().await;
        // Those of the narrows, too.
        timeout(PATIENCE, async {
            while open_files() > idle {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
        .expect("sockets are open");
    });
    took
}

#[test]
fn a_stream_that_cannot_say_farewell_is_let_go_of_in_time() {
    let _alone = alone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    for with_endpoint in [false, true] {
        drop_congested(&certificate, with_endpoint);
        let mut took = Duration::ZERO;
        let counted = allocation_counter::measure(|| took = drop_congested(&certificate, with_endpoint));
        assert!(counted.bytes_current < SLACK, "{} bytes stay", counted.bytes_current);
        let bounds = if with_endpoint { 0.1..0.6 } else { 1.5..3.0 };
        assert!(bounds.contains(&took.as_secs_f64()), "{with_endpoint}: it took {took:?}");
    }
}

#[test]
fn an_endpoint_that_nobody_holds_waits_for_a_stream_in_peace() {
    let _alone = alone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let passive = config(&certificate).with_tcp_candidates(TcpCandidates::ActiveAndPassive);
        let server = Endpoint::bind(&passive).unwrap();
        let Joined { a, b, here, there, narrows } = join_and_congest(&server, [passive, config(&certificate)]).await;
        drop(server);
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop((a, here));
        // The second in which an endpoint says farewell has passed, the two of its stream have not.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert_eq!(tasks, 2, "it waits");
        let used = processor::by_process();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let used = processor::by_process().saturating_sub(used);
        assert!(used < Duration::from_millis(150), "it took {used:?} of half a second");
        narrows.shut(false);
        drop((b, there));
        all_ended().await;
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

/// How far a polled couple is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    New,
    Offered,
    Answered,
    /// Dropped in the middle of what `poll` told: at the first candidate.
    Told,
    Open,
    Sending,
}

fn polled_couple(
    certificate: &Arc<Certificate>,
    stage: Stage,
) -> ([polled::PeerConnection; 2], Vec<polled::DataChannel>) {
    let mut peers = [0, 1].map(|_| polled::PeerConnection::with_config(config(certificate)));
    let channels = take_polled(&mut peers, stage);
    (peers, channels)
}

/// Takes two new peers so far; their channels.
fn take_polled(peers: &mut [polled::PeerConnection; 2], stage: Stage) -> Vec<polled::DataChannel> {
    let mut channels = vec![peers[0].create_data_channel("x", &polled::ChannelOptions::default()).unwrap()];
    if stage == Stage::New {
        return channels;
    }
    peers[0].create_offer().unwrap();
    let mut turns = 0;
    loop {
        turns += 1;
        assert!(turns < 200_000, "never came to {stage:?}");
        for n in 0..2 {
            peers[n].poll().unwrap();
            while let Some(signal) = peers[n].next_signal() {
                match signal {
                    polled::Signal::SessionDescriptionCreated { kind, sdp } => {
                        peers[n].set_local_description(&kind, &sdp).unwrap();
                        if stage == Stage::Offered {
                            return channels;
                        }
                        peers[1 - n].set_remote_description(&kind, &sdp).unwrap();
                        if stage == Stage::Answered && n == 1 {
                            return channels;
                        }
                    }
                    polled::Signal::IceCandidateCreated { .. } if stage == Stage::Told => return channels,
                    polled::Signal::IceCandidateCreated { media, index, name } => {
                        peers[1 - n].add_ice_candidate(&media, index, &name).unwrap();
                    }
                    polled::Signal::DataChannelReceived(channel) => channels.push(channel),
                    other => panic!("{other:?}"),
                }
            }
        }
        if channels.len() == 2 && channels.iter().all(|c| c.ready_state() == polled::ChannelState::Open) {
            if stage == Stage::Sending {
                for channel in &mut channels {
                    for _ in 0..10 {
                        channel.put_packet(&vec![0; 50_000]).unwrap();
                    }
                }
                for peer in peers {
                    peer.poll().unwrap();
                }
            }
            return channels;
        }
    }
}

/// Peers go first in one half, their channels in the other.
fn drop_polled(count: usize, certificate: &Arc<Certificate>, stage: Stage) {
    let idle = open_files();
    let mut couples: Vec<_> = (0..count).map(|_| polled_couple(certificate, stage)).collect();
    let (peers, channels): (Vec<_>, Vec<_>) = couples.drain(..count / 2).unzip();
    drop(peers);
    drop(channels);
    let (peers, channels): (Vec<_>, Vec<_>) = couples.into_iter().unzip();
    drop(channels);
    drop(peers);
    assert_eq!(open_files(), idle, "{stage:?}: sockets are open");
}

#[test]
fn nothing_stays_of_polled_peers_in_whatever_state_they_are_dropped() {
    let _alone = alone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    for stage in [Stage::New, Stage::Offered, Stage::Answered, Stage::Told, Stage::Open, Stage::Sending] {
        drop_polled(2, &certificate, stage);
        let counted = allocation_counter::measure(|| drop_polled(20, &certificate, stage));
        assert!(counted.bytes_current < SLACK, "{stage:?}: {} bytes stay", counted.bytes_current);
    }
}

#[test]
fn a_thousand_polled_peers_end_at_once() {
    let _alone = alone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    drop_polled(2, &certificate, Stage::Open);
    let counted = allocation_counter::measure(|| {
        let open: Vec<_> = (0..100).map(|_| polled_couple(&certificate, Stage::Open)).collect();
        let offered: Vec<_> = (0..200).map(|_| polled_couple(&certificate, Stage::Offered)).collect();
        let new: Vec<_> = (0..200).map(|_| polled_couple(&certificate, Stage::New)).collect();
        drop((open, offered, new));
    });
    assert!(counted.bytes_current < SLACK, "{} bytes stay", counted.bytes_current);
}

/// The buffers that datagrams pass through are the thread's: an idle connection of either driver has none of its own.
#[test]
fn a_private_endpoint_is_small() {
    let _alone = alone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    let warm = polled_couple(&certificate, Stage::Open);
    let mut couples = Vec::new();
    let counted = allocation_counter::measure(|| {
        couples.extend((0..20).map(|_| polled_couple(&certificate, Stage::Open)));
    });
    println!("a connected polled peer keeps {} bytes", counted.bytes_current / 40);
    assert!(counted.bytes_current / 40 < 64 * 1024, "{} bytes for each", counted.bytes_current / 40);
    drop((warm, couples));
}
