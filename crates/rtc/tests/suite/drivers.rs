//! What the drivers do besides UDP, over real sockets: TCP candidates, names, interfaces that come and go.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // servers are made of what a driver may not use

use std::net::{Ipv4Addr, SocketAddr, UdpSocket as StdSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, QTYPE, RCODE, ResourceRecord, TYPE};
use tokio::time::timeout;
use weft_core::{Rng, Transport};
use weft_net::{Clock, UdpSocket};
use weft_rtc::ice::{CandidateKind, RestartReason};
use weft_rtc::io::Sockets;
use weft_rtc::{
    Config, DataChannel, DataChannelInit, Description, Endpoint, Error, Event, IceServer, MdnsPolicy, PeerConnection,
    PeerEvent, TcpCandidates,
};

use crate::processor::by_thread;

const PATIENCE: Duration = Duration::from_secs(20);

fn config() -> Config {
    Config::default().with_loopback(true)
}

fn passive() -> Config {
    config().with_tcp_candidates(TcpCandidates::ActiveAndPassive)
}

/// Without the candidates whose line contains `part`.
fn without(description: &Description, part: &str) -> Description {
    let lines = description.sdp.lines().filter(|line| !line.starts_with("a=candidate:") || !line.contains(part));
    let sdp = lines.flat_map(|line| [line, "\r\n"]).collect();
    Description { sdp, ..description.clone() }
}

/// Connects the two by descriptions from which candidates were taken.
async fn join(a: &PeerConnection, b: &PeerConnection, leave_out: [&str; 2]) -> (DataChannel, DataChannel) {
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    let offer = without(&a.offer().await.unwrap(), leave_out[0]);
    let answer = without(&b.answer(&offer).await.unwrap(), leave_out[1]);
    a.set_remote_description(&answer).unwrap();
    let there = timeout(PATIENCE, b.accept()).await.expect("no channel comes").unwrap();
    timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
    (here, there)
}

fn path(peer: &PeerConnection) -> weft_core::Path {
    peer.stats().selected_pair.unwrap().path
}

#[tokio::test]
async fn where_udp_does_not_pass_a_connection_goes_by_tcp() {
    // Either side may be the one that listens, and many share one listener.
    for offerer_listens in [true, false] {
        let server = Endpoint::bind(&passive()).unwrap();
        assert!(!server.tcp_addrs().is_empty());
        let mut all = Vec::new();
        for _ in 0..3 {
            let (listens, connects) =
                (server.peer_connection(passive()).unwrap(), PeerConnection::new(config()).unwrap());
            let (a, b) = if offerer_listens { (listens, connects) } else { (connects, listens) };
            let (here, there) = join(&a, &b, [" udp ", " udp "]).await;
            for peer in [&a, &b] {
                assert_eq!(path(peer).transport, Transport::Tcp);
            }
            let listening = if offerer_listens { &a } else { &b };
            assert!(server.tcp_addrs().contains(&path(listening).local));
            all.push((a, b, here, there));
        }
        for (n, (_, _, here, there)) in all.iter().enumerate() {
            for piece in 0..40_usize {
                here.send(vec![(n + piece) as u8; 50_000]).await.unwrap();
            }
            for piece in 0..40_usize {
                let message = timeout(PATIENCE, there.recv()).await.unwrap().unwrap();
                assert!(message.data.len() == 50_000 && message.data.iter().all(|byte| *byte == (n + piece) as u8));
            }
            there.send_text(format!("back {n}")).await.unwrap();
            assert_eq!(timeout(PATIENCE, here.recv()).await.unwrap().unwrap().as_text(), Some(&*format!("back {n}")));
        }
    }
}

/// Between two looks at a connection its driver reads and writes TCP without the lock: a farewell that falls in between leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_over_tcp_says_farewell_in_the_midst_of_a_transfer() {
    let server = Endpoint::bind(&passive()).unwrap();
    for round in 0..100_u32 {
        let (a, b) = (server.peer_connection(passive()).unwrap(), PeerConnection::new(config()).unwrap());
        let (here, there) = join(&a, &b, [" udp ", " udp "]).await;
        let sender = tokio::spawn(async move { while here.send(vec![1; 10_000]).await.is_ok() {} });
        for _ in 0..20 {
            assert!(timeout(PATIENCE, there.recv()).await.unwrap().is_some());
        }
        let reader = tokio::spawn(async move { while there.recv().await.is_some() {} });
        tokio::time::sleep(Duration::from_micros(u64::from(round) * 11)).await;
        a.close();
        // Without a farewell it takes until consent has run out: 30 s.
        timeout(Duration::from_secs(5), reader).await.unwrap_or_else(|_| panic!("round {round}: not told")).unwrap();
        timeout(PATIENCE, sender).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn strangers_at_a_listener_disturb_nobody() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = Endpoint::bind(&passive()).unwrap();
    let address = server.tcp_addrs().into_iter().find(SocketAddr::is_ipv4).unwrap();
    let (a, b) = (server.peer_connection(passive()).unwrap(), PeerConnection::new(config()).unwrap());
    let mut nonsense = tokio::net::TcpStream::connect(address).await.unwrap();
    nonsense.write_all(b"\x00\x04GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let (here, there) = join(&a, &b, [" udp ", " udp "]).await;
    here.send_text("undisturbed").await.unwrap();
    assert!(timeout(PATIENCE, there.recv()).await.unwrap().is_some());
    let mut buf = [0; 16];
    let read = timeout(PATIENCE, nonsense.read(&mut buf)).await.expect("it is closed at once");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}

/// A check without integrity that names `ufrag`, framed (RFC 4571 section 2).
fn forged_check(ufrag: &str) -> Vec<u8> {
    let name = format!("{ufrag}:x");
    let padded = name.len().next_multiple_of(4);
    let mut check = vec![0, 1];
    check.extend((4 + padded as u16).to_be_bytes());
    check.extend([0x21, 0x12, 0xA4, 0x42]);
    check.extend([7; 12]);
    check.extend([0, 6]);
    check.extend((name.len() as u16).to_be_bytes());
    check.extend(name.as_bytes());
    check.resize(20 + 4 + padded, 0);
    [&(check.len() as u16).to_be_bytes()[..], &check].concat()
}

fn tcp_address(server: &Endpoint) -> SocketAddr {
    server.tcp_addrs().into_iter().find(SocketAddr::is_ipv4).unwrap()
}

#[tokio::test]
async fn strangers_that_know_the_user_name_keep_nobody_out() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = Endpoint::bind(&passive()).unwrap();
    let (a, b) = (server.peer_connection(passive()).unwrap(), PeerConnection::new(config()).unwrap());
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    let offer = without(&a.offer().await.unwrap(), " udp ");
    let mut strangers = Vec::new();
    for _ in 0..40 {
        let mut stranger = tokio::net::TcpStream::connect(tcp_address(&server)).await.unwrap();
        stranger.write_all(&forged_check(&ufrag(&offer))).await.unwrap();
        strangers.push(stranger);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The oldest have given way to others.
    for stranger in &mut strangers[..8] {
        let mut all = Vec::new();
        let read = timeout(Duration::from_secs(5), stranger.read_to_end(&mut all)).await;
        assert!(read.is_ok(), "it is closed before its time");
    }
    let answer = without(&b.answer(&offer).await.unwrap(), " udp ");
    a.set_remote_description(&answer).unwrap();
    let there = timeout(Duration::from_secs(5), b.accept()).await.expect("no channel comes").unwrap();
    timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
    here.send_text("in").await.unwrap();
    assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().as_text(), Some("in"));
}

/// What comes by one connection faster than it is handled leaves time for others.
#[tokio::test]
async fn a_flood_over_tcp_leaves_others_their_turn() {
    let server = Endpoint::bind(&passive()).unwrap();
    let a = server.peer_connection(passive()).unwrap();
    a.create_data_channel(DataChannelInit::new("x")).unwrap();
    let (address, offer) = (tcp_address(&server), a.offer().await.unwrap());
    let check = forged_check(&ufrag(&offer));
    let flood = std::thread::spawn(move || {
        use std::io::Write as _;
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        let frames = [0, 1, 0xFF].repeat(20_000);
        let begun = std::time::Instant::now();
        socket.write_all(&check).unwrap();
        while begun.elapsed() < Duration::from_secs(3) && socket.write_all(&frames).is_ok() {}
    });
    // A task of its own, woken in its turn as the endpoint's is. What the thread works meanwhile counts, not what others do.
    let other = tokio::spawn(async move {
        let (mut longest, mut turns) = (Duration::ZERO, 0_u32);
        while !flood.is_finished() {
            let (begun, mut again) = (by_thread(), true);
            std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if std::mem::take(&mut again) { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
            })
            .await;
            longest = longest.max(by_thread().saturating_sub(begun));
            turns += 1;
        }
        (longest, turns)
    });
    let (longest, turns) = other.await.unwrap();
    println!("{turns} turns, {longest:?} of work before the longest");
    assert!(longest < Duration::from_millis(500), "{longest:?}");
}

/// By TCP with plain sockets, as the polled driver has them.
#[test]
fn plain_sockets_take_and_open_tcp_connections() {
    let (clock, begun) = (Clock::new(), std::time::Instant::now());
    let make = |seed, config: Config| {
        let now = clock.now();
        let mut sockets = Sockets::<UdpSocket>::bind(&config).unwrap();
        let mut pc = weft_rtc::sans_io::PeerConnection::new(now, config, Rng::from_test_seed(seed)).unwrap();
        sockets.announce(now, &mut pc);
        (sockets, pc)
    };
    let (mut a, mut b) = (make(1, passive()), make(2, config()));
    let id = a.1.create_data_channel(clock.now(), DataChannelInit::new("x")).unwrap();
    a.1.set_local_description(clock.now(), None).unwrap();
    let offer = without(&a.1.local_description().unwrap(), " udp ");
    b.1.set_remote_description(clock.now(), &offer).unwrap();
    b.1.set_local_description(clock.now(), None).unwrap();
    let answer = without(&b.1.local_description().unwrap(), " udp ");
    a.1.set_remote_description(clock.now(), &answer).unwrap();
    let mut opened = false;
    let mut heard = None;
    while heard.is_none() {
        for (sockets, pc) in [&mut a, &mut b] {
            let now = clock.now();
            for index in 0..sockets.sockets().len() {
                sockets.receive(now, index, pc).unwrap();
            }
            if pc.poll_timeout().is_some_and(|at| at <= now) {
                pc.handle_timeout(now);
            }
            sockets.transmit(now, pc).unwrap();
            while let Some(event) = pc.poll_event() {
                match event {
                    Event::Open(_) => opened = true,
                    Event::Readable(id) => heard = pc.receive(id),
                    _ => {}
                }
            }
        }
        if std::mem::take(&mut opened) {
            a.1.send(clock.now(), id, weft_rtc::MessageKind::Text, bytes::Bytes::from_static(b"by TCP")).unwrap();
        }
        assert!(begun.elapsed() < PATIENCE);
        std::thread::park_timeout(Duration::from_micros(500));
    }
    assert_eq!(a.1.stats().selected_pair.unwrap().path.transport, Transport::Tcp);
    assert_eq!(heard.unwrap().as_text(), Some("by TCP"));
}

/// A DNS server that knows `stun.test` and nothing else, and a socket that tells when it is asked for a binding.
fn servers() -> (SocketAddr, u16, Receiver<SocketAddr>) {
    let dns = StdSocket::bind("127.0.0.1:0").unwrap();
    let address = dns.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buf = [0; 512];
        while let Ok((len, from)) = dns.recv_from(&mut buf) {
            let asked = Packet::parse(&buf[..len]).unwrap();
            let question = asked.questions[0].clone();
            let mut reply = Packet::new_reply(asked.id());
            if question.qname.to_string() != "stun.test" {
                *reply.rcode_mut() = RCODE::NameError;
            } else if question.qtype == QTYPE::TYPE(TYPE::A) {
                let data = RData::A(A { address: Ipv4Addr::LOCALHOST.into() });
                reply.answers.push(ResourceRecord::new(question.qname.clone(), CLASS::IN, 60, data));
            }
            reply.questions.push(question);
            let _ = dns.send_to(&reply.build_bytes_vec().unwrap(), from);
        }
    });
    let stun = StdSocket::bind("127.0.0.1:0").unwrap();
    let port = stun.local_addr().unwrap().port();
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        let mut buf = [0; 512];
        while let Ok((_, from)) = stun.recv_from(&mut buf) {
            if sender.send(from).is_err() {
                return;
            }
        }
    });
    (address, port, asked)
}

fn with_servers(dns: SocketAddr, port: u16) -> Config {
    let mut config = config();
    config.dns_servers = vec![dns];
    for name in ["stun.test", "missing.test"] {
        config.ice_servers.push(IceServer::stun(format!("stun:{name}:{port}").parse().unwrap()));
    }
    config
}

#[tokio::test]
async fn names_of_servers_are_resolved_by_the_async_driver() {
    let (dns, port, asked) = servers();
    let peer = PeerConnection::new(with_servers(dns, port)).unwrap();
    peer.create_data_channel(DataChannelInit::new("x")).unwrap();
    peer.set_local_description(None).unwrap();
    let error = timeout(PATIENCE, async {
        loop {
            if let PeerEvent::IceCandidateError(error) = peer.next_event().await.unwrap() {
                return error;
            }
        }
    });
    let error = error.await.expect("the missing name is told of");
    assert_eq!((error.code, &*error.reason), (701, "the name was not resolved"));
    let from = tokio::task::spawn_blocking(move || asked.recv_timeout(PATIENCE)).await.unwrap();
    assert!(from.is_ok_and(|from| peer_has(&peer, from)));
}

fn peer_has(peer: &PeerConnection, address: SocketAddr) -> bool {
    peer.local_description().unwrap().sdp.contains(&format!(" {} typ host", address.port()))
}

#[test]
fn names_of_servers_are_resolved_by_the_polled_driver() {
    use weft_rtc::polled::{ChannelOptions, Signal};
    let (dns, port, asked) = servers();
    let mut base = config();
    base.dns_servers = vec![dns];
    let mut peer = weft_rtc::polled::PeerConnection::with_config(base);
    let server = |name: &str| weft_rtc::polled::IceServer {
        urls: vec![format!("stun:{name}:{port}")],
        ..weft_rtc::polled::IceServer::default()
    };
    let servers = vec![server("stun.test"), server("missing.test")];
    peer.initialize(&weft_rtc::polled::Configuration { ice_servers: servers, relay_only: false }).unwrap();
    let _channel = peer.create_data_channel("x", &ChannelOptions::default()).unwrap();
    peer.create_offer().unwrap();
    let begun = std::time::Instant::now();
    let (mut refused, mut reached) = (false, false);
    let mut slowest = Duration::ZERO;
    while !refused || !reached {
        slowest = slowest.max(held_up(|| peer.poll().unwrap()));
        while let Some(signal) = peer.next_signal() {
            match signal {
                Signal::SessionDescriptionCreated { kind, sdp } => {
                    peer.set_local_description(&kind, &sdp).unwrap();
                }
                Signal::IceCandidateError(error) => refused |= error.code == 701,
                _ => {}
            }
        }
        reached |= asked.try_recv().is_ok();
        assert!(begun.elapsed() < PATIENCE, "{refused} {reached}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
    assert!(slowest < LONGEST_POLL, "{slowest:?}");
}

/// A name of the hosts file is known at once, and takes the place of no other: that of another server, or the same again.
#[test]
fn names_of_the_hosts_file_are_found_beside_others() {
    use weft_rtc::polled::{ChannelOptions, Configuration, IceServer, PeerConnection, Signal};
    let (dns, port, asked) = servers();
    let others = [0, 1].map(|_| StdSocket::bind("127.0.0.1:0").unwrap());
    let mut urls: Vec<_> =
        others.iter().map(|socket| format!("stun:localhost:{}", socket.local_addr().unwrap().port())).collect();
    urls.insert(1, format!("stun:stun.test:{port}"));
    let mut base = config();
    base.dns_servers = vec![dns];
    let mut peer = PeerConnection::with_config(base);
    let server = IceServer { urls, ..IceServer::default() };
    peer.initialize(&Configuration { ice_servers: vec![server], relay_only: false }).unwrap();
    let _channel = peer.create_data_channel("x", &ChannelOptions::default()).unwrap();
    peer.create_offer().unwrap();
    peer.poll().unwrap();
    let Some(Signal::SessionDescriptionCreated { kind, sdp }) = peer.next_signal() else { panic!("no offer") };
    peer.set_local_description(&kind, &sdp).unwrap();
    let (mut reached, begun) = ([false; 3], std::time::Instant::now());
    while reached != [true; 3] {
        peer.poll().unwrap();
        for (socket, reached) in others.iter().zip(&mut reached) {
            socket.set_nonblocking(true).unwrap();
            *reached |= socket.recv_from(&mut [0; 512]).is_ok();
        }
        reached[2] |= asked.try_recv().is_ok();
        assert!(begun.elapsed() < Duration::from_secs(5), "asked: {reached:?}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// A poll for each frame must leave time for the frame.
const LONGEST_POLL: Duration = Duration::from_millis(50);

/// How long a call holds up its thread: by its work, and by what it waits for. Not while others have the processor.
fn held_up(call: impl FnOnce()) -> Duration {
    // Time on the processor, time that it was waited for, and turns on it.
    let waited = || {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(Duration::from_nanos(stat.split(' ').nth(1)?.parse().ok()?))
    };
    let (before, began) = (waited(), std::time::Instant::now());
    call();
    let took = began.elapsed();
    let others = before.zip(waited()).map_or(Duration::ZERO, |(before, after)| after.saturating_sub(before));
    took.saturating_sub(others)
}

/// A name server that takes questions and says nothing: a system's resolver would wait for seconds.
#[test]
fn a_name_server_that_is_silent_holds_up_no_poll() {
    use weft_rtc::polled::{ChannelOptions, ChannelState, Configuration, IceServer, PeerConnection, Signal};
    let silent = StdSocket::bind("127.0.0.1:0").unwrap();
    let make = || {
        let mut base = config();
        base.dns_servers = vec![silent.local_addr().unwrap()];
        let mut peer = PeerConnection::with_config(base);
        let urls = ["stun:stun.test", "turn:turn.test?transport=tcp", "turns:turns.test"].map(str::to_owned).to_vec();
        let word = Some("secret".to_owned());
        let server = IceServer { urls, username: word.clone(), credential: word };
        peer.initialize(&Configuration { ice_servers: vec![server], relay_only: false }).unwrap();
        peer
    };
    // The system may hold up one of them.
    let slowest = |_| {
        let (mut peers, begun, mut slowest) = ([make(), make()], std::time::Instant::now(), Duration::ZERO);
        let options = ChannelOptions { negotiated: true, id: Some(1), ..ChannelOptions::default() };
        let channels = peers.each_mut().map(|peer| peer.create_data_channel("x", &options).unwrap());
        slowest = slowest.max(held_up(|| peers[0].create_offer().unwrap()));
        let open = |channel: &weft_rtc::polled::DataChannel| channel.ready_state() == ChannelState::Open;
        while begun.elapsed() < Duration::from_millis(400) || !channels.iter().all(open) {
            for n in 0..2 {
                slowest = slowest.max(held_up(|| peers[n].poll().unwrap()));
                while let Some(signal) = peers[n].next_signal() {
                    match signal {
                        Signal::SessionDescriptionCreated { kind, sdp } => {
                            slowest = slowest.max(held_up(|| peers[n].set_local_description(&kind, &sdp).unwrap()));
                            peers[1 - n].set_remote_description(&kind, &sdp).unwrap();
                        }
                        Signal::IceCandidateCreated { media, index, name } => {
                            peers[1 - n].add_ice_candidate(&media, index, &name).unwrap();
                        }
                        // A name that was given up, too: then it was waited for.
                        other => panic!("{other:?}"),
                    }
                }
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        assert!(silent.recv_from(&mut [0; 512]).is_ok(), "nobody was asked");
        slowest
    };
    let best = (0..3).map(slowest).find(|slowest| *slowest < LONGEST_POLL);
    assert!(best.is_some(), "a call took longer than {LONGEST_POLL:?} each time");
}

#[tokio::test]
async fn addresses_hide_behind_names_that_are_answered_for() {
    let hidden = config().with_mdns(MdnsPolicy::Hide);
    let plain = Endpoint::bind(&config()).unwrap();
    assert!(matches!(plain.peer_connection(hidden.clone()), Err(Error::Config(what)) if what.contains("mdns")));

    let (a, b) = (PeerConnection::new(hidden.clone()).unwrap(), PeerConnection::new(hidden).unwrap());
    let (here, there) = join(&a, &b, [" tcp ", " "]).await;
    for peer in [&a, &b] {
        let sdp = peer.local_description().unwrap().sdp;
        assert!(sdp.contains(".local") && !sdp.contains("127.0.0.1 ") && !sdp.contains("::1 "), "{sdp}");
    }
    here.send_text("found").await.unwrap();
    assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().as_text(), Some("found"));
    // A knew of no candidate of B's: B has resolved A's name.
    let pair = b.stats().selected_pair.unwrap();
    assert_eq!(pair.remote.kind, CandidateKind::Host, "{pair:?}");
}

/// Nobody answers for the name: the other side's checks do it, as soon as without.
#[tokio::test]
async fn a_name_that_nobody_knows_holds_up_nothing() {
    let (a, b) = (PeerConnection::new(config()).unwrap(), PeerConnection::new(config()).unwrap());
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    let mut offer = a.offer().await.unwrap();
    let unknown = "00000000-0000-4000-8000-00000000dead.local";
    offer.sdp = offer.sdp.replace(" 127.0.0.1 ", &format!(" {unknown} ")).replace(" ::1 ", &format!(" {unknown} "));
    let began = std::time::Instant::now();
    let answer = b.answer(&offer).await.unwrap();
    a.set_remote_description(&answer).unwrap();
    timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

fn ufrag(description: &Description) -> String {
    description.sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap().to_owned()
}

/// Two connections of an endpoint that draw the same user name fragment: neither is reached in the other's place.
#[tokio::test]
async fn a_user_name_fragment_that_is_taken_is_not_used() {
    let server = Endpoint::bind(&config()).unwrap();
    let draw = || server.peer_connection_drawing(config(), Rng::from_test_seed(5)).unwrap();
    let (first, second, third) = (draw(), draw(), draw());
    // Described before the endpoint has seen that it is taken.
    let _x = third.create_data_channel(DataChannelInit::new("x")).unwrap();
    third.set_local_description(None).unwrap();
    tokio::task::yield_now().await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let (a, b) = (PeerConnection::new(config()).unwrap(), PeerConnection::new(config()).unwrap());
    let (to_a, at_a) = join(&first, &a, ["none", "none"]).await;
    let (to_b, at_b) = join(&second, &b, ["none", "none"]).await;
    let [one, two, three] = [&first, &second, &third].map(|peer| ufrag(&peer.local_description().unwrap()));
    assert!(one != two && one == three, "{one} {two} {three}");
    for (to, at, text) in [(&to_a, &at_a, "a"), (&to_b, &at_b, "b")] {
        to.send_text(text).await.unwrap();
        assert_eq!(timeout(PATIENCE, at.recv()).await.unwrap().unwrap().as_text(), Some(text));
    }
    // The third asks for another exchange as soon as this one is over, and works with that.
    let c = PeerConnection::new(config()).unwrap();
    let answer = c.answer(&third.local_description().unwrap()).await.unwrap();
    third.set_remote_description(&answer).unwrap();
    timeout(PATIENCE, async {
        while !matches!(third.next_event().await.unwrap(), PeerEvent::NegotiationNeeded) {}
        // The first was for the channel.
        while !matches!(third.next_event().await.unwrap(), PeerEvent::NegotiationNeeded) {}
    })
    .await
    .expect("another exchange is asked for");
    let answer = c.answer(&third.offer().await.unwrap()).await.unwrap();
    third.set_remote_description(&answer).unwrap();
    assert_ne!(ufrag(&third.local_description().unwrap()), one);
    timeout(PATIENCE, third.connected()).await.unwrap().unwrap();
}

#[tokio::test]
async fn sockets_take_their_ports_from_the_range() {
    let mut config = passive();
    config.port_range = Some(47_400..=47_401);
    let (first, second) = (Endpoint::bind(&config).unwrap(), Endpoint::bind(&config).unwrap());
    for endpoint in [&first, &second] {
        let all = [endpoint.local_addrs(), endpoint.tcp_addrs()].concat();
        assert!(!all.is_empty() && all.iter().all(|address| (47_400..=47_401).contains(&address.port())), "{all:?}");
    }
    assert!(matches!(Endpoint::bind(&config), Err(Error::Io(_))), "both are taken");
}

/// In a network namespace of its own, which takes root.
#[cfg(target_os = "linux")]
#[test]
fn candidates_follow_the_interfaces() {
    use std::process::Command;
    const INSIDE: &str = "WEFT_TEST_NAMESPACE";
    if std::env::var_os(INSIDE).is_none() {
        let me = std::env::current_exe().unwrap();
        let test = "drivers::candidates_follow_the_interfaces";
        let output =
            Command::new("unshare").arg("-n").arg(me).args(["--exact", test]).env(INSIDE, "1").output().unwrap();
        let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(output.status.success() && told.contains("1 passed"), "unshare -n (it takes root): {told}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(Duration::from_secs(60), follow()).await.expect("it stands still") });
}

#[cfg(target_os = "linux")]
async fn follow() {
    let ip = |arguments: &str| {
        assert!(std::process::Command::new("ip").args(arguments.split(' ')).status().unwrap().success(), "{arguments}");
    };
    let add = |name: &str, address: &str| {
        ip(&format!("link add {name} type veth peer name {name}p"));
        ip(&format!("link set {name}p up"));
        ip(&format!("addr add {address}/24 dev {name}"));
        ip(&format!("link set {name} up"));
    };
    ip("link set lo up");
    add("wa", "192.0.2.1");
    add("wb", "192.0.3.1");
    add("far", "192.0.9.1");
    let here = |names: &[&str]| {
        let mut config = Config::default().with_tcp_candidates(TcpCandidates::None);
        config.interfaces = Some(names.iter().map(|&name| name.to_owned()).collect());
        config
    };
    let a = PeerConnection::new(here(&["wa", "wb", "wc"])).unwrap();
    let b = PeerConnection::new(here(&["far"])).unwrap();
    let (to_b, at_b) = join(&a, &b, ["nothing", "nothing"]).await;
    let say = async |text: &str| {
        to_b.send_text(text).await.unwrap();
        assert_eq!(timeout(PATIENCE, at_b.recv()).await.unwrap().unwrap().as_text(), Some(text));
    };
    say("before").await;
    let first = path(&a).local.ip().to_string();
    let (used, other) = if first == "192.0.2.1" { ("wa", "192.0.3.1") } else { ("wb", "192.0.2.1") };

    // One of two vanishes: ICE moves by itself.
    ip(&format!("link del {used}"));
    let began = std::time::Instant::now();
    say("moved").await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(path(&a).local.ip().to_string(), other);

    // The other one, too: a restart is asked for.
    ip(&format!("link del {}", if used == "wa" { "wb" } else { "wa" }));
    let mut told = None;
    loop {
        match timeout(PATIENCE, a.next_event()).await.expect("no restart is asked for").unwrap() {
            PeerEvent::IceRestartNeeded(reason) => told = Some(reason),
            PeerEvent::NegotiationNeeded if told.is_some() => break,
            _ => {}
        }
    }
    assert_eq!(told, Some(RestartReason::AddressGone));

    // A third appears, and the restart uses it.
    add("wc", "192.0.4.1");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let offer = a.offer().await.unwrap();
    assert!(offer.sdp.contains("192.0.4.1"), "{}", offer.sdp);
    let answer = b.answer(&offer).await.unwrap();
    a.set_remote_description(&answer).unwrap();
    say("restarted").await;
    assert_eq!(path(&a).local.ip().to_string(), "192.0.4.1");
}
