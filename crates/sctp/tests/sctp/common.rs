//! What the tests share.

use bytes::Bytes;
use weft_core::{Frame, Instant, Layer, Overhead, Rng};
use weft_sctp::wire::{self, Chunk, Packet, kind};
use weft_sctp::{
    Association, ChannelEvent, ChannelId, ChannelInit, ChannelMessage, Config, ControllerKind, DataChannels, Event,
    MessageKind, Role, State,
};
use weft_testkit::{LinkConfig, Node, Pair};

pub(crate) type Peers = Pair<Node<DataChannels>, Node<DataChannels>>;

/// Two sets of data channels with a link between them; A connects.
pub(crate) fn peers(config: &Config, link: LinkConfig, seed: u64) -> Peers {
    peers_with(config.clone(), config.clone(), link, seed)
}

pub(crate) fn peers_with(a: Config, b: Config, link: LinkConfig, seed: u64) -> Peers {
    let mut rng = Rng::from_test_seed(seed);
    let mut a = DataChannels::new(a, rng.fork());
    let mut b = DataChannels::new(b, rng.fork());
    a.set_role(Instant::ORIGIN, Role::Client);
    b.set_role(Instant::ORIGIN, Role::Server);
    for side in [&mut a, &mut b] {
        side.set_remote_max_message_size(None);
    }
    a.connect(Instant::ORIGIN);
    Pair::new(Node::new(a), Node::new(b), link, seed)
}

/// Waits for B to learn of a channel.
pub(crate) fn incoming(pair: &mut Peers) -> ChannelId {
    let mut found = None;
    pair.run_until(secs(60), |pair| {
        found = pair.b.take_event(|e| matches!(e, ChannelEvent::Incoming(_)));
        found.is_some()
    })
    .unwrap();
    match found {
        Some(ChannelEvent::Incoming(id)) => id,
        other => panic!("{other:?}"),
    }
}

/// A channel opened by A: its handles on both sides.
pub(crate) fn open(pair: &mut Peers, init: ChannelInit) -> (ChannelId, ChannelId) {
    let a = pair.a.layer.open(pair.now(), init).unwrap();
    (a, incoming(pair))
}

/// [`Config::rtc`] with RFC 9260's own procedures: loss by missing reports and T3-rtx alone, NewReno, no pacing.
pub(crate) fn plain() -> Config {
    Config { rack: false, pacing: false, controller: ControllerKind::NewReno, ..Config::rtc() }
}

pub(crate) fn secs(n: u64) -> std::time::Duration {
    std::time::Duration::from_secs(n)
}

pub(crate) fn millis(n: u64) -> std::time::Duration {
    std::time::Duration::from_millis(n)
}

/// Message `n` of a test: its number, then bytes that follow from it.
pub(crate) fn payload(n: u32, len: usize) -> Bytes {
    let mut out = Vec::with_capacity(len);
    out.extend(n.to_be_bytes().iter().take(len));
    let mut x = n.wrapping_mul(2_654_435_761).wrapping_add(1);
    while out.len() < len {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        out.push((x >> 24) as u8);
    }
    Bytes::from(out)
}

pub(crate) fn number(data: &[u8]) -> u32 {
    u32::from_be_bytes(data[..4].try_into().unwrap())
}

pub(crate) fn read_all(channels: &mut DataChannels, id: ChannelId) -> Vec<ChannelMessage> {
    core::iter::from_fn(|| channels.receive(id)).collect()
}

/// Two associations with nothing between them, for tests that look at single packets.
pub(crate) struct Duo {
    pub(crate) a: Association,
    pub(crate) b: Association,
    pub(crate) now: Instant,
}

impl Duo {
    pub(crate) fn new(config: &Config) -> Self {
        Self::with(config.clone(), config.clone())
    }

    pub(crate) fn with(a: Config, b: Config) -> Self {
        // Tests that look at single packets want no probes among them.
        let quiet = |config| Config { path_mtu_discovery: false, ..config };
        let (a, b) = (quiet(a), quiet(b));
        Self {
            a: Association::new(a, Rng::from_test_seed(1)),
            b: Association::new(b, Rng::from_test_seed(2)),
            now: Instant::from_millis(1_000_000),
        }
    }

    /// Up, with all events taken.
    pub(crate) fn connected(config: &Config) -> Self {
        let mut duo = Self::new(config);
        duo.a.connect(duo.now);
        duo.settle();
        assert_eq!((duo.a.state(), duo.b.state()), (State::Established, State::Established));
        assert_eq!(events(&mut duo.a), [Event::Established]);
        assert_eq!(events(&mut duo.b), [Event::Established]);
        duo
    }

    /// Packets to and fro until both are silent.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            let (x, y) = (packets(&mut self.a, self.now), packets(&mut self.b, self.now));
            if x.is_empty() && y.is_empty() {
                return;
            }
            for packet in &x {
                let _ = self.b.handle_input(self.now, packet);
            }
            for packet in &y {
                let _ = self.a.handle_input(self.now, packet);
            }
        }
        panic!("they never fall silent");
    }

    /// Lets time pass, timers fire and packets flow.
    pub(crate) fn run(&mut self, duration: std::time::Duration) {
        let end = self.now + duration;
        loop {
            self.settle();
            let next = [self.a.poll_timeout(), self.b.poll_timeout()].into_iter().flatten().min();
            match next.filter(|at| *at <= end) {
                Some(at) => self.now = at,
                None => break,
            }
            let _ = self.a.handle_timeout(self.now);
            let _ = self.b.handle_timeout(self.now);
        }
        self.now = end;
    }
}

pub(crate) fn events(association: &mut Association) -> Vec<Event> {
    core::iter::from_fn(|| association.poll_event()).collect()
}

/// Everything it wants to send now.
pub(crate) fn packets(association: &mut Association, now: Instant) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = [0xAA; 2000];
    loop {
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        if association.poll_transmit(now, &mut frame).is_none() {
            assert!(frame.is_empty(), "nothing to send, yet something was written");
            return all;
        }
        assert!(frame.len() <= association.max_packet() && frame.len().is_multiple_of(4));
        all.push(frame.content().to_vec());
        assert!(all.len() < 100_000, "sends without end");
    }
}

pub(crate) fn tag_of(packet: &[u8]) -> u32 {
    Packet::parse(packet).unwrap().header.verification_tag
}

pub(crate) fn chunks(packet: &[u8]) -> Vec<Chunk<'_>> {
    Packet::parse(packet).unwrap().chunks().collect()
}

pub(crate) fn kinds(packet: &[u8]) -> Vec<u8> {
    chunks(packet).iter().map(|c| c.kind).collect()
}

/// A packet with this tag and these chunks, each given as (type, flags, value).
pub(crate) fn packet(tag: u32, chunks: &[(u8, u8, &[u8])]) -> Vec<u8> {
    let mut out = vec![0x13, 0x88, 0x13, 0x88];
    out.extend(tag.to_be_bytes());
    out.extend([0; 4]);
    for (kind, flags, value) in chunks {
        out.extend([*kind, *flags]);
        out.extend((value.len() as u16 + 4).to_be_bytes());
        out.extend(*value);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    seal(&mut out);
    out
}

/// Writes the right checksum.
pub(crate) fn seal(packet: &mut [u8]) {
    let sum = wire::crc(packet);
    packet[8..12].copy_from_slice(&sum.to_le_bytes());
}

/// The value of a DATA chunk.
pub(crate) fn data_value(tsn: u32, stream: u16, ssn: u16, ppid: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = tsn.to_be_bytes().to_vec();
    out.extend(stream.to_be_bytes());
    out.extend(ssn.to_be_bytes());
    out.extend(ppid.to_be_bytes());
    out.extend(payload);
    out
}

/// The value of a SACK chunk without duplicates: blocks by their offsets from `cumulative`.
pub(crate) fn sack_value(cumulative: u32, a_rwnd: u32, blocks: &[(u16, u16)]) -> Vec<u8> {
    let mut out = cumulative.to_be_bytes().to_vec();
    out.extend(a_rwnd.to_be_bytes());
    out.extend((blocks.len() as u16).to_be_bytes());
    out.extend([0, 0]);
    out.extend(blocks.iter().flat_map(|(a, b)| [a.to_be_bytes(), b.to_be_bytes()].concat()));
    out
}

/// What an INIT ACK brings.
#[derive(Debug, PartialEq)]
pub(crate) struct Answered {
    /// Tag to put into packets to who made it.
    pub(crate) tag: u32,
    /// TSN of its first DATA.
    pub(crate) its_tsn: u32,
    pub(crate) cookie: Vec<u8>,
}

/// Hands an INIT with this value in, and takes the INIT ACK.
pub(crate) fn answer_to_init(it: &mut Association, now: Instant, init: &[u8]) -> Answered {
    it.handle_input(now, &packet(0, &[(kind::INIT, 0, init)])).unwrap();
    let answer = packets(it, now).remove(0);
    let ack = wire::Init::parse(chunks(&answer)[0].value).unwrap();
    let cookie = ack.params.find(wire::param::STATE_COOKIE).unwrap().to_vec();
    Answered { tag: ack.initiate_tag, its_tsn: ack.initial_tsn.0, cookie }
}

/// Hands a COOKIE ECHO in.
pub(crate) fn echo(it: &mut Association, now: Instant, tag: u32, cookie: &[u8]) {
    it.handle_input(now, &packet(tag, &[(kind::COOKIE_ECHO, 0, cookie)])).unwrap();
}

/// One association, up, and what a test that plays its peer needs to know.
pub(crate) struct Victim {
    pub(crate) it: Association,
    pub(crate) now: Instant,
    /// Tag to put into packets to it.
    pub(crate) tag: u32,
    /// TSN of our first DATA.
    pub(crate) tsn: u32,
    /// TSN of its first DATA.
    pub(crate) its_tsn: u32,
}

/// Our own Verification Tag when a test plays the peer.
pub(crate) const OUR_TAG: u32 = 0x0BAD_CAFE;

impl Victim {
    pub(crate) fn new(config: Config) -> Self {
        Self::with_params(config, &[0xC0, 0, 0, 4, 0x80, 8, 0, 6, 0xC0, 0x82])
    }

    /// With these parameters in our INIT.
    pub(crate) fn with_params(mut config: Config, params: &[u8]) -> Self {
        let now = Instant::from_millis(5);
        config.path_mtu_discovery = false;
        let mut it = Association::new(config, Rng::from_test_seed(77));
        let Answered { tag, its_tsn, cookie } = answer_to_init(&mut it, now, &init_value(OUR_TAG, 1000, params));
        echo(&mut it, now, tag, &cookie);
        assert_eq!(it.state(), State::Established);
        assert_eq!(kinds(&packets(&mut it, now)[0]), [kind::COOKIE_ACK]);
        assert_eq!(events(&mut it), [Event::Established]);
        Self { it, now, tag, tsn: 1000, its_tsn }
    }

    pub(crate) fn input(&mut self, chunks: &[(u8, u8, &[u8])]) -> Result<(), weft_sctp::AssociationError> {
        self.it.handle_input(self.now, &packet(self.tag, chunks))
    }

    pub(crate) fn output(&mut self) -> Vec<Vec<u8>> {
        packets(&mut self.it, self.now)
    }
}

/// The value of an INIT or INIT ACK.
pub(crate) fn init_value(tag: u32, tsn: u32, params: &[u8]) -> Vec<u8> {
    let mut out = tag.to_be_bytes().to_vec();
    out.extend(1_000_000_u32.to_be_bytes());
    out.extend([0xFF, 0xFF, 0xFF, 0xFF]);
    out.extend(tsn.to_be_bytes());
    out.extend(params);
    out
}

/// Sends `count` messages of sizes by `size` from A to B over an ordered channel, and checks that each arrives exactly
/// once, in order and unaltered.
pub(crate) fn transfer(pair: &mut Peers, count: u32, mut size: impl FnMut(u32) -> usize, within: u64) {
    let (a, b) = open(pair, ChannelInit::default());
    let (mut sent, mut received) = (0, 0);
    let mut waiting: Option<Bytes> = None;
    pair.run_until(secs(within), |pair| {
        while sent < count {
            let data = waiting.take().unwrap_or_else(|| payload(sent, size(sent)));
            if pair.a.layer.send(pair.now(), a, MessageKind::Binary, data.clone()).is_err() {
                waiting = Some(data);
                break;
            }
            sent += 1;
        }
        for message in read_all(&mut pair.b.layer, b) {
            let len = message.data.len();
            assert!(message.data == payload(received, len), "message {received} of {len} bytes differs");
            received += 1;
        }
        received == count
    })
    .unwrap_or_else(|stalled| {
        let (a, b) = (pair.a.layer.association().stats(), pair.b.layer.association().stats());
        panic!("{received} of {count} arrived; {stalled}\n{a:?}\n{b:?}")
    });
}
