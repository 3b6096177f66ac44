//! Heap allocations of the whole stack in steady state, counted: none for a packet, one for a message that is handed over.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use weft_rtc::core::{Batch, Datagram, Instant, Limits, Path, Rng};
use weft_rtc::sans_io::PeerConnection;
use weft_rtc::{ChannelId, Config, DataChannelInit, Event, MessageKind};

struct End {
    connection: Box<PeerConnection>,
    address: SocketAddr,
    channel: Option<ChannelId>,
    batch: Batch<Path>,
    arrived: Vec<u8>,
}

impl End {
    fn new(port: u16) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut config = Config::default().with_loopback(true);
        config.max_probed_datagram = config.max_datagram;
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

    fn events(&mut self) -> u64 {
        let mut messages = 0;
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::DataChannel(id) | Event::Open(id) => self.channel = Some(id),
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

struct Pair {
    now: Instant,
    ends: [End; 2],
}

impl Pair {
    fn connected() -> Self {
        let mut pair = Self { now: Instant::ORIGIN, ends: [End::new(1000), End::new(2000)] };
        let (now, [a, b]) = (pair.now, &mut pair.ends);
        let (a, b) = (&mut a.connection, &mut b.connection);
        a.create_data_channel(now, DataChannelInit::new("counted")).unwrap();
        a.set_local_description(now, None).unwrap();
        b.set_remote_description(now, &a.local_description().unwrap()).unwrap();
        b.set_local_description(now, None).unwrap();
        a.set_remote_description(now, &b.local_description().unwrap()).unwrap();
        while pair.ends.iter().any(|end| end.channel.is_none()) {
            pair.turn();
        }
        pair
    }

    fn turn(&mut self) -> u64 {
        self.now += Duration::from_micros(50);
        let [a, b] = &mut self.ends;
        a.flush(self.now, b);
        let messages = b.events();
        b.flush(self.now, a);
        a.events();
        messages
    }

    fn transfer(&mut self, messages: u64, message: &Bytes) {
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

    /// Heap allocations of a transfer, and the packets it took.
    fn count(&mut self, messages: u64, size: usize) -> (u64, u64) {
        let message = Bytes::from(vec![0x5A; size]);
        self.transfer(messages, &message);
        let before = self.ends[0].connection.stats().counters.datagrams_sent;
        let counted = allocation_counter::measure(|| self.transfer(messages, &message));
        (counted.count_total, self.ends[0].connection.stats().counters.datagrams_sent - before)
    }
}

#[test]
fn a_packet_costs_no_allocation_and_a_message_one() {
    let mut pair = Pair::connected();
    for (messages, size) in [(400, 65_536), (8000, 1150), (40_000, 100)] {
        let (allocations, packets) = pair.count(messages, size);
        println!("{size} B: {messages} messages, {packets} packets, {allocations} allocations");
        assert!(
            allocations <= messages + packets / 100,
            "{size} B: {allocations} for {messages} messages, {packets} packets"
        );
    }
}
