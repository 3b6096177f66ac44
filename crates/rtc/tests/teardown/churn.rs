//! What lives on keeps nothing of what has passed: an endpoint of its connections, a connection of its channels, a polled
//! peer of the times it was begun anew.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // the relay is made of what a driver may not use

use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use weft_rtc::core::{Instant, Rng};
use weft_rtc::ice::Policy;
use weft_rtc::{
    Certificate, Config, DataChannel, DataChannelInit, Description, Endpoint, IceServer, MessageKind, OfferOptions,
    PeerConnection, TcpCandidates, polled,
};
use weft_testkit::{TurnServer, TurnServerConfig};

use crate::{PATIENCE, Stage, all_ended, alone, config, open_files, take_polled};

/// Bytes that tables may differ by, which grow and shrink by what a run happens to draw.
const LEVEL: i64 = 4 * 1024;

/// How many come and go to warm up, and again as many that are counted: a byte of each would be seen.
const MANY: usize = 250;

/// Lets many come and go, then as many again, of which nothing may stay. What does not go away stays of each round; a table
/// that grew, as more than ever happened at once, does so in one.
fn holds_its_level(what: &str, many: usize, mut one: impl FnMut(usize)) {
    (0..many).for_each(&mut one);
    let idle = open_files();
    let mut stays = Vec::new();
    while stays.len() < 3 {
        let counted = allocation_counter::measure(|| (0..many).for_each(&mut one));
        println!("{what}: {} bytes in {} allocations stay", counted.bytes_current, counted.count_current);
        assert_eq!(open_files(), idle, "{what}: sockets stay");
        if counted.bytes_current.abs() < LEVEL {
            return;
        }
        stays.push(counted.bytes_current);
    }
    panic!("{what}: {stays:?} bytes stay of the rounds");
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Until nothing but the endpoint's own task and sockets is left.
async fn all_past(server: &Endpoint, idle: usize) {
    let metrics = tokio::runtime::Handle::current().metrics();
    let past = timeout(PATIENCE, async {
        while server.connections() > 0 || metrics.num_alive_tasks() > 1 {
            tokio::task::yield_now().await;
        }
    });
    assert!(past.await.is_ok(), "{} connections, {} tasks", server.connections(), metrics.num_alive_tasks());
    assert_eq!(open_files(), idle, "sockets are open");
}

/// Candidates whose line contains `part` alone.
fn only(description: &Description, part: &str) -> Description {
    let lines = description.sdp.lines().filter(|line| !line.starts_with("a=candidate:") || line.contains(part));
    let sdp = lines.flat_map(|line| [line, "\r\n"]).collect();
    Description { sdp, ..description.clone() }
}

/// A message there and one back, with which its acknowledgement comes: nobody has to wait for that.
async fn ping(here: &DataChannel, there: &DataChannel) {
    here.send("ping").await.unwrap();
    assert!(timeout(PATIENCE, there.recv()).await.unwrap().is_some());
    there.send("pong").await.unwrap();
    assert!(timeout(PATIENCE, here.recv()).await.unwrap().is_some());
}

/// A connection of `server`'s, which ends in a way of its own.
async fn one_passes(server: &Endpoint, [ours, theirs]: [Config; 2], by: &str, way: usize) {
    let (a, b) = (PeerConnection::new(theirs).unwrap(), server.peer_connection(ours).unwrap());
    let (a, b) = if way.is_multiple_of(2) { (a, b) } else { (b, a) };
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    match way / 2 % 8 {
        // Never described, only described, or never answered.
        5 => return,
        6 => return a.set_local_description(None).unwrap(),
        7 => return drop(b.answer(&a.offer().await.unwrap()).await.unwrap()),
        _ => {}
    }
    let answer = only(&b.answer(&only(&a.offer().await.unwrap(), by)).await.unwrap(), by);
    a.set_remote_description(&answer).unwrap();
    let there = timeout(PATIENCE, b.accept()).await.expect("no channel comes").unwrap();
    timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
    ping(&here, &there).await;
    match way / 2 % 8 {
        0 => a.close(),
        // Some of them: it takes as long as the other side may keep an acknowledgement back.
        1 if way < 32 => b.finish().await.unwrap(),
        1 => b.close(),
        2 => {
            a.set_local_description(Some(a.create_offer_with(OfferOptions::ICE_RESTART).unwrap())).unwrap();
        }
        3 => {
            for _ in 0..5 {
                here.send(vec![1; 50_000]).await.unwrap();
                there.send(vec![1; 50_000]).await.unwrap();
            }
        }
        _ => {
            let _more = [&a, &b].map(|peer| peer.create_data_channel(DataChannelInit::new("more")).unwrap());
            here.close();
            timeout(PATIENCE, there.closed()).await.unwrap();
        }
    }
}

fn churn(what: &str, many: usize, [ours, theirs]: [Config; 2], by: &str) {
    let runtime = runtime();
    let server = runtime.block_on(async { Endpoint::bind(&ours).unwrap() });
    let idle = open_files();
    holds_its_level(what, many, |way| {
        runtime.block_on(async {
            one_passes(&server, [ours.clone(), theirs.clone()], by, way).await;
            all_past(&server, idle).await;
        });
    });
}

fn both(config: &Config) -> [Config; 2] {
    [config.clone(), config.clone()]
}

#[test]
fn an_endpoint_that_lives_on_keeps_nothing_of_its_connections() {
    let _alone = alone();
    churn("by UDP", MANY, both(&config(&Arc::new(Certificate::generate().unwrap()))), "");
}

#[test]
fn nor_of_those_by_tcp() {
    let _alone = alone();
    let theirs = config(&Arc::new(Certificate::generate().unwrap()));
    let ours = theirs.clone().with_tcp_candidates(TcpCandidates::ActiveAndPassive);
    churn("by TCP", MANY / 2, [ours, theirs], " tcp ");
}

/// A TURN server on a real socket. What it relays goes from one of its addresses to another, and so needs no more of them.
fn turn_server() -> SocketAddr {
    let socket = StdSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let (relay, rng) = ("198.51.100.100".parse().unwrap(), Rng::from_test_seed(1));
        let mut server = TurnServer::new(address, relay, TurnServerConfig::default(), rng);
        let (begun, mut buf) = (std::time::Instant::now(), vec![0; 65_536]);
        while let Ok((len, from)) = socket.recv_from(&mut buf) {
            let now = Instant::ORIGIN + begun.elapsed();
            let mut due = server.handle(now, from, address, &buf[..len]);
            while let Some((from, to, bytes)) = due.pop() {
                if server.is_at(to) {
                    due.extend(server.handle(now, from, to, &bytes));
                } else {
                    let _ = socket.send_to(&bytes, to);
                }
            }
        }
    });
    address
}

#[test]
fn nor_of_those_by_a_relay() {
    let _alone = alone();
    let url = format!("turn:{}", turn_server()).parse().unwrap();
    let config = config(&Arc::new(Certificate::generate().unwrap()));
    let mut config = config.with_ice_server(IceServer::turn(vec![url], "alice", "secret"));
    config.ice_transport_policy = Policy::Relay;
    churn("by a relay", MANY / 5, both(&config), " typ relay ");
}

#[test]
fn a_connection_that_lives_on_keeps_nothing_of_its_channels() {
    let _alone = alone();
    let runtime = runtime();
    let config = config(&Arc::new(Certificate::generate().unwrap()));
    let (a, b, kept) = runtime.block_on(async {
        let (a, b) = (PeerConnection::new(config.clone()).unwrap(), PeerConnection::new(config.clone()).unwrap());
        let kept = a.create_data_channel(DataChannelInit::new("kept")).unwrap();
        let answer = b.answer(&a.offer().await.unwrap()).await.unwrap();
        a.set_remote_description(&answer).unwrap();
        let there = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
        (a, b, (kept, there))
    });
    // Many at once: to close one takes as long as the other side may keep an acknowledgement back.
    holds_its_level("channels", 4, |_| {
        runtime.block_on(async {
            let ways = (0..60).map(|way| {
                let (a, b) = if way % 2 == 0 { (&a, &b) } else { (&b, &a) };
                one_channel_passes(a, b, way / 2)
            });
            join_all(ways).await;
            let gone = timeout(PATIENCE, async {
                while [&a, &b].iter().any(|peer| peer.stats_report().data_channels.len() > 1) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
            assert!(gone.await.is_ok(), "{:?}", [&a, &b].map(|peer| peer.stats_report().data_channels));
            for peer in [&a, &b] {
                while peer.next_event().now_or_never().flatten().is_some() {}
            }
        });
    });
    drop(kept);
}

/// A channel of `a`'s, and one of `b`'s, perhaps another's: each ends in a way of its own.
async fn one_channel_passes(a: &PeerConnection, b: &PeerConnection, way: usize) {
    let here = a.create_data_channel(DataChannelInit::new("passes")).unwrap();
    here.send("early").await.unwrap();
    let there = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
    match way % 6 {
        // What came is never read.
        0 => drop(there),
        1 => drop(here),
        2 => timeout(PATIENCE, here.finish()).await.unwrap().unwrap(),
        3 => here.abort(),
        4 => {
            timeout(PATIENCE, there.recv()).await.unwrap();
            there.close();
            assert!(timeout(PATIENCE, here.recv()).await.unwrap().is_none());
        }
        _ => {
            let _ = timeout(Duration::from_millis(1), here.deliver(MessageKind::Text, "watched")).await;
            drop(here);
            timeout(PATIENCE, there.recv()).await.unwrap();
        }
    }
}

#[test]
fn a_polled_peer_that_is_begun_anew_keeps_nothing_of_before() {
    let _alone = alone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    let mut peers = [0, 1].map(|_| polled::PeerConnection::with_config(config(&certificate)));
    let idle = open_files();
    holds_its_level("polled", MANY, |way| {
        let channels = take_polled(&mut peers, Stage::Open);
        if way.is_multiple_of(2) {
            peers[way / 2 % 2].close();
        }
        for peer in &mut peers {
            peer.initialize(&polled::Configuration::default()).unwrap();
        }
        drop(channels);
        assert_eq!(open_files(), idle, "sockets are open");
    });
}

/// A connection of `server`'s that ends while it asks for names: those of servers of a name server that says nothing, and
/// that of a candidate of nobody.
async fn one_asks(server: &Endpoint, config: &Config, offer: &Description, way: usize) {
    let peer = server.peer_connection(config.clone()).unwrap();
    peer.set_remote_description(offer).unwrap();
    peer.set_local_description(None).unwrap();
    // The question leaves.
    for _ in 0..way % 8 {
        tokio::task::yield_now().await;
    }
    if way.is_multiple_of(3) {
        peer.close();
    }
}

#[test]
fn nor_of_the_names_they_asked_for() {
    let _alone = alone();
    let silent = StdSocket::bind("127.0.0.1:0").unwrap();
    let mut config = config(&Arc::new(Certificate::generate().unwrap()));
    config.dns_servers = vec![silent.local_addr().unwrap()];
    for url in ["stun:stun.test", "stun:other.test"] {
        config.ice_servers.push(IceServer::stun(url.parse().unwrap()));
    }
    let runtime = runtime();
    let (server, offer) = runtime.block_on(async {
        let other = PeerConnection::new(crate::config(config.certificate.as_ref().unwrap())).unwrap();
        other.create_data_channel(DataChannelInit::new("x")).unwrap();
        let mut offer = other.offer().await.unwrap();
        let unknown = " 00000000-0000-4000-8000-00000000dead.local ";
        offer.sdp = offer.sdp.replace(" 127.0.0.1 ", unknown).replace(" ::1 ", unknown);
        drop(other);
        all_ended().await;
        (Endpoint::bind(&config).unwrap(), offer)
    });
    let idle = open_files();
    holds_its_level("names", MANY, |way| {
        runtime.block_on(async {
            one_asks(&server, &config, &offer, way).await;
            all_past(&server, idle).await;
        });
    });
    silent.set_nonblocking(true).unwrap();
    assert!(silent.recv_from(&mut [0; 512]).is_ok(), "nobody was asked");
}
