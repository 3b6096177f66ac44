//! Putting messages together: fragments of any kind in any order, ordered and not, as DATA or I-DATA, with messages
//! skipped in between.
//!
//! The input is a list of steps of four bytes: flags and kind, TSN, stream and message number, length. What must hold:
//! no more comes out than went in, each byte out was one in of that stream, and once everything is skipped and taken the
//! whole window is open again: nothing leaks from the accounts.

use weft_sctp::Config;
use weft_sctp::wire::kind;

use super::sctp_peer::{Peer, TSN, chunk};

const WINDOW: usize = 50_000;
const MAX_STEPS: usize = 512;

/// Runs the steps.
pub(super) fn run(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let interleaving = first & 1 != 0;
    let config = Config {
        receive_buffer: WINDOW,
        max_message_size: 20_000,
        zero_checksum: false,
        interleaving,
        heartbeat_interval: None,
        ..Config::default()
    };
    let Some(mut peer) = Peer::new(config, interleaving) else { return };
    let (mut went_in, mut came_out) = ([0_usize; 16], [0_usize; 16]);
    let (steps, _) = rest.as_chunks::<4>();
    let mut highest = 0;
    for &[what, tsn, which, length] in steps.iter().take(MAX_STEPS) {
        let tsn = u32::from(tsn);
        let stream = which & 15;
        highest = highest.max(tsn);
        if what & 0xF0 == 0xF0 {
            skip(&mut peer, interleaving, tsn, u16::from(stream), which >> 4);
        } else {
            fragment(&mut peer, interleaving, [what, which, length], tsn);
            if let Some(bytes) = went_in.get_mut(usize::from(stream)) {
                *bytes += usize::from(length) + 1;
            }
        }
        peer.output();
        take(&mut peer, &mut came_out);
    }
    for (stream, (out, into)) in came_out.iter().zip(&went_in).enumerate() {
        assert!(out <= into, "stream {stream}: {out} bytes came out, {into} went in");
    }
    // Everything is given up: nothing may be left.
    for stream in 0..16 {
        skip(&mut peer, interleaving, highest + 1 + u32::from(stream), stream, 15);
    }
    peer.output();
    take(&mut peer, &mut came_out);
    if !peer.it.is_over() {
        assert_eq!(peer.it.stats().a_rwnd, WINDOW, "the window is open again");
    }
}

/// The application takes what there is: bytes that say which stream they were sent on.
fn take(peer: &mut Peer, came_out: &mut [usize; 16]) {
    while let Some(message) = peer.it.receive() {
        assert!(message.payload.iter().all(|b| u16::from(*b) == message.stream), "bytes of another stream");
        if let Some(bytes) = came_out.get_mut(usize::from(message.stream)) {
            *bytes += message.payload.len();
        }
    }
}

fn fragment(peer: &mut Peer, interleaving: bool, [what, which, length]: [u8; 3], tsn: u32) {
    let (stream, number) = (which & 15, which >> 4);
    let mut value = TSN.wrapping_add(tsn).to_be_bytes().to_vec();
    value.extend([0, stream]);
    if interleaving {
        value.extend([0, 0, 0, 0, 0, number]);
        // The PPID in a first fragment, else the Fragment Sequence Number.
        let last = if what & 2 == 0 { u32::from(what >> 4) } else { 53 };
        value.extend(last.to_be_bytes());
    } else {
        value.extend([0, number, 0, 0, 0, 53]);
    }
    value.resize(value.len() + usize::from(length) + 1, stream);
    peer.input(&chunk(if interleaving { kind::I_DATA } else { kind::DATA }, what & 15, &value));
}

fn skip(peer: &mut Peer, interleaving: bool, tsn: u32, stream: u16, number: u8) {
    let mut value = TSN.wrapping_add(tsn).to_be_bytes().to_vec();
    value.extend(stream.to_be_bytes());
    if interleaving {
        // Both orders: what is not skipped in one is in the other.
        for unordered in [0, 1] {
            if unordered == 1 {
                value.extend(stream.to_be_bytes());
            }
            value.extend([0, unordered, 0, 0, 0, number]);
        }
    } else {
        value.extend([0, number]);
    }
    peer.input(&chunk(if interleaving { kind::I_FORWARD_TSN } else { kind::FORWARD_TSN }, 0, &value));
}
