//! Two sans-IO peer connections and the wire between them, all in memory, for what is counted: allocations here, and
//! instructions in `benches`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use weft_rtc::core::{Batch, Datagram, Instant, Limits, Path, Rng};
use weft_rtc::sans_io::PeerConnection;
use weft_rtc::{ChannelId, Config, DataChannelInit, Event, MessageKind, SharedConfig};

struct End {
    connection: Box<PeerConnection>,
    address: SocketAddr,
    channel: Option<ChannelId>,
    batch: Batch<Path>,
    arrived: Vec<u8>,
}

impl End {
    fn new(port: u16, config: SharedConfig) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let connection = PeerConnection::new(Instant::ORIGIN, config, Rng::from_test_seed(port.into()));
        let mut connection = Box::new(connection.unwrap());
        connection.add_host_address(Instant::ORIGIN, address);
        Self { connection, address, channel: None, batch: Batch::new(65_535, Limits::GSO), arrived: vec![0; 65_535] }
    }

    fn flush(&mut self, now: Instant, to: &mut Self) {
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
        }
        self.connection.poll_transmit(now, &mut self.batch);
        let path = Path::udp(to.address, self.address);
        while let Some((run, bytes)) = self.batch.front() {
            let arrived = &mut to.arrived[..bytes.len()];
            arrived.copy_from_slice(bytes);
            for datagram in arrived.chunks_mut(run.segment_size.max(1)) {
                to.connection.handle_input(now, Datagram::new(path, datagram));
            }
            self.batch.sent();
        }
    }

    fn events(&mut self, in_place: bool) -> u64 {
        let mut messages = 0;
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::DataChannel(id) | Event::Open(id) => self.channel = Some(id),
                Event::Readable(id) if in_place => {
                    while let Some(first) = self.connection.receive_with(id, |_, bytes| bytes.first().copied()) {
                        assert!(first.is_some());
                        messages += 1;
                    }
                }
                Event::Readable(id) => {
                    while self.connection.receive(id).is_some() {
                        messages += 1;
                    }
                }
                _ => {}
            }
        }
        messages
    }
}

/// What any of them needs.
pub(crate) fn config() -> Config {
    let mut config = Config::default().with_loopback(true);
    config.max_probed_datagram = config.max_datagram;
    config
}

/// A sender, a receiver, and a channel between them.
pub(crate) struct Pair {
    now: Instant,
    ends: [End; 2],
    /// Messages are read in place.
    pub(crate) in_place: bool,
}

impl Pair {
    /// Connected, with a channel open at both ends.
    pub(crate) fn connected() -> Self {
        Self::connected_with([config().into(), config().into()])
    }

    /// The same, with these settings.
    pub(crate) fn connected_with([a, b]: [SharedConfig; 2]) -> Self {
        let mut pair = Self::unconnected([a, b], |_| {});
        pair.open();
        pair
    }

    /// With descriptions exchanged alone, and the offer changed on its way.
    pub(crate) fn unconnected([a, b]: [SharedConfig; 2], change: impl Fn(&mut String)) -> Self {
        let mut pair = Self { now: Instant::ORIGIN, ends: [End::new(1000, a), End::new(2000, b)], in_place: false };
        let [a, b] = &mut pair.ends;
        offer(pair.now, &mut a.connection, &mut b.connection, change);
        pair
    }

    fn open(&mut self) {
        while self.ends.iter().any(|end| end.channel.is_none()) {
            self.turn();
        }
    }

    /// Another peer takes the place of the receiver, and offers an association of its own.
    pub(crate) fn replace_receiver(&mut self) {
        let (now, [a, b]) = (self.now, &mut self.ends);
        *b = End::new(3000, config().into());
        offer(now, &mut b.connection, &mut a.connection, |_| {});
        a.channel = None;
        self.open();
    }

    /// Sends a message that is lost at first, and waits until it has arrived.
    pub(crate) fn lose(&mut self, message: &Bytes) {
        let (now, sender) = (self.now, &mut self.ends[0]);
        sender.connection.send(now, sender.channel.unwrap(), MessageKind::Binary, message.clone()).unwrap();
        sender.connection.poll_transmit(now, &mut sender.batch);
        sender.batch.clear();
        while self.turn() == 0 {}
    }

    /// What both ends have sent again by the associations they have.
    pub(crate) fn retransmissions(&self) -> [u64; 2] {
        self.ends.each_ref().map(|end| end.connection.data_channels().association().stats().retransmissions)
    }

    /// Closes the sender.
    pub(crate) fn close(&mut self) {
        self.ends[0].connection.close(self.now);
    }

    /// The time, and an end: 0 is the sender.
    pub(crate) fn end(&mut self, end: usize) -> (Instant, &mut PeerConnection) {
        (self.now, &mut self.ends[end].connection)
    }

    /// The sender's channel.
    pub(crate) fn channel(&self) -> ChannelId {
        self.ends[0].channel.unwrap()
    }

    /// Hands an end a datagram as if the other had sent it.
    pub(crate) fn inject(&mut self, end: usize, datagram: &mut [u8]) {
        let path = Path::udp(self.ends[end].address, self.ends[1 - end].address);
        self.ends[end].connection.handle_input(self.now, Datagram::new(path, datagram));
    }

    /// A datagram that the sender sends for a message; it is lost.
    pub(crate) fn intercept(&mut self, message: &Bytes) -> Vec<u8> {
        let (now, sender) = (self.now, &mut self.ends[0]);
        sender.connection.send(now, sender.channel.unwrap(), MessageKind::Binary, message.clone()).unwrap();
        sender.connection.poll_transmit(now, &mut sender.batch);
        let datagram = sender.batch.front().unwrap().1.to_vec();
        sender.batch.clear();
        datagram
    }

    /// Time passes in which all is lost that the ends send.
    pub(crate) fn silence(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(10);
            for end in &mut self.ends {
                end.connection.handle_timeout(self.now);
                end.connection.poll_transmit(self.now, &mut end.batch);
                end.batch.clear();
                end.events(false);
            }
        }
    }

    /// Time passes in which nothing is lost.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(1);
            self.exchange();
        }
    }

    fn turn(&mut self) -> u64 {
        self.now += Duration::from_micros(50);
        self.exchange()
    }

    fn exchange(&mut self) -> u64 {
        let [a, b] = &mut self.ends;
        a.flush(self.now, b);
        let messages = b.events(self.in_place);
        b.flush(self.now, a);
        a.events(self.in_place);
        messages
    }

    /// Lets time pass in which nobody sends anything, and gives what is left: the connections alone.
    pub(crate) fn idle(mut self, time: Duration) -> [Box<PeerConnection>; 2] {
        let end = self.now + time;
        while let Some(at) = self.ends.iter().filter_map(|end| end.connection.poll_timeout()).min()
            && at <= end
        {
            self.now = self.now.max(at);
            self.exchange();
        }
        self.ends.map(|end| end.connection)
    }

    /// Sends messages and waits until all have arrived.
    pub(crate) fn transfer(&mut self, messages: u64, message: &Bytes) {
        let channel = self.ends[0].channel.unwrap();
        let (mut to_send, mut received) = (messages, 0);
        while received < messages {
            let connection = &mut self.ends[0].connection;
            while to_send > 0 && connection.send(self.now, channel, MessageKind::Binary, message.clone()).is_ok() {
                to_send -= 1;
            }
            received += self.turn();
        }
    }

    /// What an end has counted: 0 is the sender.
    pub(crate) fn counters(&self, end: usize) -> weft_rtc::Counters {
        self.ends[end].connection.stats().counters
    }

    /// Datagrams that the sender has sent; few of them carry no data.
    pub(crate) fn sent(&self) -> u64 {
        self.ends[0].connection.stats().counters.datagrams_sent
    }
}

/// Makes a channel, and offers it.
fn offer(now: Instant, offerer: &mut PeerConnection, answerer: &mut PeerConnection, change: impl Fn(&mut String)) {
    offerer.create_data_channel(now, DataChannelInit::new("counted")).unwrap();
    offerer.set_local_description(now, None).unwrap();
    let mut offer = offerer.local_description().unwrap();
    change(&mut offer.sdp);
    answerer.set_remote_description(now, &offer).unwrap();
    answerer.set_local_description(now, None).unwrap();
    offerer.set_remote_description(now, &answerer.local_description().unwrap()).unwrap();
}
