//! A peer of one association that the SCTP targets play: tags and checksums of its packets are right.

use weft_core::{Frame, Instant, Layer as _, Overhead, Rng};
use weft_sctp::wire::{self, Init, Packet, kind, param};
use weft_sctp::{Association, Config};

/// Our tag.
const TAG: u32 = 0x0102_0304;
/// The TSN of our first chunk, near the wrap.
pub(super) const TSN: u32 = 0xFFFF_FFF8;
/// Parameters of our INIT: every extension there is (FORWARD TSN; I-DATA, I-FORWARD-TSN, RE-CONFIG and FORWARD TSN as
/// supported).
const PARAMETERS: [u8; 12] = [0xC0, 0, 0, 4, 0x80, 8, 0, 8, 0x82, 0xC0, 0x40, 0xC2];
/// The same without interleaving.
const PLAIN: [u8; 12] = [0xC0, 0, 0, 4, 0x80, 8, 0, 8, 0x82, 0xC0, 0x82, 0xC0];

/// An association that is up, and what its peer must know.
pub(super) struct Peer {
    pub(super) it: Association,
    pub(super) now: Instant,
    tag: u32,
    mtu: usize,
}

impl Peer {
    /// Sets it up; `None` if the association will not have it.
    pub(super) fn new(config: Config, interleaving: bool) -> Option<Self> {
        let now = Instant::from_millis(1);
        let mtu = config.mtu;
        let mut peer = Self { it: Association::new(config, Rng::from_test_seed(1)), now, tag: 0, mtu };
        let mut init = TAG.to_be_bytes().to_vec();
        init.extend([0, 0x10, 0, 0, 0, 16, 0, 16]);
        init.extend(TSN.to_be_bytes());
        init.extend(if interleaving { PARAMETERS } else { PLAIN });
        peer.input(&chunk(kind::INIT, 0, &init));
        let answer = peer.output().pop()?;
        let packet = Packet::parse(&answer).ok()?;
        let ack = Init::parse(packet.chunks().next()?.value)?;
        peer.tag = ack.initiate_tag;
        peer.input(&chunk(kind::COOKIE_ECHO, 0, ack.params.find(param::STATE_COOKIE)?));
        peer.output();
        Some(peer)
    }

    /// Hands in one packet with these chunks.
    pub(super) fn input(&mut self, chunks: &[u8]) {
        let mut packet = vec![0x13, 0x88, 0x13, 0x88];
        packet.extend(self.tag.to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(chunks);
        let sum = wire::crc(&packet).to_le_bytes();
        if let Some(field) = packet.get_mut(8..12) {
            field.copy_from_slice(&sum);
        }
        let _ = self.it.handle_input(self.now, &packet);
    }

    /// Lets time pass, firing what is due on the way (not more than a few timers).
    pub(super) fn advance(&mut self, ms: u64) {
        let end = self.now + core::time::Duration::from_millis(ms);
        for _ in 0..8 {
            let Some(at) = self.it.poll_timeout().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            let _ = self.it.handle_timeout(self.now);
            self.output();
        }
        self.now = self.now.max(end);
        let _ = self.it.handle_timeout(self.now);
    }

    /// What it sends now: each packet well formed and no larger than it may be.
    pub(super) fn output(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = [0; 2048];
        let mut packets = Vec::new();
        loop {
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            if self.it.poll_transmit(self.now, &mut frame).is_none() {
                return packets;
            }
            let packet = frame.content().to_vec();
            assert!(packet.len() <= self.mtu, "{} bytes", packet.len());
            let parsed = Packet::parse(&packet);
            let whole = parsed
                .is_ok_and(|p| p.chunks().map(|c| c.raw.len().next_multiple_of(4)).sum::<usize>() + 12 == packet.len());
            assert!(whole, "what it sends is whole chunks");
            packets.push(packet);
            assert!(packets.len() < 10_000, "it sends without end");
        }
    }
}

/// A chunk with its padding.
pub(super) fn chunk(kind: u8, flags: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, flags];
    out.extend((value.len() as u16 + 4).to_be_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}
