//! Flights carried by somebody else: asked for as datagrams, handed in as datagrams, DTLS's own timer at rest.

use std::time::Duration;

use weft_core::{Layer, Rng};
use weft_dtls::{Connection, ProtocolVersion, Role};

use crate::link::{PERFECT, Pair, config_any};

fn pair(version: ProtocolVersion, seed: u64) -> Pair {
    let [client, server] = [Role::Client, Role::Server].map(|role| {
        let mut config = config_any(role);
        config.versions = vec![version];
        // What DTLS inside STUN has room for, so that a post-quantum hello makes two datagrams.
        config.mtu = 900;
        config
    });
    let mut pair = Pair::new(client, server, PERFECT, seed);
    for end in &mut pair.ends {
        end.rest_retransmissions(pair.now, true);
    }
    pair.ends[0].start(pair.now);
    pair
}

/// What carries the flights: each side's current datagrams, sent in turn, one with every check, until the peer says that
/// it has them.
struct Carrier {
    flight: Option<u32>,
    datagrams: Vec<Vec<u8>>,
    turn: usize,
}

impl Carrier {
    fn new() -> Self {
        Self { flight: None, datagrams: Vec::new(), turn: 0 }
    }

    fn next(&mut self, end: &mut Connection) -> Option<Vec<u8>> {
        let flight = end.flight_number();
        if flight != self.flight {
            self.flight = flight;
            self.datagrams = end.flight_datagrams();
            assert!(self.datagrams.iter().all(|datagram| datagram.len() <= 900));
        }
        self.turn += 1;
        self.datagrams.get(self.turn % self.datagrams.len().max(1)).cloned()
    }
}

#[test]
fn a_handshake_is_carried_by_somebody_else() {
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        weft_testkit::for_seeds("a_handshake_is_carried_by_somebody_else", 2_000, |seed| {
            let mut rng = Rng::from_test_seed(seed);
            let loss = rng.below(40) as f64 / 100.0;
            let mut pair = pair(version, seed);
            let mut carriers = [Carrier::new(), Carrier::new()];
            let mut rounds = 0;
            while !pair.both_connected() {
                rounds += 1;
                assert!(rounds < 400, "seed {seed} {version}: loss {loss}");
                pair.now += Duration::from_millis(20);
                for (from, carrier) in carriers.iter_mut().enumerate() {
                    assert!(pair.ends[from].poll_timeout().is_none_or(
                        |at| at - pair.now > Duration::from_secs(20) || version == ProtocolVersion::DTLS_1_3
                    ));
                    pair.ends[from].handle_timeout(pair.now).unwrap();
                    if let Some(mut datagram) = carrier.next(&mut pair.ends[from])
                        && !rng.chance(loss)
                    {
                        pair.ends[1 - from].handle_handshake_datagram(pair.now, &mut datagram).unwrap();
                    }
                    // ACKs of 1.3 go their own way.
                    for mut datagram in pair.take(from) {
                        if !rng.chance(loss) {
                            pair.ends[1 - from].handle_handshake_datagram(pair.now, &mut datagram).unwrap();
                        }
                    }
                }
            }
            for end in 0..2 {
                assert_eq!(pair.ends[end].counters().retransmissions, 0, "the timer rests");
                pair.ends[end].rest_retransmissions(pair.now, false);
            }
            for end in 0..2 {
                pair.send_data(end, b"data");
            }
            pair.run_for(Duration::from_secs(1));
            assert_eq!(pair.received, [[b"data".to_vec()], [b"data".to_vec()]], "seed {seed} {version}");
        });
    }
}

/// What was asked for is not given out a second time; when the timer goes on, it is.
#[test]
fn a_flight_that_was_asked_for_counts_as_sent() {
    let mut pair = pair(ProtocolVersion::DTLS_1_3, 1);
    let first = pair.ends[0].flight_number().unwrap();
    assert_eq!(pair.ends[0].flight_datagrams().len(), 2);
    assert!(pair.take(0).is_empty());
    assert_eq!(pair.ends[0].flight_datagrams().len(), 2, "but can be asked for again");
    pair.now += Duration::from_secs(5);
    pair.ends[0].handle_timeout(pair.now).unwrap();
    assert!(pair.take(0).is_empty());
    pair.ends[0].rest_retransmissions(pair.now, false);
    assert_eq!(pair.ends[0].poll_timeout(), Some(pair.now + Duration::from_secs(1)));
    pair.now += Duration::from_secs(1);
    pair.ends[0].handle_timeout(pair.now).unwrap();
    assert_eq!((pair.take(0).len(), pair.ends[0].flight_number()), (2, Some(first)));
    assert_eq!(pair.ends[1].flight_number(), None);
}

/// Application data has no business inside a check, and what was kept for later is not lost by one.
#[test]
fn application_data_does_not_come_with_a_carried_datagram() {
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        let mut pair = pair(version, 2);
        // The server is connected, the client lacks its last flight (1.2), or has sent its own (1.3).
        for turn in 0..2 {
            for from in 0..2 {
                if turn == 1 && from == 1 {
                    break;
                }
                for mut datagram in pair.ends[from].flight_datagrams() {
                    pair.ends[1 - from].handle_handshake_datagram(pair.now, &mut datagram).unwrap();
                }
            }
        }
        assert!(pair.ends[1].is_connected());
        let early = pair.seal(1, b"early");
        let carried = pair.seal(1, b"carried");
        if version == ProtocolVersion::DTLS_1_2 {
            pair.inject(0, &early);
            let flight: Vec<_> = pair.ends[1].flight_datagrams();
            for mut datagram in flight {
                pair.ends[0].handle_handshake_datagram(pair.now, &mut datagram).unwrap();
            }
        } else {
            pair.inject(0, &early);
        }
        assert!(pair.ends[0].is_connected());
        let before = pair.ends[0].counters().unexpected_records;
        pair.ends[0].handle_handshake_datagram(pair.now, &mut carried.clone()).unwrap();
        assert_eq!(pair.ends[0].counters().unexpected_records, before + 1);
        pair.inject(0, &[]);
        assert_eq!(pair.received[0], [b"early".to_vec()], "{version}");
    }
}
