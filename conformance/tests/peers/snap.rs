//! INIT chunks exchanged beforehand (SNAP), with `sctp-proto`: no handshake on the wire.

use std::time::Duration;

use bytes::Bytes;
use weft_benches::stacks::{Outgoing, SctpProto, Weft};
use weft_core::{Instant, Rng};
use weft_sctp::wire::{Packet, kind};
use weft_sctp::{Association, Config, Reliability};
use weft_testkit::{LinkConfig, Loss, Pair, for_seeds};

use crate::side::End;

#[test]
fn up_without_a_handshake_and_whole_under_loss() {
    for_seeds("up_without_a_handshake_and_whole_under_loss", 300, |seed| {
        let mut rng = Rng::from_test_seed(seed);
        let mut ours = Association::new(Config::rtc(), rng.fork());
        let theirs = SctpProto::init_chunk().unwrap();
        let local = Bytes::from(ours.local_init());
        ours.connect_with_init(Instant::ORIGIN, &theirs).unwrap();
        let peer = SctpProto::with_inits(theirs, local);
        let loss = [0.0, 0.02, 0.1][(seed % 3) as usize];
        let link = LinkConfig { loss: Loss::Random(loss), ..LinkConfig::with_delay_ms(1 + rng.below(80)) };
        let mut pair = Pair::new(End::new(Box::new(Weft::of(ours))), End::new(Box::new(peer)), link, seed);
        pair.capture();
        pair.b.side().connect(Instant::ORIGIN);
        let message = |n: u16| Outgoing {
            stream: n % 3,
            ordered: true,
            reliability: Reliability::Reliable,
            payload: Bytes::from(vec![n as u8; 1 + usize::from(n) * 400]),
        };
        let mut left = [0, 0];
        let done = pair.run_until(Duration::from_secs(300), |pair| {
            let now = pair.now();
            for (end, left) in [&mut pair.a, &mut pair.b].into_iter().zip(&mut left) {
                while *left < 40 && end.side().send_message(now, &message(*left)) {
                    *left += 1;
                }
            }
            pair.a.got.len() == 40 && pair.b.got.len() == 40
        });
        done.unwrap_or_else(|stalled| panic!("{} and {}: {stalled}", pair.a.got.len(), pair.b.got.len()));
        for got in [&pair.a.got, &pair.b.got] {
            for stream in 0..3 {
                let got: Vec<&Bytes> = got.iter().filter(|m| m.0 == stream).map(|m| &m.1).collect();
                let sent: Vec<Bytes> = (0..40).map(message).filter(|m| m.stream == stream).map(|m| m.payload).collect();
                assert!(got.iter().copied().eq(&sent), "stream {stream}");
            }
        }
        for sent in pair.trace() {
            let packet = Packet::parse(&sent.packet.payload).unwrap();
            let handshake = [kind::INIT, kind::INIT_ACK, kind::COOKIE_ECHO, kind::COOKIE_ACK];
            assert!(packet.chunks().all(|chunk| !handshake.contains(&chunk.kind)), "{:?}", sent.from);
        }
    });
}
