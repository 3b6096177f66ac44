//! The whole sans-IO stack, in memory: ICE, DTLS 1.3 with AES-128-GCM, SCTP, one reliable ordered channel.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use weft_core::{Batch, Datagram, Instant, Limits, Path, Rng};
use weft_rtc::sans_io::{DataChannelInit, PeerConnection};
use weft_rtc::{ChannelId, Config, Event, MessageKind};

use crate::counted;

struct End {
    connection: PeerConnection,
    address: SocketAddr,
    channel: Option<ChannelId>,
    batch: Batch<Path>,
}

impl End {
    fn new(now: Instant, port: u16) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut config = Config::default().with_loopback(true);
        // The same packet size from the first packet on.
        config.max_probed_datagram = config.max_datagram;
        #[expect(clippy::expect_used, reason = "a key pair can always be made")]
        let mut connection =
            PeerConnection::new(now, config, Rng::from_test_seed(port.into())).expect("a peer connection");
        connection.add_host_address(now, address);
        Self { connection, address, channel: None, batch: Batch::new(65_535, Limits::GSO) }
    }

    /// Timers, then one batch to the other side.
    fn flush(&mut self, now: Instant, to: &mut Self) {
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
        }
        self.connection.poll_transmit(now, &mut self.batch);
        let path = Path::udp(to.address, self.address);
        while let Some((run, bytes)) = self.batch.front() {
            // What the kernel does when it hands a run over, so that it can be opened in place.
            let mut copy = bytes.to_vec();
            for datagram in copy.chunks_mut(run.segment_size.max(1)) {
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
    sender: End,
    receiver: End,
}

fn connected() -> Pair {
    let now = Instant::ORIGIN;
    let mut pair = Pair { now, sender: End::new(now, 1000), receiver: End::new(now, 2000) };
    let done = pair.negotiate();
    assert!(done.is_some(), "negotiation failed");
    while pair.sender.channel.is_none() || pair.receiver.channel.is_none() {
        pair.turn();
    }
    pair
}

impl Pair {
    fn negotiate(&mut self) -> Option<()> {
        let (now, a, b) = (self.now, &mut self.sender.connection, &mut self.receiver.connection);
        a.create_data_channel(now, DataChannelInit::new("counted")).ok()?;
        a.set_local_description(now, None).ok()?;
        b.set_remote_description(now, &a.local_description()?).ok()?;
        b.set_local_description(now, None).ok()?;
        a.set_remote_description(now, &b.local_description()?).ok()
    }

    fn turn(&mut self) -> u64 {
        self.now += Duration::from_micros(50);
        self.sender.flush(self.now, &mut self.receiver);
        let messages = self.receiver.events();
        self.receiver.flush(self.now, &mut self.sender);
        self.sender.events();
        messages
    }

    fn transfer(&mut self, messages: u64, message: &Bytes) {
        let Some(channel) = self.sender.channel else { return };
        let (mut to_send, mut received) = (messages, 0);
        while received < messages {
            while to_send > 0
                && self.sender.connection.send(self.now, channel, MessageKind::Binary, message.clone()).is_ok()
            {
                to_send -= 1;
            }
            received += self.turn();
        }
    }

    /// Datagrams that the sender has sent; few of them carry no data.
    fn sent(&self) -> u64 {
        self.sender.connection.stats().counters.datagrams_sent
    }
}

pub(crate) fn large(operations: u64) -> u64 {
    let message = Bytes::from(vec![0x5A; 65_536]);
    let mut pair = connected();
    pair.transfer(100, &message);
    let before = pair.sent();
    while pair.sent() - before < operations {
        counted(|| pair.transfer(20, &message));
    }
    pair.sent() - before
}

pub(crate) fn small(operations: u64) -> u64 {
    let message = Bytes::from(vec![0x5A; 100]);
    let mut pair = connected();
    pair.transfer(10_000, &message);
    counted(|| pair.transfer(operations, &message));
    operations
}
