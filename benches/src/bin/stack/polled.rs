//! weft-rtc by its polled driver.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use weft_rtc::polled::{ChannelOptions, ChannelState, DataChannel, PeerConnection, Signal};

use super::Result;
use super::cases::{Case, Load, Samples, WARM_UP, What, Window};

/// When a connection that has not come is given up.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn measure(case: &Case, seconds: f64) -> Result<Option<Value>> {
    match case.what {
        // Relays and a hundred connections are the same code under either driver.
        What::Browser(_) => Ok(None),
        What::Throughput(load) if !load.is_plain() => Ok(None),
        What::Throughput(load) => throughput(load, seconds).map(Some),
        What::RoundTrip => round_trip(seconds).map(Some),
        What::Setup => setup(seconds).map(Some),
    }
}

struct Peer {
    it: PeerConnection,
    channels: Vec<DataChannel>,
}

impl Peer {
    /// Channels are agreed beforehand, as engines do.
    fn new(channels: usize) -> Result<Self> {
        let mut it = PeerConnection::with_config(super::on_loopback()?);
        let channels = (1..=channels)
            .map(|id| {
                let id = u16::try_from(id).ok();
                it.create_data_channel("bench", &ChannelOptions { negotiated: true, id, ..ChannelOptions::default() })
            })
            .collect::<std::result::Result<_, _>>()?;
        Ok(Self { it, channels })
    }

    fn is_open(&self) -> bool {
        self.channels.iter().all(|channel| channel.ready_state() == ChannelState::Open)
    }

    /// Reads what has come; gives bytes.
    fn read(&mut self) -> usize {
        let mut bytes = 0;
        for channel in &mut self.channels {
            while let Ok(len) = channel.read_packet(<[u8]>::len) {
                bytes += len;
            }
        }
        bytes
    }
}

fn signal(from: &mut Peer, to: &mut Peer) -> Result<()> {
    while let Some(signal) = from.it.next_signal() {
        match signal {
            Signal::SessionDescriptionCreated { kind, sdp } => {
                from.it.set_local_description(&kind, &sdp)?;
                to.it.set_remote_description(&kind, &sdp)?;
            }
            Signal::IceCandidateCreated { media, index, name } => to.it.add_ice_candidate(&media, index, &name)?,
            _ => {}
        }
    }
    Ok(())
}

fn connected(channels: usize) -> Result<(Peer, Peer)> {
    let (mut a, mut b) = (Peer::new(channels)?, Peer::new(channels)?);
    a.it.create_offer()?;
    let start = Instant::now();
    while !(a.is_open() && b.is_open()) {
        a.it.poll()?;
        b.it.poll()?;
        signal(&mut a, &mut b)?;
        signal(&mut b, &mut a)?;
        if start.elapsed() > PATIENCE {
            return Err("no connection".into());
        }
    }
    Ok((a, b))
}

fn throughput(load: Load, seconds: f64) -> Result<Value> {
    let (mut a, mut b) = connected(load.channels)?;
    let message = Bytes::from(vec![0x5A; load.size]);
    let (began, mut bytes, mut window, mut next) = (Instant::now(), 0, None, 0);
    loop {
        // In turn, until one finds the buffer full, which they share.
        while let Some(channel) = a.channels.get_mut(next)
            && channel.put_bytes(message.clone()).is_ok()
        {
            next = (next + 1) % load.channels;
        }
        a.it.poll()?;
        b.it.poll()?;
        bytes += b.read() as u64;
        match &window {
            None if began.elapsed() > WARM_UP => window = Some(Window::open(load.size, bytes)),
            Some(window) if window.seconds() > seconds => return window.close(bytes),
            _ => {}
        }
    }
}

/// A thread for each peer, each in a loop without rest, as a game server's is.
fn round_trip(seconds: f64) -> Result<Value> {
    static STOP: AtomicBool = AtomicBool::new(false);
    let (mut a, mut b) = connected(1)?;
    let echo = std::thread::spawn(move || {
        while !STOP.load(Ordering::Relaxed) && b.it.poll().is_ok() {
            for channel in &mut b.channels {
                while let Ok(packet) = channel.get_packet() {
                    let _ = channel.put_bytes(packet);
                }
            }
            let _ = b.it.poll();
        }
    });
    let mut samples = Samples::round_trips(seconds);
    while samples.more() {
        for channel in &mut a.channels {
            channel.put_bytes(Bytes::from_static(&[1; 100]))?;
        }
        loop {
            a.it.poll()?;
            if a.read() > 0 {
                break;
            }
        }
        samples.done();
    }
    let report = samples.report();
    STOP.store(true, Ordering::Relaxed);
    let _ = echo.join();
    report
}

fn setup(seconds: f64) -> Result<Value> {
    let _stays = super::staying_sockets()?;
    let mut samples = Samples::setups(seconds);
    while samples.more() {
        let pair = connected(1)?;
        samples.done();
        drop(pair);
    }
    samples.report()
}
