//! Two peer connections at the ends of a virtual link.

use std::time::Duration;

use bytes::Bytes;
use weft_core::{Batch, Datagram, Frame, Instant, Limits, Path, Rng};
use weft_rtc::sans_io::PeerConnection;
use weft_rtc::{ChannelId, Config, ConnectionState, Event, IceCandidate, Message};
use weft_testkit::{A_V4, B_V4, Host, LinkConfig, Pair};

/// A peer connection as a host: its events are kept, its candidates travel through [`trickle`].
pub(crate) struct Peer {
    pub(crate) pc: PeerConnection,
    pub(crate) events: Vec<Event>,
    pub(crate) candidates: Vec<IceCandidate>,
    pub(crate) messages: Vec<(ChannelId, Message)>,
    pub(crate) read: bool,
    /// Events so far, and the one from within which it is closed, by number.
    pub(crate) seen: usize,
    pub(crate) close_at: Option<usize>,
    batch: Batch<Path>,
}

impl Peer {
    pub(crate) fn new(seed: u64, config: Config) -> Self {
        let pc = PeerConnection::new(Instant::ORIGIN, config, Rng::from_test_seed(seed)).unwrap();
        Self {
            pc,
            events: Vec::new(),
            candidates: Vec::new(),
            messages: Vec::new(),
            read: true,
            seen: 0,
            close_at: None,
            batch: Batch::new(4096, Limits::SINGLE),
        }
    }

    pub(crate) fn saw(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(wanted)
    }

    pub(crate) fn incoming(&self) -> Option<ChannelId> {
        self.events.iter().find_map(|e| if let Event::DataChannel(id) = e { Some(*id) } else { None })
    }

    fn drain(&mut self, now: Instant) {
        while let Some(event) = self.pc.poll_event() {
            if self.close_at == Some(self.seen) {
                self.pc.close(now);
            }
            self.seen += 1;
            match event {
                Event::IceCandidate(candidate) => self.candidates.push(*candidate),
                Event::Readable(id) if self.read => {
                    while let Some(message) = self.pc.receive(id) {
                        self.messages.push((id, message));
                    }
                }
                event => self.events.push(event),
            }
        }
    }
}

impl Host for Peer {
    fn receive(&mut self, now: Instant, datagram: Datagram<'_>) {
        self.pc.handle_input(now, datagram);
    }

    fn transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        if self.batch.is_empty() {
            self.pc.poll_transmit(now, &mut self.batch);
        }
        let (run, bytes) = self.batch.front()?;
        let path = run.route;
        frame.push(bytes).unwrap();
        self.batch.sent();
        Some(path)
    }

    fn settle(&mut self, now: Instant) {
        self.drain(now);
    }

    fn timeout(&mut self, now: Instant) {
        self.pc.handle_timeout(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.pc.poll_timeout()
    }
}

pub(crate) type Peers = Pair<Peer, Peer>;

/// Two peers with an address each and nothing negotiated.
pub(crate) fn peers(link: LinkConfig, seed: u64) -> Peers {
    peers_with(link, seed, Config::default(), Config::default())
}

pub(crate) fn peers_with(link: LinkConfig, seed: u64, a: Config, b: Config) -> Peers {
    let mut pair = Pair::new(Peer::new(seed ^ 0xA, a), Peer::new(seed ^ 0xB, b), link, seed);
    pair.a.pc.add_host_address(Instant::ORIGIN, A_V4);
    pair.b.pc.add_host_address(Instant::ORIGIN, B_V4);
    pair
}

/// A link of `rtt` and nothing wrong with it.
pub(crate) fn link(rtt_ms: u64) -> LinkConfig {
    LinkConfig { delay: Duration::from_millis(rtt_ms) / 2, ..LinkConfig::default() }
}

/// A offers, B answers, with all candidates in the descriptions.
pub(crate) fn negotiate(pair: &mut Peers) {
    let now = pair.now();
    let offer = pair.a.pc.create_offer().unwrap();
    pair.a.pc.set_local_description(now, Some(offer)).unwrap();
    let offer = pair.a.pc.local_description().unwrap();
    pair.b.pc.set_remote_description(now, &offer).unwrap();
    let answer = pair.b.pc.create_answer().unwrap();
    pair.b.pc.set_local_description(now, Some(answer)).unwrap();
    let answer = pair.b.pc.local_description().unwrap();
    pair.a.pc.set_remote_description(now, &answer).unwrap();
}

pub(crate) fn connected(pair: &mut Peers) -> bool {
    pair.a.pc.connection_state() == ConnectionState::Connected
        && pair.b.pc.connection_state() == ConnectionState::Connected
}

/// Sends until buffers are full; how many of `messages` were taken.
pub(crate) fn send_some(pc: &mut PeerConnection, now: Instant, id: ChannelId, messages: &[Bytes]) -> usize {
    messages.iter().take_while(|m| pc.send(now, id, weft_rtc::MessageKind::Binary, Bytes::clone(m)).is_ok()).count()
}
