//! The relay: what it does to datagrams, and that it does it again.

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use weft_netlab::relay::{Bad, Relay, Settings, Stats};

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// Sends numbered datagrams of `len` bytes through a relay, and back those that came; gives what came where, in order.
fn play(bad: Bad, seed: u64, count: u32, len: usize) -> (Vec<u32>, Vec<u32>, Stats) {
    let target = socket();
    let settings = Settings { both: bad, only: None };
    let mut relay = Relay::bind("127.0.0.1:0".parse().unwrap(), target.local_addr().unwrap(), &settings, seed).unwrap();
    let sender = socket();
    sender.connect(relay.local_addr().unwrap()).unwrap();
    let (mut there, mut back) = (Vec::new(), Vec::new());
    let mut buf = [0; 2000];
    let number = |buf: &[u8]| u32::from_be_bytes(buf[..4].try_into().unwrap());
    let settle = |relay: &mut Relay, there: &mut Vec<u32>, back: &mut Vec<u32>, buf: &mut [u8]| {
        relay.run(Duration::from_millis(2)).unwrap();
        while let Ok((n, from)) = target.recv_from(buf) {
            there.push(number(buf));
            target.send_to(&buf[..n], from).unwrap();
        }
        while let Ok(n) = sender.recv(buf) {
            assert_eq!(n, len);
            back.push(number(buf));
        }
    };
    for n in 0..count {
        let mut datagram = vec![0; len];
        datagram[..4].copy_from_slice(&n.to_be_bytes());
        sender.send(&datagram).unwrap();
        if n % 50 == 49 {
            settle(&mut relay, &mut there, &mut back, &mut buf);
        }
    }
    let end = Instant::now() + Duration::from_millis(300);
    while Instant::now() < end {
        settle(&mut relay, &mut there, &mut back, &mut buf);
    }
    (there, back, relay.stats())
}

#[test]
fn a_good_network_passes_everything() {
    let (there, back, stats) = play(Bad::default(), 1, 200, 100);
    assert_eq!(there, (0..200).collect::<Vec<_>>());
    assert_eq!(back, there);
    assert_eq!((stats.clients, stats.up.sent, stats.down.delivered), (1, 200, 200));
    assert_eq!(stats.up.delivered_bytes, 20_000);
}

#[test]
fn the_same_seed_loses_the_same() {
    let bad = Bad { loss: 0.2, burst: 3.0, duplicate: 0.05, ..Bad::default() };
    let (first, _, stats) = play(bad, 7, 500, 64);
    let (again, _, _) = play(bad, 7, 500, 64);
    let (other, _, _) = play(bad, 8, 500, 64);
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!((40..200).contains(&stats.up.lost) && stats.up.duplicated > 5, "{stats:?}");
    assert_eq!(stats.up.delivered, stats.up.sent - stats.up.lost + stats.up.duplicated);
}

#[test]
fn delay_reordering_mtu_and_rate() {
    let start = Instant::now();
    let (there, _, _) = play(Bad { delay: 60.0, ..Bad::default() }, 1, 1, 64);
    assert!(there == [0] && start.elapsed() >= Duration::from_millis(60));
    let (there, _, stats) = play(Bad { reorder: 0.2, reorder_delay: 20.0, ..Bad::default() }, 1, 300, 64);
    assert!(stats.up.held_back > 20 && !there.is_sorted(), "{stats:?}");
    assert_eq!(there.len(), 300);
    let (there, _, stats) = play(Bad { mtu: 1000, ..Bad::default() }, 1, 10, 1001 - 28);
    assert_eq!((there.len(), stats.up.too_big), (0, 10));
    let (there, _, _) = play(Bad { mtu: 1000, ..Bad::default() }, 1, 10, 1000 - 28);
    assert_eq!(there.len(), 10);
    let bad = Bad { rate: Some(1_000_000), queue: Some(5_000), ..Bad::default() };
    let (there, _, stats) = play(bad, 1, 50, 1000);
    assert!(stats.up.queue_drops > 30 && there.len() < 20, "{stats:?}");
}

#[test]
fn as_a_program() {
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = target.local_addr().unwrap().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_weft-netlab"))
        .args(["relay", "--to", &to, "--loss", "1", "--only", "down", "--seed", "3", "--every", "0.1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let listening = first["listening"].as_str().unwrap().to_owned();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"hello", &listening).unwrap();
    let mut buf = [0; 100];
    target.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (len, from) = target.recv_from(&mut buf).unwrap();
    assert_eq!(&buf[..len], b"hello");
    target.send_to(b"lost", from).unwrap();
    let lost = |stats: &serde_json::Value| stats["down"]["lost"] == 1 && stats["up"]["delivered"] == 1;
    let seen = lines.by_ref().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).find(lost);
    assert!(seen.is_some());
    drop(child.stdin.take());
    let last = lines.map(Result::unwrap).last();
    assert!(last.is_some());
    assert!(child.wait().unwrap().success());
}
