//! str0m, driven as its chat example does: blocking sockets, here with a thread for each peer.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use str0m::channel::ChannelId;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};
use weft_benches::raise_buffers;

use super::Result;
use super::cases::{Case, Load, Samples, WARM_UP, What, Window};

pub(crate) fn measure(case: &Case, seconds: f64) -> Result<Option<Value>> {
    str0m::crypto::from_feature_flags().install_process_default();
    match case.what {
        What::Browser(_) => Ok(None),
        What::Throughput(load) if !load.is_plain() => Ok(None),
        What::Throughput(load) => throughput(load, seconds).map(Some),
        What::RoundTrip => round_trip(seconds).map(Some),
        What::Setup => setup(seconds).map(Some),
    }
}

struct Peer {
    rtc: Rtc,
    socket: UdpSocket,
    buffer: Vec<u8>,
    open: Vec<ChannelId>,
}

impl Peer {
    fn new() -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        raise_buffers(&socket)?;
        let mut rtc = Rtc::builder().build(Instant::now());
        rtc.add_local_candidate(Candidate::host(socket.local_addr()?, "udp")?);
        Ok(Self { rtc, socket, buffer: vec![0; 2000], open: Vec::new() })
    }

    /// Sends what there is to send; gives when to come again.
    fn flush(&mut self, arrived: &mut dyn FnMut(ChannelId, &[u8])) -> Result<Instant> {
        loop {
            match self.rtc.poll_output()? {
                Output::Transmit(transmit) => {
                    self.socket.send_to(&transmit.contents, transmit.destination)?;
                }
                Output::Timeout(at) => return Ok(at),
                Output::Event(Event::ChannelOpen(id, _)) => self.open.push(id),
                Output::Event(Event::ChannelData(data)) => arrived(data.id, &data.data),
                Output::Event(_) => {}
            }
        }
    }

    /// Waits for a datagram until `at`, at most; not at all if that is over.
    fn wait(&mut self, at: Instant) -> Result<()> {
        let patience = at.saturating_duration_since(Instant::now());
        self.socket.set_nonblocking(patience.is_zero())?;
        if !patience.is_zero() {
            self.socket.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
        }
        let read = self.socket.recv_from(&mut self.buffer);
        let now = Instant::now();
        if let Ok((len, source)) = read {
            let contents = self.buffer.get(..len).unwrap_or_default().try_into()?;
            let destination = self.socket.local_addr()?;
            self.rtc
                .handle_input(Input::Receive(now, Receive { proto: Protocol::Udp, source, destination, contents }))?;
        }
        self.rtc.handle_input(Input::Timeout(now))?;
        Ok(())
    }

    /// Sends, waits for `most`, and hands out what that brought.
    fn turn(&mut self, most: Duration, arrived: &mut dyn FnMut(ChannelId, &[u8])) -> Result<()> {
        let at = self.flush(arrived)?;
        self.wait(at.min(Instant::now() + most))?;
        self.flush(arrived)?;
        Ok(())
    }
}

fn connected(channels: usize) -> Result<(Peer, Peer)> {
    let (mut a, mut b) = (Peer::new()?, Peer::new()?);
    let mut change = a.rtc.sdp_api();
    for n in 0..channels {
        change.add_channel(n.to_string());
    }
    let (offer, pending) = change.apply().ok_or("no offer")?;
    let answer = b.rtc.sdp_api().accept_offer(offer)?;
    a.rtc.sdp_api().accept_answer(pending, answer)?;
    let start = Instant::now();
    while a.open.len() < channels || b.open.len() < channels {
        a.turn(Duration::ZERO, &mut |_, _| {})?;
        b.turn(Duration::ZERO, &mut |_, _| {})?;
        if start.elapsed() > Duration::from_secs(20) {
            return Err("no connection".into());
        }
    }
    Ok((a, b))
}

/// Runs a peer in a thread of its own until told to stop.
fn run(mut peer: Peer, stop: Arc<AtomicBool>, mut each: impl FnMut(&mut Peer) -> Result<()> + Send + 'static) {
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            if let Err(error) = each(&mut peer) {
                eprintln!("str0m: {error}");
                return;
            }
        }
    });
}

fn throughput(load: Load, seconds: f64) -> Result<Value> {
    let (a, b) = connected(load.channels)?;
    let (stop, arrived) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let message = vec![0x5A; load.size];
    run(a, stop.clone(), move |peer| {
        for id in peer.open.clone() {
            // A few at a time, so that what they make leaves before the next.
            for _ in 0..64 {
                let Some(mut channel) = peer.rtc.channel(id) else { break };
                if !channel.write(true, &message)? {
                    break;
                }
            }
        }
        peer.turn(Duration::from_millis(1), &mut |_, _| {})
    });
    let count = arrived.clone();
    run(b, stop.clone(), move |peer| {
        peer.turn(Duration::from_millis(100), &mut |_, data| {
            count.fetch_add(data.len() as u64, Ordering::Relaxed);
        })
    });
    thread::sleep(WARM_UP);
    let window = Window::open(load.size, arrived.load(Ordering::Relaxed));
    thread::sleep(Duration::from_secs_f64(seconds));
    let value = window.close(arrived.load(Ordering::Relaxed));
    stop.store(true, Ordering::Relaxed);
    value
}

fn round_trip(seconds: f64) -> Result<Value> {
    let (mut a, b) = connected(1)?;
    let stop = Arc::new(AtomicBool::new(false));
    run(b, stop.clone(), |peer| {
        let mut echo = Vec::new();
        peer.turn(Duration::from_millis(100), &mut |id, data| echo.push((id, data.to_vec())))?;
        for (id, data) in echo {
            if let Some(mut channel) = peer.rtc.channel(id) {
                let _ = channel.write(true, &data)?;
            }
        }
        peer.flush(&mut |_, _| {})?;
        Ok(())
    });
    let id = a.open.first().copied().ok_or("no channel")?;
    let mut samples = Samples::round_trips(seconds);
    while samples.more() {
        let mut back = false;
        let _ = a.rtc.channel(id).ok_or("closed")?.write(true, &[1; 100])?;
        while !back {
            a.turn(Duration::from_millis(100), &mut |_, _| back = true)?;
        }
        samples.done();
    }
    stop.store(true, Ordering::Relaxed);
    samples.report()
}

fn setup(seconds: f64) -> Result<Value> {
    let mut samples = Samples::setups(seconds);
    while samples.more() {
        let pair = connected(1)?;
        samples.done();
        drop(pair);
    }
    samples.report()
}
