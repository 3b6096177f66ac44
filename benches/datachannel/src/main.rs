//! What `cargo xtask bench stack` measures, with libdatachannel: `--work CASE --seconds N` prints one JSON value.

#[path = "../../src/bin/stack/cases.rs"]
#[allow(dead_code)] // Chromium is driven elsewhere
mod cases;

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datachannel::{
    DataChannelHandler, DataChannelInfo, IceCandidate, PeerConnectionHandler, RtcConfig, RtcDataChannel,
    RtcPeerConnection, SessionDescription,
};
use serde_json::{Value, json};

use cases::{CASES, Case, Load, Samples, WARM_UP, What, Window};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
type Channel = Box<RtcDataChannel<End>>;
/// A channel that its own handler sends by.
type Slot = Arc<Mutex<Option<Channel>>>;

/// More is not queued.
const BUFFERED: usize = 1 << 20;
const LOW: usize = BUFFERED / 4;
const PATIENCE: Duration = Duration::from_secs(20);
const MESSAGE: [u8; 100] = [1; 100];

/// CPU time of this process, in seconds.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// How far a channel is.
enum Ready {
    /// It is open where it was created.
    Opened,
    /// It is there at the other peer.
    Came,
}

/// What an end does with its messages.
#[derive(Clone)]
enum Task {
    Send,
    Count(Arc<AtomicU64>),
    Echo,
    Ping(Arc<Mutex<Samples>>, Sender<()>),
}

/// The handler of one channel.
struct End {
    task: Task,
    slot: Slot,
    opened: Sender<Ready>,
    /// There is room again.
    low: Sender<()>,
}

impl DataChannelHandler for End {
    fn on_open(&mut self) {
        let _ = self.opened.send(Ready::Opened);
    }

    fn on_buffered_amount_low(&mut self) {
        let _ = self.low.send(());
    }

    fn on_message(&mut self, message: &[u8]) {
        match &self.task {
            Task::Send => {}
            Task::Count(arrived) => {
                arrived.fetch_add(message.len() as u64, Ordering::Relaxed);
            }
            Task::Echo => send(&self.slot, message),
            Task::Ping(samples, over) => {
                let mut samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
                samples.done();
                if samples.more() {
                    send(&self.slot, message);
                } else {
                    let _ = over.send(());
                }
            }
        }
    }
}

fn send(slot: &Slot, message: &[u8]) {
    if let Some(channel) = slot.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        let _ = channel.send(message);
    }
}

/// What goes from one peer to the other.
enum Signal {
    Description(SessionDescription),
    Candidate(IceCandidate),
}

struct Peer {
    signals: Sender<Signal>,
    task: Task,
    came: Sender<Ready>,
    channels: Arc<Mutex<Vec<Slot>>>,
    /// The slot of the channel that is being announced.
    next: Slot,
}

impl PeerConnectionHandler for Peer {
    type DCH = End;

    fn data_channel_handler(&mut self, _info: DataChannelInfo) -> End {
        self.next = Slot::default();
        // That it is open, too, is told once: as a channel that came.
        End { task: self.task.clone(), slot: self.next.clone(), opened: channel().0, low: channel().0 }
    }

    fn on_description(&mut self, description: SessionDescription) {
        let _ = self.signals.send(Signal::Description(description));
    }

    fn on_candidate(&mut self, candidate: IceCandidate) {
        let _ = self.signals.send(Signal::Candidate(candidate));
    }

    fn on_data_channel(&mut self, channel: Channel) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(channel);
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).push(self.next.clone());
        let _ = self.came.send(Ready::Came);
    }
}

struct Pair {
    _peers: [Box<RtcPeerConnection<Peer>>; 2],
    sending: Vec<Slot>,
    low: Receiver<()>,
}

fn carry(from: &Receiver<Signal>, to: &mut RtcPeerConnection<Peer>) -> Result<()> {
    while let Ok(signal) = from.try_recv() {
        match signal {
            Signal::Description(description) => to.set_remote_description(&description)?,
            Signal::Candidate(candidate) => to.add_remote_candidate(&candidate)?,
        }
    }
    Ok(())
}

fn connect(count: usize, here: &Task, there: &Task) -> Result<Pair> {
    let config = RtcConfig::new::<&str>(&[]).bind_address(&"127.0.0.1");
    let (ready, is_ready) = channel();
    let (low, is_low) = channel();
    let peer = |task: &Task| {
        let (signals, received) = channel();
        let (channels, next) = (Arc::default(), Slot::default());
        let handler = Peer { signals, task: task.clone(), came: ready.clone(), channels, next };
        RtcPeerConnection::new(&config, handler).map(|peer| (peer, received))
    };
    let ((mut a, from_a), (mut b, from_b)) = (peer(here)?, peer(there)?);
    let mut sending = Vec::new();
    for n in 0..count {
        let slot = Slot::default();
        let end = End { task: here.clone(), slot: slot.clone(), opened: ready.clone(), low: low.clone() };
        let mut made = a.create_data_channel(&n.to_string(), end)?;
        made.set_buffered_amount_low_threshold(LOW)?;
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        sending.push(slot);
    }
    let (began, mut open, mut come) = (std::time::Instant::now(), 0, 0);
    // Each channel opens here and comes there.
    while open < count || come < count {
        carry(&from_a, &mut b)?;
        carry(&from_b, &mut a)?;
        match is_ready.recv_timeout(Duration::from_millis(1)) {
            Ok(Ready::Opened) => open += 1,
            Ok(Ready::Came) => come += 1,
            Err(_) => {}
        }
        if began.elapsed() > PATIENCE {
            return Err("no connection".into());
        }
    }
    Ok(Pair { _peers: [a, b], sending, low: is_low })
}

fn throughput(load: Load, seconds: f64) -> Result<Value> {
    let arrived = Arc::new(AtomicU64::new(0));
    let pair = connect(load.channels, &Task::Send, &Task::Count(arrived.clone()))?;
    let message = vec![0x5A; load.size];
    let (began, mut window) = (std::time::Instant::now(), None::<Window>);
    loop {
        let mut full = true;
        for slot in &pair.sending {
            let mut guard = slot.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(channel) = guard.as_mut() else { continue };
            // Of many channels each has its share of what is queued.
            let mut room = (BUFFERED / pair.sending.len()).max(load.size).saturating_sub(channel.buffered_amount());
            while room >= load.size.min(BUFFERED) {
                channel.send(&message)?;
                room -= load.size.min(room);
                full = false;
            }
        }
        if full {
            let _ = pair.low.recv_timeout(Duration::from_millis(1));
        }
        match &window {
            None if began.elapsed() > WARM_UP => {
                window = Some(Window::open(load.size, arrived.load(Ordering::Relaxed)));
            }
            Some(window) if window.seconds() > seconds => return window.close(arrived.load(Ordering::Relaxed)),
            _ => {}
        }
    }
}

fn round_trip(seconds: f64) -> Result<Value> {
    let samples = Arc::new(Mutex::new(Samples::round_trips(seconds)));
    let (over, is_over) = channel();
    let pair = connect(1, &Task::Ping(samples.clone(), over), &Task::Echo)?;
    // The second of warming up begins with the first message.
    *samples.lock().unwrap_or_else(PoisonError::into_inner) = Samples::round_trips(seconds);
    samples.lock().unwrap_or_else(PoisonError::into_inner).more();
    if let Some(slot) = pair.sending.first() {
        send(slot, &MESSAGE);
    }
    is_over.recv_timeout(PATIENCE + Duration::from_secs_f64(seconds))?;
    let mut samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *samples, Samples::round_trips(0.0)).report()
}

fn setup(seconds: f64) -> Result<Value> {
    let mut samples = Samples::setups(seconds);
    while samples.more() {
        let pair = connect(1, &Task::Send, &Task::Echo)?;
        samples.done();
        drop(pair);
    }
    samples.report()
}

fn measure(case: &Case, seconds: f64) -> Result<Option<Value>> {
    match case.what {
        What::Browser(_) => Ok(None),
        What::Throughput(load) if !load.is_plain() => Ok(None),
        What::Throughput(load) => throughput(load, seconds).map(Some),
        What::RoundTrip => round_trip(seconds).map(Some),
        What::Setup => setup(seconds).map(Some),
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| arguments.iter().skip_while(|argument| *argument != name).nth(1);
    let (work, seconds) = after("--work").zip(after("--seconds")).ok_or("--work CASE --seconds N")?;
    let case = CASES.iter().find(|case| case.name == work).ok_or("no such case")?;
    println!("{}", json!(measure(case, seconds.parse()?)?));
    Ok(())
}
