//! The plain socket.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use weft_core::{Batch, Ecn, Limits, Overhead, Path, Run, Transport};
use weft_net::{RecvBuffer, UdpConfig, UdpSocket};

pub(crate) const V4: &str = "127.0.0.1:0";
pub(crate) const V6: &str = "[::1]:0";

pub(crate) fn bind(address: &str) -> UdpSocket {
    UdpSocket::bind(address.parse().unwrap()).unwrap()
}

/// A batch that takes whatever is put in, whether or not the socket could send it in one call.
pub(crate) fn batch(path: Path, datagrams: impl IntoIterator<Item = Vec<u8>>) -> Batch<Path> {
    let mut batch = Batch::new(1 << 20, Limits { max_segments: 64, max_run_bytes: 65_507 });
    for datagram in datagrams {
        let mut frame = batch.frame(datagram.len(), Overhead::NONE).unwrap();
        frame.push(&datagram).unwrap();
        let frame = frame.finish();
        batch.commit(frame, path);
    }
    batch
}

/// Datagram `n`, `len` bytes long (at least 4).
pub(crate) fn numbered(n: usize, len: usize) -> Vec<u8> {
    let mut datagram = vec![n as u8; len];
    datagram[..4].copy_from_slice(&(n as u32).to_be_bytes());
    datagram
}

fn send_all(socket: &UdpSocket, batch: &mut Batch<Path>) {
    while let Some((run, bytes)) = batch.front() {
        socket.try_send(run, bytes).unwrap();
        batch.sent();
    }
}

/// Receives until `n` datagrams have arrived (or fails after five seconds).
fn receive(socket: &UdpSocket, buffer: &mut RecvBuffer, n: usize) -> Vec<(Path, Vec<u8>)> {
    let mut out = Vec::new();
    let give_up = Instant::now() + Duration::from_secs(5);
    while out.len() < n {
        assert!(Instant::now() < give_up, "{} of {n} arrived; {:?}", out.len(), socket.stats());
        match socket.try_recv(buffer) {
            Ok(announced) => {
                let before = out.len();
                assert_eq!(buffer.len(), announced);
                while let Some(datagram) = buffer.next_datagram() {
                    assert_eq!(datagram.ecn, Ecn::NotEct);
                    out.push((datagram.path, datagram.payload.to_vec()));
                    assert_eq!(buffer.len(), announced - (out.len() - before));
                }
                assert!(buffer.is_empty() && out.len() - before == announced);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
    out
}

fn exchange(address: &str, config: UdpConfig) -> (UdpSocket, UdpSocket) {
    let a = UdpSocket::bind_with(address.parse().unwrap(), config).unwrap();
    let b = bind(address);
    let path = Path::udp(a.local_addr(), b.local_addr());
    // Full runs, runs ended by a shorter datagram, single and empty ones.
    let lens = [vec![1_000; 100], vec![1_200; 3], vec![700], vec![40; 64], vec![9, 5, 5]].concat();
    let datagrams: Vec<Vec<u8>> =
        lens.iter().enumerate().map(|(n, &len)| numbered(n, len)).chain([Vec::new()]).collect();
    send_all(&a, &mut batch(path, datagrams.clone()));
    let got = receive(&b, &mut RecvBuffer::new(), datagrams.len());
    assert!(got.iter().all(|(path, _)| *path == Path::udp(b.local_addr(), a.local_addr())));
    let payloads: Vec<Vec<u8>> = got.into_iter().map(|(_, payload)| payload).collect();
    assert!(payloads == datagrams, "{:?}", payloads.iter().map(Vec::len).collect::<Vec<_>>());
    assert_eq!((a.stats().sent, b.stats().received), (datagrams.len() as u64, datagrams.len() as u64));
    assert_eq!((a.stats().dropped, a.stats().too_big), (0, 0));
    (a, b)
}

#[test]
fn runs_arrive_whole_over_both_families() {
    for address in [V4, V6] {
        let (a, b) = exchange(address, UdpConfig::default());
        if a.limits().max_segments > 1 {
            // 100 in two runs, 4, 64, 1, 2, 1
            assert_eq!(a.stats().send_calls, 7, "{:?}", a.stats());
            assert!(b.stats().recv_calls < 20, "{:?}", b.stats());
        }
    }
}

#[test]
fn without_offload_runs_go_out_one_by_one() {
    for address in [V4, V6] {
        let (a, _) = exchange(address, UdpConfig { segmentation_offload: false, ..UdpConfig::default() });
        assert_eq!(a.limits(), Limits::SINGLE);
        assert_eq!(a.stats().send_calls, a.stats().sent);
    }
}

#[test]
fn the_largest_runs_the_limits_allow_pass() {
    for address in [V4, V6] {
        let (a, b) = (bind(address), bind(address));
        let path = Path::udp(a.local_addr(), b.local_addr());
        // 13 times 5,039 bytes are exactly what a run may hold.
        for len in [1_023, 1_472, 5_039] {
            let n = 65_507 / len;
            let mut batch = batch(path, (0..n).map(|n| numbered(n, len)));
            assert_eq!(batch.runs(), 1);
            send_all(&a, &mut batch);
            assert_eq!(a.stats().too_big + a.stats().dropped, 0, "{address} {len}: {:?}", a.stats());
            let got = receive(&b, &mut RecvBuffer::new(), n);
            assert!(got.iter().enumerate().all(|(n, (_, payload))| *payload == numbered(n, len)), "{address} {len}");
        }
        assert_eq!(a.stats().too_big + a.stats().dropped, 0, "{:?}", a.stats());
    }
}

#[test]
fn a_socket_bound_to_all_addresses_tells_which_one_was_used_and_answers_from_it() {
    for (any, one) in [("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "::1")] {
        let (server, client) = (bind(any), bind(any));
        let one: IpAddr = one.parse().unwrap();
        let at = |socket: &UdpSocket| SocketAddr::new(one, socket.local_addr().port());
        send_all(&client, &mut batch(Path::udp(client.local_addr(), at(&server)), [vec![1; 10]]));
        let path = receive(&server, &mut RecvBuffer::with_slots(1), 1)[0].0;
        assert_eq!(path, Path::udp(at(&server), at(&client)));
        send_all(&server, &mut batch(path, [vec![2; 10]]));
        assert_eq!(receive(&client, &mut RecvBuffer::with_slots(1), 1)[0].0, Path::udp(at(&client), at(&server)));
    }
    // 127.0.0.0/8 is all ours on Linux: the source is the one asked for.
    if cfg!(target_os = "linux") {
        let (server, client) = (bind("0.0.0.0:0"), bind(V4));
        let source = SocketAddr::new("127.0.0.7".parse().unwrap(), server.local_addr().port());
        send_all(&server, &mut batch(Path::udp(source, client.local_addr()), [vec![3; 10]]));
        assert_eq!(receive(&client, &mut RecvBuffer::with_slots(1), 1)[0].0.remote, source);
    }
}

#[test]
fn nothing_waiting_would_block() {
    let socket = bind(V4);
    assert_eq!(socket.try_recv(&mut RecvBuffer::with_slots(1)).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn refilling_drops_what_was_left() {
    let (a, b) = (bind(V4), bind(V4));
    let path = Path::udp(a.local_addr(), b.local_addr());
    let mut buffer = RecvBuffer::with_slots(1);
    send_all(&a, &mut batch(path, (0..4).map(|n| numbered(n, 100))));
    let give_up = Instant::now() + Duration::from_secs(5);
    while b.try_recv(&mut buffer).is_err() {
        assert!(Instant::now() < give_up);
    }
    buffer.next_datagram().unwrap();
    while b.try_recv(&mut buffer).is_ok() {}
    assert!(buffer.next_datagram().is_none() && buffer.is_empty());
    send_all(&a, &mut batch(path, [numbered(9, 50)]));
    assert_eq!(receive(&b, &mut buffer, 1)[0].1, numbered(9, 50));
}

#[test]
fn payloads_are_lent_to_be_changed() {
    let (a, b) = (bind(V4), bind(V4));
    send_all(&a, &mut batch(Path::udp(a.local_addr(), b.local_addr()), (0..3).map(|n| numbered(n, 8))));
    let mut buffer = RecvBuffer::new();
    let mut seen = 0;
    let give_up = Instant::now() + Duration::from_secs(5);
    while seen < 3 {
        assert!(Instant::now() < give_up);
        if b.try_recv(&mut buffer).is_err() {
            continue;
        }
        while let Some(datagram) = buffer.next_datagram() {
            // Opening one in place leaves the next alone.
            assert_eq!(datagram.payload, numbered(seen, 8));
            datagram.payload.fill(0xff);
            seen += 1;
        }
    }
}

/// A run of one datagram.
fn one(path: Path, len: usize) -> (Run<Path>, Vec<u8>) {
    let batch = batch(path, [vec![0; len]]);
    let (run, bytes) = batch.front().unwrap();
    (*run, bytes.to_vec())
}

#[test]
fn what_the_network_refuses_is_counted_and_no_error() {
    let socket = bind(V4);
    let to = |remote: &str| Path::udp(socket.local_addr(), remote.parse().unwrap());
    let nowhere = [
        to("[::1]:9"),
        to("127.0.0.1:0"),
        to("0.0.0.0:9"),
        Path { transport: Transport::Tcp, ..to("127.0.0.1:9") },
        to("255.255.255.255:9"), // broadcast without leave: EACCES
    ];
    for (n, path) in nowhere.into_iter().enumerate() {
        let (run, bytes) = one(path, 10);
        socket.try_send(&run, &bytes).unwrap();
        assert_eq!(socket.stats().dropped, n as u64 + 1, "{path:?}");
    }
    let v6 = bind(V6);
    let (run, bytes) = one(Path::udp(v6.local_addr(), "[fe80::1]:9".parse().unwrap()), 10);
    v6.try_send(&run, &bytes).unwrap();
    assert_eq!(v6.stats().dropped, 1);
    // None of that was taken for the lack of segmentation offload.
    assert_eq!(socket.limits(), bind(V4).limits());
    assert_eq!(socket.stats().sent, 0);
}

#[test]
fn too_big_is_counted_alone_or_in_a_run_and_offload_stays() {
    for address in [V4, V6] {
        let (a, b) = (bind(address), bind(address));
        let before = a.limits();
        let path = Path::udp(a.local_addr(), b.local_addr());
        let (run, bytes) = one(path, 65_535);
        a.try_send(&run, &bytes).unwrap();
        assert_eq!((a.stats().too_big, a.stats().sent), (1, 0), "{address}");
        assert_eq!(a.limits(), before);
    }
}

#[test]
fn a_port_nobody_listens_on_does_no_harm() {
    let (a, b) = (bind(V4), bind(V4));
    let gone = bind(V4).local_addr();
    let mut buffer = RecvBuffer::with_slots(1);
    for _ in 0..10 {
        send_all(&a, &mut batch(Path::udp(a.local_addr(), gone), [vec![0; 100], vec![0; 100]]));
        match a.try_recv(&mut buffer) {
            Ok(0) => {}
            other => assert_eq!(other.unwrap_err().kind(), ErrorKind::WouldBlock),
        }
    }
    send_all(&b, &mut batch(Path::udp(b.local_addr(), a.local_addr()), [numbered(1, 10)]));
    assert_eq!(receive(&a, &mut buffer, 1)[0].1, numbered(1, 10));
}

#[test]
#[cfg(target_os = "linux")] // reports it on connected sockets alone
fn errors_reported_on_receiving_are_counted_and_no_error() {
    let a = bind(V4);
    let gone = bind(V4).local_addr();
    a.as_std().connect(gone).unwrap();
    a.as_std().send(&[0; 10]).unwrap();
    let mut buffer = RecvBuffer::with_slots(1);
    let give_up = Instant::now() + Duration::from_secs(5);
    while a.stats().recv_noise == 0 {
        assert_eq!(a.try_recv(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(Instant::now() < give_up);
    }
}

#[test]
fn buffers_are_raised_and_never_lowered() {
    let size = |config| {
        let socket = UdpSocket::bind_with(V4.parse().unwrap(), config).unwrap();
        let io = socket2::SockRef::from(socket.as_std());
        (io.send_buffer_size().unwrap(), io.recv_buffer_size().unwrap())
    };
    let plain = size(UdpConfig { send_buffer: 0, recv_buffer: 0, ..UdpConfig::default() });
    assert_eq!(plain, size(UdpConfig { send_buffer: 1, recv_buffer: 1, ..UdpConfig::default() }));
    let raised = size(UdpConfig::default());
    assert!(raised.0 >= plain.0 && raised.1 >= plain.1, "{plain:?} {raised:?}");
}

#[test]
fn a_v6_socket_leaves_v4_alone() {
    let six = bind("[::]:0");
    let four = SocketAddr::new("0.0.0.0".parse().unwrap(), six.local_addr().port());
    UdpSocket::bind(four).unwrap();
}

#[test]
fn ecn_marks_are_told() {
    for (address, mark, ecn) in [
        (V4, 3, Ecn::Ce),
        (V4, 2, Ecn::Ect0),
        (V4, 1, Ecn::Ect1),
        (V6, 3, Ecn::Ce),
        (V6, 2, Ecn::Ect0),
        (V6, 0, Ecn::NotEct),
    ] {
        let (marker, socket) = (std::net::UdpSocket::bind(address).unwrap(), bind(address));
        let io = socket2::SockRef::from(&marker);
        if address == V4 { io.set_tos_v4(mark) } else { io.set_tclass_v6(mark) }.unwrap();
        marker.send_to(&[1; 10], socket.local_addr()).unwrap();
        let mut buffer = RecvBuffer::with_slots(1);
        let give_up = Instant::now() + Duration::from_secs(5);
        while socket.try_recv(&mut buffer).is_err() {
            assert!(Instant::now() < give_up);
        }
        assert_eq!(buffer.next_datagram().unwrap().ecn, ecn, "{address} {mark}");
    }
}

/// A micro check that a transfer in full runs gets through both offloads; the rate is printed, not judged.
#[test]
fn a_long_transfer_passes_in_runs() {
    const DATAGRAMS: usize = 64 * 500;
    let (a, b) = (bind(V4), bind(V4));
    let path = Path::udp(a.local_addr(), b.local_addr());
    let batch = batch(path, (0..64).map(|n| numbered(n, 1_000)));
    let runs = batch.runs();
    let mut buffer = RecvBuffer::new();
    let (mut sent, mut received) = (0, 0);
    let start = Instant::now();
    while received < DATAGRAMS {
        // Never more in flight than the receive buffer surely holds.
        if sent < DATAGRAMS && sent - received < 64 {
            batch.iter().for_each(|(run, bytes)| a.try_send(run, bytes).unwrap());
            sent += 64;
        }
        if b.try_recv(&mut buffer).is_ok() {
            while let Some(datagram) = buffer.next_datagram() {
                assert_eq!(datagram.payload[..4], ((received % 64) as u32).to_be_bytes());
                received += 1;
            }
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{received} of {DATAGRAMS}");
    }
    println!("{DATAGRAMS} datagrams in {:?}; {:?} {:?}", start.elapsed(), a.stats(), b.stats());
    assert_eq!(a.stats().send_calls, (500 * runs) as u64);
    if a.limits().max_segments == 64 {
        assert!(b.stats().recv_calls < DATAGRAMS as u64 / 8, "{:?}", b.stats());
    }
}
