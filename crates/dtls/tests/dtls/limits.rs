//! Limits on keys: how much they seal, and how many forgeries they bear (RFC 9147 section 4.5.3).

use std::time::Duration;

use weft_core::Wrap;
use weft_dtls::{AlertDescription, CipherSuite, ProtocolVersion, Role};

use crate::link::{Network, PERFECT, Pair, config_any};

fn pair(version: ProtocolVersion, network: Network, seed: u64, change: impl Fn(&mut weft_dtls::Config)) -> Pair {
    let [client, server] = [Role::Client, Role::Server].map(|role| {
        let mut config = config_any(role);
        config.versions = vec![version];
        change(&mut config);
        config
    });
    let mut pair = Pair::new(client, server, network, seed);
    pair.connect(Duration::from_secs(60));
    assert!(pair.both_connected(), "seed {seed} {:?}", pair.errors);
    pair
}

/// Bulk data both ways while keys are changed many times, by the limit or because the other side asks: nothing that
/// the network delivers is lost, on good networks and bad ones.
#[test]
fn bulk_data_flows_across_key_updates() {
    weft_testkit::for_seeds("bulk_data_flows_across_key_updates", 500, |seed| {
        let mut rng = weft_core::Rng::from_test_seed(seed);
        let bad = seed % 2 == 1;
        let network = Network {
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(if bad { 15 } else { 0 }),
            loss: if bad { 0.1 } else { 0.0 },
            duplication: if bad { 0.1 } else { 0.0 },
        };
        let suites =
            [CipherSuite::AES_128_GCM_SHA256, CipherSuite::AES_256_GCM_SHA384, CipherSuite::CHACHA20_POLY1305_SHA256];
        let mut pair = pair(ProtocolVersion::DTLS_1_3, network, seed, |config| {
            config.cipher_suites = vec![suites[(seed / 2 % 3) as usize]];
            config.limits.records_per_key = 100 + seed % 50;
            config.initial_rto = Duration::from_millis(100);
        });
        let mut last_low_bits = [0; 2];
        let mut changes = [0; 2];
        for n in 0..2000_u32 {
            for from in 0..2 {
                let datagram = pair.seal(from, &n.to_be_bytes());
                changes[from] += u32::from(datagram[0] & 3 != last_low_bits[from]);
                last_low_bits[from] = datagram[0] & 3;
                pair.send(from, datagram);
            }
            pair.run_for(Duration::from_micros(500 + rng.below(1500)));
        }
        pair.run_for(Duration::from_secs(2));
        for end in 0..2 {
            assert!(changes[end] >= 5, "seed {seed}: {changes:?} changes");
            let counters = pair.ends[end].counters();
            let got = pair.received[end].len();
            if bad {
                assert!(got > 1600, "seed {seed}: {got} {counters:?}");
            } else {
                assert_eq!(got, 2000, "seed {seed}: {counters:?}");
            }
            assert_eq!((counters.forged_records, pair.errors[end]), (0, None), "seed {seed}");
            // The tail of an epoch overtaken by two updates may go; nothing like that many come within a round trip.
            assert!(counters.unexpected_records < 20, "seed {seed}: {counters:?}");
        }
    });
}

/// Forged records of an epoch, as anybody can write them.
fn forge(pair: &mut Pair, to: usize, times: u64) {
    let genuine = pair.seal(1 - to, b"genuine");
    for n in 0..times {
        let mut forged = genuine.clone();
        let at = forged.len() - 1 - (n % 8) as usize;
        forged[at] ^= 1 + (n % 7) as u8;
        pair.inject(to, &forged);
    }
}

//= rfc9147#4.5.3
//# Implementations MUST count the number of received packets that fail authentication with each key.
//= rfc9147#4.5.3
//# If the number of packets that fail authentication exceeds a limit that is specific to the AEAD in use, an
//# implementation SHOULD immediately close the connection.
#[test]
fn too_many_forgeries_end_the_connection() {
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        let mut pair = pair(version, PERFECT, 1, |config| config.limits.forgeries_per_key = 1000);
        forge(&mut pair, 0, 1000);
        assert_eq!((pair.errors[0], pair.ends[0].counters().forged_records), (None, 1000));
        forge(&mut pair, 0, 1);
        let error = pair.errors[0].unwrap();
        assert_eq!(
            (error.to_string().as_str(), error.alert_sent()),
            ("too many forged records (sent alert bad_record_mac)", Some(AlertDescription::BAD_RECORD_MAC))
        );
        assert_eq!(pair.ends[0].overhead(), None, "and nothing is sealed any more");
    }
}

//= rfc9147#4.5.3
//# Implementations SHOULD initiate a key update with update_requested before reaching this limit.
#[test]
fn new_keys_are_asked_for_before_forgeries_use_up_the_old() {
    let mut pair = pair(ProtocolVersion::DTLS_1_3, PERFECT, 2, |config| config.limits.forgeries_per_key = 1000);
    pair.run_for(Duration::from_secs(1));
    for _ in 0..20 {
        let before = [0, 1].map(|end| pair.seal(end, b"x")[0] & 3);
        forge(&mut pair, 0, 600);
        pair.run_for(Duration::from_secs(1));
        let after = [0, 1].map(|end| pair.seal(end, b"x")[0] & 3);
        assert!(before[0] != after[0] && before[1] != after[1], "both directions have new keys");
    }
    assert_eq!(pair.ends[0].counters().forged_records, 12_000);
    assert_eq!(pair.errors, [None; 2]);
    pair.send_data(1, b"still there");
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.received[0], [b"still there".to_vec()]);
}
