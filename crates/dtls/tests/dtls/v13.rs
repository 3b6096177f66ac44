//! DTLS 1.3 between ourselves, and with a side that speaks 1.2 alone.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use weft_core::{Frame, Layer, Overhead, Rng, Spent, Wrap};
use weft_dtls::wire::{
    ClientHello, ExtensionType, Fragment, HandshakeType, KeyShares, MAX_PLAINTEXT, RECORD_HEADER, UnifiedHeader,
};
use weft_dtls::{AlertDescription, CipherSuite, Config, Event, NamedGroup, ProtocolVersion, Role, Verifier};

use crate::link::{CERTIFICATES, Network, PERFECT, Pair, config, config_any, fingerprint_of};

const V13: ProtocolVersion = ProtocolVersion::DTLS_1_3;
const V12: ProtocolVersion = ProtocolVersion::DTLS_1_2;
const SUITES: [CipherSuite; 3] =
    [CipherSuite::AES_128_GCM_SHA256, CipherSuite::AES_256_GCM_SHA384, CipherSuite::CHACHA20_POLY1305_SHA256];
const GROUPS: [NamedGroup; 4] =
    [NamedGroup::X25519MLKEM768, NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1];

fn both(change: impl Fn(&mut Config)) -> [Config; 2] {
    [Role::Client, Role::Server].map(|role| {
        let mut config = config_any(role);
        change(&mut config);
        config
    })
}

fn pair_of([client, server]: [Config; 2], network: Network, seed: u64) -> Pair {
    Pair::new(client, server, network, seed)
}

fn connected(configs: [Config; 2], seed: u64) -> Pair {
    let mut pair = pair_of(configs, PERFECT, seed);
    pair.connect(Duration::from_secs(5));
    assert!(pair.both_connected(), "seed {seed}: {:?}", pair.errors);
    pair
}

fn version(pair: &Pair, end: usize) -> ProtocolVersion {
    pair.ends[end].info().unwrap().version
}

/// Sends something both ways and sees that it arrives.
fn talk(pair: &mut Pair) {
    pair.received = Default::default();
    pair.send_data(0, b"ping");
    pair.send_data(1, b"pong");
    pair.run_for(Duration::from_millis(100));
    assert_eq!(pair.received, [vec![b"pong".to_vec()], vec![b"ping".to_vec()]]);
}

//= rfc9147#7.1
//# In general, flights MUST be ACKed unless they are implicitly acknowledged.
//= rfc9147#7.2
//# Once all the messages in a flight have been acknowledged, the implementation MUST cancel all retransmissions of that
//# flight.
//= rfc8446#9.1
//# A TLS-compliant application MUST implement the TLS_AES_128_GCM_SHA256 [GCM] cipher suite
//= rfc8446#4.4.4
//# Any records following a Finished message MUST be encrypted under the appropriate application traffic key as
//# described in Section 7.2.
//= rfc8446#4.4.2
//# The server MUST send a Certificate message whenever the agreed-upon key exchange method uses certificates for
//# authentication (this includes all key exchange methods defined in this document except PSK).
//= rfc8446#4.4.2
//# The client MUST send a Certificate message if and only if the server has requested client authentication via a
//# CertificateRequest message (Section 4.3.2).
//= rfc8446#4.4.2
//# The sender's certificate MUST come in the first CertificateEntry in the list.
//= rfc8446#4.4.3
//# Servers MUST send this message when authenticating via a certificate.
//= rfc8446#4.4.3
//# Clients MUST send this message whenever authenticating via a certificate (i.e., when the Certificate message is
//# non-empty).
//= rfc8446#4.3.1
//# In all handshakes, the server MUST send the EncryptedExtensions message immediately after the ServerHello message.
//= rfc9147#7.2
//# As noted above, the receipt of any record responding to a given flight MUST be taken as an implicit acknowledgement
//# for the entire flight to which it is responding.
//= rfc8446#4.3.2
//# This message, if sent, MUST follow EncryptedExtensions.
//= rfc8446#4.3.2
//# This field SHALL be zero length unless used for the post-handshake authentication exchanges described in Section
//# 4.6.2.
//= rfc8446#4.3.2
//# The "signature_algorithms" extension MUST be specified, and other extensions may optionally be included if defined
//# for this message.
//= rfc8446#4.4.2
//# Otherwise (in the case of server authentication), this field SHALL be zero length.
//= rfc8446#4.4.2
//# The server's certificate_list MUST always be non-empty.
//= rfc8446#4.4.3
//# If sent by a client, the signature algorithm used in the signature MUST be one of those present in the
//# supported_signature_algorithms field of the "signature_algorithms" extension in the CertificateRequest message.
//= rfc8446#4.4.3
//# In addition, the signature algorithm MUST be compatible with the key in the sender's end-entity certificate.
#[test]
fn completes_in_one_round_trip_and_a_half() {
    let mut pair = connected(both(|_| {}), 1);
    assert_eq!(pair.now.as_millis(), 30);
    // The hello makes two datagrams, the server's flight two or three; the ACK is still to be sent or under way.
    assert_eq!(pair.datagrams[0], 3);
    for end in 0..2 {
        let info = pair.ends[end].info().unwrap().clone();
        assert_eq!((info.version, info.version.name()), (V13, Some("1.3")));
        assert_eq!(info.cipher_suite.name(), Some("TLS_AES_128_GCM_SHA256"));
        assert_eq!(info.group.name(), Some("X25519MLKEM768"));
        assert_eq!(info.peer_certificate.as_deref(), Some(CERTIFICATES[1 - end].der()));
        assert_eq!(pair.events[end], [Event::Connected(info)]);
        let room = pair.ends[end].overhead().unwrap();
        assert_eq!((room.head, room.tail), (5, 17));
    }
    talk(&mut pair);
    for end in 0..2 {
        assert_eq!(pair.ends[end].poll_timeout(), None, "no timer runs on");
        assert_eq!(pair.ends[end].counters().retransmissions, 0);
    }
}

//= rfc8446#9.1
//# A TLS-compliant application MUST support key exchange with secp256r1 (NIST P-256) and SHOULD support key exchange
//# with X25519 [RFC7748].
//= rfc8446#9.3
//# A client sending a ClientHello MUST support all parameters advertised in it.
#[test]
fn every_suite_with_every_group_with_and_without_retry() {
    for (seed, suite) in SUITES.into_iter().enumerate() {
        for group in GROUPS {
            for retry in [false, true] {
                let [mut client, mut server] = both(|config| config.cipher_suites = vec![suite]);
                server.groups = vec![group];
                // A client that prefers another group has no share of this one.
                client.groups = GROUPS.to_vec();
                client.groups.retain(|other| *other != group);
                let at = usize::from(retry);
                if retry && (group == NamedGroup::X25519MLKEM768 || group == NamedGroup::X25519) {
                    client.groups = vec![NamedGroup::SECP256R1];
                }
                client.groups.insert(at, group);
                let hellos = Rc::new(RefCell::new(0));
                let seen = hellos.clone();
                let mut pair = pair_of([client, server], PERFECT, seed as u64);
                pair.filter = Box::new(move |from, datagram| {
                    if from == 0 && datagram[0] == 22 && datagram[RECORD_HEADER] == 1 {
                        let (fragment, _) = Fragment::parse(&datagram[RECORD_HEADER..]).unwrap();
                        *seen.borrow_mut() = fragment.message_seq;
                    }
                    true
                });
                pair.connect(Duration::from_secs(5));
                assert!(pair.both_connected(), "{suite} {group} {retry}: {:?}", pair.errors);
                for end in 0..2 {
                    let info = pair.ends[end].info().unwrap();
                    assert_eq!((info.version, info.cipher_suite, info.group), (V13, suite, group));
                }
                assert_eq!(*hellos.borrow(), u16::from(retry), "number of the last hello");
                pair.filter = Box::new(|_, _| true);
                talk(&mut pair);
            }
        }
    }
}

//= rfc8446#4.1.4
//# The server's extensions MUST contain "supported_versions".
//= rfc8446#2
//# the server's share MUST be in the same group as one of the client's shares.
#[test]
fn a_retry_takes_one_more_round_trip() {
    let [client, mut server] = both(|_| {});
    server.groups = vec![NamedGroup::SECP384R1];
    let pair = connected([client, server], 3);
    assert_eq!(pair.now.as_millis(), 50);
    assert_eq!(pair.ends[0].info().unwrap().group, NamedGroup::SECP384R1);
}

#[test]
fn exported_keys_agree_and_differ_by_label_and_context() {
    let pair = connected(both(|_| {}), 4);
    let export = |end: usize, label: &str, context: Option<&[u8]>| {
        let mut out = [0; 60];
        pair.ends[end].export_keying_material(label, context, &mut out).map(|()| out)
    };
    let mut seen = Vec::new();
    for (label, context) in [("EXTRACTOR-dtls_srtp", None), ("x", None), ("x", Some(&b"context"[..]))] {
        let material = export(0, label, context).unwrap();
        assert_eq!(material, export(1, label, context).unwrap());
        assert!(!seen.contains(&material));
        seen.push(material);
    }
    assert_eq!(export(0, "x", None), export(1, "x", Some(&[])), "no context is an empty one");
    assert!(export(0, "x", Some(&vec![0; 65_536])).is_err());
    assert!(pair.ends[0].export_keying_material("x", None, &mut []).is_err());
}

/// Loss, reordering, duplication and any MTU: every seed gets through.
//= rfc9147#7.2
//# Implementations MUST treat a record as having been acknowledged if it appears in any ACK
//= rfc9147#4.3
//# Each DTLS record MUST fit within a single datagram.
//= rfc9147#4.3
//# The first byte of the datagram payload MUST be the beginning of a record.
//= rfc9147#4.3
//# Records MUST NOT span datagrams.
//= rfc9147#5.5
//# Each handshake message fragment that is placed into a record MUST be delivered in a single UDP datagram.
//= rfc9147#5.5
//# When a DTLS implementation receives a handshake message fragment corresponding to the next expected handshake
//# message sequence number, it MUST process it, either by buffering it until it has the entire handshake message or by
//# processing any in-order portions of the message.
//= rfc9147#5.2
//# If the sequence number is less than next_receive_seq, the message MUST be discarded.
//= rfc9147#4
//# Omitting the length field MUST only be used for the last record in a datagram.
//= rfc8446#5
//# Implementations MUST NOT send record types not defined in this document unless negotiated by some extension.
//= rfc8446#5.1
//# Implementations MUST NOT send zero-length fragments of Handshake types, even if those fragments contain padding.
#[test]
fn completes_on_a_bad_network_at_any_mtu() {
    for seed in 0..250 {
        let mut rng = Rng::from_test_seed(seed);
        let network = Network {
            delay: Duration::from_millis(50),
            jitter: Duration::from_millis(rng.below(100)),
            loss: 0.25 * rng.unit(),
            duplication: 0.3 * rng.unit(),
        };
        let mtu = 256 + rng.below(1200) as usize;
        let retry = rng.below(4) == 0;
        let [client, mut server] = both(|config| {
            config.mtu = mtu;
            config.initial_rto = Duration::from_millis(150);
            config.max_rto = Duration::from_secs(3);
        });
        if retry {
            server.groups = vec![NamedGroup::SECP256R1];
        }
        let mut pair = pair_of([client, server], network, seed);
        pair.connect(Duration::from_secs(60));
        assert!(pair.both_connected(), "seed {seed}: {network:?} mtu {mtu} {:?}", pair.errors);
        assert!(pair.longest.iter().all(|n| *n <= mtu), "seed {seed}: {:?} over {mtu}", pair.longest);
        pair.set_network(PERFECT);
        for end in 0..2 {
            pair.send_data(end, &[seed as u8; 100]);
        }
        pair.run_for(Duration::from_secs(10));
        assert_eq!(pair.received, [[[seed as u8; 100]], [[seed as u8; 100]]], "seed {seed}");
        assert!(pair.ends.iter().all(|end| end.poll_timeout().is_none()), "seed {seed}: a timer runs on");
    }
}

/// Only what is missing goes again: the server's flight in small pieces, one of them lost.
//= rfc9147#7.2
//# When an implementation receives an ACK, it SHOULD record that the messages or message fragments sent in the records
//# being ACKed were received and omit them from any future retransmissions.
#[test]
fn only_what_is_missing_is_sent_again() {
    let mut pair = pair_of(both(|config| config.mtu = 400), PERFECT, 5);
    let sizes = Rc::new(RefCell::new(Vec::new()));
    let seen = sizes.clone();
    pair.filter = Box::new(move |from, datagram| {
        if from == 1 {
            seen.borrow_mut().push(datagram.len());
        }
        from == 0 || seen.borrow().len() != 6
    });
    pair.connect(Duration::from_secs(5));
    assert!(pair.both_connected());
    assert!(
        pair.now.as_millis() < 400,
        "{sizes:?} the ACK comes after a quarter of the timeout: {}",
        pair.now.as_millis()
    );
    let sizes = sizes.borrow();
    let (flight, again) = sizes.split_at(6);
    let total: usize = flight.iter().sum();
    assert!(again.iter().sum::<usize>() < total / 2, "{sizes:?}");
    assert_eq!(pair.ends[1].counters().retransmissions, 0);
}

/// The server's ACK of the client's last flight is lost: the flight comes again, and is acknowledged again.
//= rfc9147#5.8.1
//# In addition, for at least twice the default MSL defined for [RFC0793], when in the FINISHED state, the server MUST
//# respond to retransmission of the client's final flight with a retransmit of its ACK.
//= rfc9147#7.1
//# All other flights MUST be ACKed.
#[test]
fn a_lost_last_acknowledgement_is_given_again() {
    let mut pair = pair_of(both(|_| {}), PERFECT, 6);
    pair.connect(Duration::from_secs(5));
    // The ACK of the client's flight is on its way.
    pair.lose_what_is_on_its_way();
    pair.run_for(Duration::from_secs(3));
    assert_eq!(pair.ends[0].counters().retransmissions, 1);
    assert!(pair.ends.iter().all(|end| end.poll_timeout().is_none()));
    talk(&mut pair);
}

//= rfc9147#5.2
//# A dual-stack DTLS 1.2 / DTLS 1.3 client MUST, however, be prepared to interact with a DTLS 1.2 server.
#[test]
fn each_version_with_each() {
    let all = [vec![V13, V12], vec![V12, V13], vec![V13], vec![V12]];
    for (seed, client_versions) in all.iter().enumerate() {
        for server_versions in &all {
            let [mut client, mut server] = both(|_| {});
            client.versions.clone_from(client_versions);
            server.versions.clone_from(server_versions);
            let shared = [V13, V12].into_iter().find(|v| client_versions.contains(v) && server_versions.contains(v));
            let mut pair = pair_of([client, server], PERFECT, seed as u64);
            pair.connect(Duration::from_secs(10));
            let Some(shared) = shared else {
                assert!(!pair.both_connected());
                let told = pair.errors.iter().flatten().find_map(weft_dtls::Error::alert_sent);
                assert_eq!(told, Some(AlertDescription::PROTOCOL_VERSION));
                continue;
            };
            assert!(pair.both_connected(), "{client_versions:?} {server_versions:?} {:?}", pair.errors);
            assert_eq!((version(&pair, 0), version(&pair, 1)), (shared, shared));
            talk(&mut pair);
        }
    }
}

/// A hello that offers both goes on as 1.2 on a bad network, too.
#[test]
fn falling_back_works_on_a_bad_network() {
    for seed in 0..100 {
        let network = Network { delay: Duration::from_millis(50), loss: 0.2, duplication: 0.2, ..PERFECT };
        let [mut client, mut server] = [config_any(Role::Client), config(Role::Server)];
        client.mtu = 600;
        // With the default of one second six attempts fit into the handshake's time, and one in a hundred seeds needs more.
        for config in [&mut client, &mut server] {
            config.initial_rto = Duration::from_millis(150);
            config.max_rto = Duration::from_secs(3);
        }
        let mut pair = pair_of([client, server], network, seed);
        pair.connect(Duration::from_secs(120));
        assert!(pair.both_connected(), "seed {seed}: {:?}", pair.errors);
        assert_eq!(version(&pair, 0), V12);
    }
}

//= rfc8446#4.1.3
//# TLS 1.3 clients receiving a ServerHello indicating TLS 1.2 or below MUST check that the last 8 bytes are not equal to
//# either of these values.
//= rfc8446#4.1.3
//# If a match is found, the client MUST abort the handshake with an "illegal_parameter" alert.
//= rfc8446#4.1.3
//# If negotiating TLS 1.2, TLS 1.3 servers MUST set the last 8 bytes of their Random value to the bytes:
#[test]
fn a_downgrade_is_detected() {
    let mut pair = pair_of(both(|config| config.mtu = 1500), PERFECT, 7);
    // Somebody on the path hides that the client speaks 1.3.
    pair.filter = Box::new(|from, datagram| {
        if from == 0
            && let Some(at) = datagram.windows(7).position(|bytes| bytes == [0, 43, 0, 5, 4, 0xFE, 0xFC])
        {
            datagram[at] = 0xEE;
        }
        true
    });
    pair.connect(Duration::from_secs(20));
    let error = pair.errors[0].unwrap();
    assert_eq!(error.alert_sent(), Some(AlertDescription::ILLEGAL_PARAMETER), "{error}");
    assert!(pair.events.iter().all(Vec::is_empty));
}

//= rfc9147#8
//# As with other handshake messages with no built-in response, KeyUpdates MUST be acknowledged.
//= rfc9147#8
//# In order to facilitate epoch reconstruction (Section 4.2.2), implementations MUST NOT send records with the new keys or
//# send a new KeyUpdate until the previous KeyUpdate has been acknowledged (this avoids having too many epochs in active
//# use).
#[test]
fn keys_are_updated_in_the_midst_of_bulk_data() {
    for (seed, suite) in SUITES.into_iter().enumerate() {
        let configs = both(|config| {
            config.limits.records_per_key = 100;
            config.cipher_suites = vec![suite];
        });
        let mut pair = connected(configs, seed as u64);
        let epochs = Rc::new(RefCell::new([BTreeSet::new(), BTreeSet::new()]));
        let seen = epochs.clone();
        pair.filter = Box::new(move |from, datagram| {
            let header = UnifiedHeader::parse(datagram).unwrap();
            seen.borrow_mut()[from].insert(header.epoch_bits);
            true
        });
        for n in 0..3000_u32 {
            for end in 0..2 {
                pair.send_data(end, &n.to_be_bytes());
            }
            pair.run_for(Duration::from_millis(1));
        }
        pair.run_for(Duration::from_secs(1));
        let sent: Vec<Vec<u8>> = (0..3000_u32).map(|n| n.to_be_bytes().to_vec()).collect();
        assert_eq!(pair.received, [sent.clone(), sent], "{suite}");
        assert!(epochs.borrow().iter().all(|bits| bits.len() == 4), "every pair of low bits: {epochs:?}");
        for end in 0..2 {
            let counters = pair.ends[end].counters();
            assert_eq!((counters.unexpected_records, counters.forged_records), (0, 0), "{counters:?}");
            assert_eq!(counters.retransmissions, 0);
        }
    }
}

/// Updates get through loss, and no record that arrives is lost to a change of keys.
//= rfc9147#8
//# Due to the possibility of an ACK message for a KeyUpdate being lost and thereby preventing the sender of the
//# KeyUpdate from updating its keying material, receivers MUST retain the pre-update keying material until receipt and
//# successful decryption of a message using the new keys.
//= rfc8446#4.6.3
//# Upon receiving a KeyUpdate, the receiver MUST update its receiving keys.
#[test]
fn keys_are_updated_on_a_bad_network() {
    for seed in 0..20 {
        let mut pair = connected(both(|config| config.limits.records_per_key = 50), seed);
        pair.set_network(Network {
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(10),
            loss: 0.1,
            duplication: 0.1,
        });
        for n in 0..2000_u32 {
            pair.send_data(0, &n.to_be_bytes());
            pair.run_for(Duration::from_millis(2));
        }
        pair.run_for(Duration::from_secs(5));
        let counters = pair.ends[1].counters();
        assert_eq!((counters.unexpected_records, counters.forged_records), (0, 0), "seed {seed} {counters:?}");
        assert!(pair.received[1].len() > 1600, "seed {seed}: {}", pair.received[1].len());
    }
}

#[test]
fn server_without_client_authentication() {
    let [client, mut server] = both(|_| {});
    server.client_authentication = weft_dtls::ClientAuthentication::None;
    server.verifier = Verifier::Fingerprints(Vec::new());
    let mut pair = connected([client, server], 8);
    assert_eq!(pair.ends[1].info().unwrap().peer_certificate, None);
    talk(&mut pair);
}

//= rfc8446#4.4.3
//# The receiver of a CertificateVerify message MUST verify the signature field.
#[test]
fn wrong_fingerprints_end_the_handshake_on_either_side() {
    for wrong in [Role::Client, Role::Server] {
        let [mut client, mut server] = both(|_| {});
        let at = usize::from(wrong == Role::Server);
        let own = fingerprint_of(&CERTIFICATES[at]);
        match wrong {
            Role::Client => client.verifier = own,
            Role::Server => server.verifier = own,
        }
        let mut pair = pair_of([client, server], PERFECT, 9);
        pair.ends[0].start(pair.now);
        let limit = pair.now + Duration::from_secs(20);
        pair.run(limit, |pair| pair.errors.iter().all(Option::is_some));
        assert_eq!(pair.errors[at].unwrap().to_string(), "the certificate matches no fingerprint");
        assert!(pair.events[at].is_empty());
        // Told under protection, so believed at once.
        let other = pair.errors[1 - at].unwrap();
        assert_eq!(other.alert_received(), Some(AlertDescription::BAD_CERTIFICATE));
        assert!(pair.now.as_millis() < 100);
        assert!(pair.received.iter().all(Vec::is_empty));
    }
}

//= rfc8446#6.1
//# Each party MUST send a "close_notify" alert before closing its write side of the connection, unless it has already
//# sent some error alert.
#[test]
fn close_notify_ends_the_other_side_too() {
    let mut pair = connected(both(|_| {}), 10);
    pair.run_for(Duration::from_millis(50));
    pair.ends[0].close(pair.now);
    pair.run_for(Duration::from_millis(100));
    assert_eq!(pair.events[1].last(), Some(&Event::PeerClosed));
    assert!(pair.ends.iter().all(|end| end.overhead().is_none()));
}

/// Application data overtakes the client's Finished, which is in pieces and out of order.
//= rfc9147#5.8.1
//# Implementations MUST either discard or buffer all application data records for epoch 3 and above until they have
//# received the Finished message from the peer.
#[test]
fn records_that_overtake_the_handshake_are_kept() {
    let mut pair = pair_of(both(|config| config.mtu = 300), PERFECT, 11);
    pair.ends[0].start(pair.now);
    for datagram in pair.take(0) {
        pair.inject(1, &datagram);
    }
    // The whole flight in reverse: nothing can be opened until the ServerHello, which comes last.
    let mut flight = pair.take(1);
    flight.reverse();
    for datagram in flight {
        pair.inject(0, &datagram);
    }
    assert!(pair.ends[0].is_connected(), "{:?}", pair.ends[0].counters());
    let mut last = pair.take(0);
    last.reverse();
    let data = pair.seal(0, b"early");
    pair.inject(1, &data);
    assert!(pair.received[1].is_empty());
    for datagram in last {
        pair.inject(1, &datagram);
    }
    assert!(pair.ends[1].is_connected());
    assert_eq!(pair.received[1], [b"early".to_vec()]);
}

//= rfc9147#4.5.1
//# For each received record, the receiver MUST verify that the record contains a sequence number that does not
//# duplicate the sequence number of any other record received in that epoch during the lifetime of the association.
//= rfc9147#4.5.1
//# The window MUST NOT be updated due to a received record until that record has been deprotected successfully.
//= rfc9147#9.1
//# If no CID is negotiated, then the receiver MUST reject any records it receives that contain a CID.
#[test]
fn forged_and_replayed_records_are_counted_and_dropped() {
    let mut pair = connected(both(|_| {}), 12);
    pair.run_for(Duration::from_millis(50));
    let datagram = pair.seal(0, b"once");
    for _ in 0..3 {
        pair.inject(1, &datagram);
    }
    assert_eq!(pair.received[1], [b"once".to_vec()]);
    assert_eq!(pair.ends[1].counters().replayed_records, 2);
    for at in 0..datagram.len() {
        let mut forged = pair.seal(0, b"another");
        forged[at.min(26)] ^= 0x80;
        pair.inject(1, &forged);
    }
    let mut with_connection_id = pair.seal(0, b"another");
    with_connection_id[0] |= 0x10;
    pair.inject(1, &with_connection_id);
    pair.inject(1, &[0x2F, 0, 0, 0, 5, 1, 2, 3, 4, 5]);
    assert_eq!(pair.received[1].len(), 1);
    // None of it has moved the window.
    let genuine = pair.seal(0, b"genuine");
    pair.inject(1, &genuine);
    assert_eq!(pair.received[1].last(), Some(&b"genuine".to_vec()));
    assert!(pair.both_connected() && pair.errors == [None; 2]);
}

//= rfc9147#5.1
//# legacy_cookie field in the ClientHello message MUST be set to a zero-length vector
//= rfc8446#4.2.8
//# Clients MUST NOT offer multiple KeyShareEntry values for the same group.
#[test]
fn our_hello_offers_both_versions() {
    let mut pair = pair_of(both(|config| config.mtu = 1500), PERFECT, 13);
    pair.ends[0].start(pair.now);
    let datagram = pair.take(0).remove(0);
    let (fragment, _) = Fragment::parse(&datagram[RECORD_HEADER..]).unwrap();
    let hello = ClientHello::parse(fragment.body).unwrap();
    assert!(hello.offers_v13().unwrap() && hello.offers_version(V12).unwrap());
    assert_eq!((hello.session_id, hello.cookie, hello.client_version), (&[][..], &[][..], V12));
    let shares = KeyShares::parse(hello.extensions.get(ExtensionType::KEY_SHARE).unwrap()).unwrap();
    let sizes: Vec<_> = shares.iter().map(|(group, share)| (group, share.len())).collect();
    assert_eq!(sizes, [(NamedGroup::X25519MLKEM768, 1216), (NamedGroup::X25519, 32)]);
    assert_eq!(hello.cipher_suites.iter().next(), Some(0x1301));
}

/// An ACK in the clear, which anybody can write, stops nothing.
#[test]
fn acknowledgements_in_the_clear_count_for_nothing() {
    let mut pair = pair_of(both(|_| {}), PERFECT, 14);
    pair.ends[0].start(pair.now);
    pair.take(0);
    let mut ack = vec![26, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 34, 0, 32];
    ack.extend([0; 15]);
    ack.extend([0; 16]);
    ack.push(1);
    pair.inject(0, &ack);
    assert_eq!(pair.ends[0].counters().unexpected_records, 1);
    pair.now += Duration::from_secs(2);
    pair.ends[0].handle_timeout(pair.now).unwrap();
    assert_eq!(pair.take(0).len(), 2, "the hello goes again");
}

/// Every role survives being told anything in the clear in the midst of a handshake, but for a well-formed hello or
/// HelloVerifyRequest: of two of those nobody can tell the forged one.
#[test]
fn messages_of_the_wrong_kind_in_the_clear_change_nothing() {
    for message_type in [1, 2, 8, 11, 13, 15, 20, 24, 4] {
        let mut pair = pair_of(both(|_| {}), PERFECT, 15);
        pair.ends[0].start(pair.now);
        let body = [message_type, 0, 0];
        for message_seq in 0..3 {
            let fragment =
                Fragment { message_type: HandshakeType(message_type), length: 3, message_seq, offset: 0, body: &body };
            let content = [&fragment.header()[..], &body].concat();
            let forged = crate::pitfalls::plaintext(weft_dtls::wire::ContentType::HANDSHAKE, 0, 9, &content);
            for end in 0..2 {
                pair.inject(end, &forged);
            }
        }
        pair.connect(Duration::from_secs(20));
        assert!(pair.both_connected(), "{message_type}: {:?}", pair.errors);
        assert_eq!(version(&pair, 0), V13);
    }
}

//= rfc8446#2
//# Application Data MUST NOT be sent prior to sending the Finished message, except as specified in Section 2.3.
//= rfc8446#5.1
//# Note that Application Data records MUST NOT be written to the wire unprotected (see Section 2 for details).
#[test]
fn nothing_is_sealed_before_the_own_finished() {
    let mut pair = pair_of(both(|_| {}), PERFECT, 16);
    let nothing = |pair: &mut Pair, end: usize| {
        assert_eq!(pair.ends[end].overhead(), None);
        let mut buffer = [0; 100];
        let mut frame = Frame::new(&mut buffer, Overhead { head: 5, tail: 17 });
        frame.push(b"data").unwrap();
        assert_eq!(pair.ends[end].wrap(&mut frame), Err(Spent::NoKeys));
    };
    pair.ends[0].start(pair.now);
    nothing(&mut pair, 0);
    for datagram in pair.take(0) {
        pair.inject(1, &datagram);
    }
    // The server has all keys now, but no proof of the client.
    nothing(&mut pair, 1);
    assert!(pair.take(1).len() > 1);
    nothing(&mut pair, 1);
}

//= rfc9147#4.4
//# However, the upper layer protocol MUST NOT write any record that exceeds the maximum record size of 2^14 bytes.
//= rfc8446#5.1
//# The length MUST NOT exceed 2^14 bytes.
//= rfc8446#5.2
//# The length MUST NOT exceed 2^14 + 256 bytes.
//= rfc8446#5.4
//# The presence of padding does not change the overall record size limitations: the full encoded TLSInnerPlaintext
//# MUST NOT exceed 2^14
#[test]
fn the_longest_record_passes() {
    let mut pair = connected(both(|_| {}), 17);
    let data = vec![7; MAX_PLAINTEXT];
    let sealed = pair.seal(1, &data);
    assert!(sealed.len() <= 5 + MAX_PLAINTEXT + 256);
    pair.inject(0, &sealed);
    assert_eq!(pair.received[0], [data]);
    let mut buffer = vec![0; MAX_PLAINTEXT + 100];
    let mut frame = Frame::new(&mut buffer, pair.ends[1].overhead().unwrap());
    frame.push_zeros(MAX_PLAINTEXT + 1).unwrap();
    assert_eq!(pair.ends[1].wrap(&mut frame), Err(Spent::NoRoom));
}

/// The same bytes in the same epoch, in the clear and protected.
//= rfc9147#5.5
//# Senders MUST NOT change handshake message bytes upon retransmission.
//= rfc9147#4.2.1
//# Implementations MUST send retransmissions of lost messages using the same epoch and keying material as the original
//# transmission.
#[test]
fn flights_are_repeated_as_they_were() {
    let mut pair = pair_of(both(|_| {}), PERFECT, 18);
    pair.ends[0].start(pair.now);
    let bodies = |datagrams: &[Vec<u8>]| -> Vec<Vec<u8>> {
        datagrams.iter().map(|datagram| datagram[RECORD_HEADER..].to_vec()).collect()
    };
    let first = pair.take(0);
    pair.now += Duration::from_secs(2);
    pair.ends[0].handle_timeout(pair.now).unwrap();
    let again = pair.take(0);
    assert_eq!(bodies(&first), bodies(&again));
    for datagram in again {
        pair.inject(1, &datagram);
    }
    for datagram in pair.take(1) {
        pair.inject(0, &datagram);
    }
    assert!(pair.ends[0].is_connected());
    let shape = |datagrams: &[Vec<u8>]| -> Vec<(u8, usize)> {
        datagrams.iter().map(|d| (UnifiedHeader::parse(d).unwrap().epoch_bits, d.len())).collect()
    };
    let last = shape(&pair.take(0));
    assert!(last.iter().all(|(epoch, _)| *epoch == 2));
    pair.now += Duration::from_secs(2);
    pair.ends[0].handle_timeout(pair.now).unwrap();
    let again = pair.take(0);
    assert_eq!(shape(&again), last);
    // A repeat that had changed would not be the Finished of this handshake.
    for datagram in again {
        pair.inject(1, &datagram);
    }
    assert!(pair.ends[1].is_connected());
}

//= rfc9147#5.11
//# In cases where a server believes it has an existing association on a given host/port quartet and it receives an
//# epoch=0 ClientHello, it SHOULD proceed with a new handshake but MUST NOT destroy the existing association until the
//# client has demonstrated reachability either by completing a cookie exchange or by completing a complete handshake
//# including delivering a verifiable Finished message.
#[test]
fn a_hello_from_elsewhere_ends_nothing() {
    let mut other = pair_of(both(|_| {}), PERFECT, 98);
    other.ends[0].start(other.now);
    let foreign = other.take(0);
    let mut pair = connected(both(|_| {}), 19);
    for datagram in &foreign {
        pair.inject(1, datagram);
        pair.inject(0, datagram);
    }
    talk(&mut pair);
    assert_eq!(pair.errors, [None; 2]);
}

//= rfc8446#6.1
//# Any data received after a closure alert has been received MUST be ignored.
//= rfc8446#6.1
//# Any data received after a closure alert has been received MUST be ignored.
#[test]
fn nothing_is_taken_after_close_notify() {
    let mut pair = connected(both(|_| {}), 20);
    pair.run_for(Duration::from_millis(50));
    let late = pair.seal(0, b"late");
    pair.ends[0].close(pair.now);
    for datagram in pair.take(0) {
        pair.inject(1, &datagram);
    }
    pair.inject(1, &late);
    assert_eq!((pair.received[1].len(), pair.errors), (0, [None; 2]));
}
