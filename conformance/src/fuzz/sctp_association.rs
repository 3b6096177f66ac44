//! A live SCTP association: whatever chunks its peer sends, with tags and checksums repaired, and whatever its application
//! does meanwhile.
//!
//! The input is a list of steps: a byte that says what, another that says how much, and for packets that many bytes of
//! chunks. What must hold: no panic, no endless sending, packets well formed and in size, and what it holds for its
//! application and its peer stays within its limits.

use bytes::Bytes;
use weft_core::Layer as _;
use weft_sctp::{Config, Reliability, SendOptions};

use super::sctp_peer::Peer;

/// Steps run; the rest is ignored, so that one input ends in good time.
const MAX_STEPS: usize = 256;

const SEND_BUFFER: usize = 20_000;

/// Runs the steps.
pub(super) fn run(data: &[u8]) {
    let Some((&first, mut rest)) = data.split_first() else { return };
    let interleaving = first & 1 != 0;
    let config = Config {
        receive_buffer: 20_000,
        max_receive_entries: 200,
        max_message_size: 10_000,
        send_buffer: SEND_BUFFER,
        max_send_buffer: SEND_BUFFER,
        max_send_entries: 200,
        zero_checksum: first & 2 != 0,
        interleaving,
        ..if first & 4 == 0 { Config::default() } else { Config::rtc() }
    };
    let Some(mut peer) = Peer::new(config, interleaving) else { return };
    for _ in 0..MAX_STEPS {
        let Some((&[what, amount], after)) = rest.split_first_chunk() else { break };
        rest = after;
        let stream = u16::from(what >> 4);
        match what & 15 {
            0 => peer.advance(u64::from(amount) * 20),
            1 => {
                let reliability = match amount & 3 {
                    0 => Reliability::MaxRetransmits(0),
                    1 => Reliability::MaxLifetime(500),
                    _ => Reliability::Reliable,
                };
                let options = SendOptions { ordered: amount & 4 == 0, reliability, ..SendOptions::default() };
                let message = Bytes::from(vec![amount; 1 + usize::from(amount) * 20]);
                let _ = peer.it.send(peer.now, stream, 53, message, options);
            }
            2 => peer.it.reset_streams(peer.now, &[stream]),
            3 if amount == 0 => peer.it.shutdown(peer.now),
            3 if amount == 1 => peer.it.abort(peer.now),
            4 => while peer.it.receive().is_some() {},
            5 => while peer.it.poll_event().is_some() {},
            _ => {
                let (chunks, after) = rest.split_at(usize::from(amount).min(rest.len()));
                rest = after;
                peer.input(chunks);
            }
        }
        peer.output();
        let stats = peer.it.stats();
        // Half as much again is for streams with nothing queued.
        assert!(stats.buffered <= SEND_BUFFER + SEND_BUFFER / 2, "it holds {} bytes for its peer", stats.buffered);
        assert!(stats.a_rwnd <= 20_000, "it offers {} bytes", stats.a_rwnd);
    }
    let mut held = 0;
    while let Some(message) = peer.it.receive() {
        held += message.payload.len();
    }
    assert!(held <= 2 * 20_000 + 10_000, "it held {held} bytes for its application");
}
