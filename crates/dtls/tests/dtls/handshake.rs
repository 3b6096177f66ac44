//! Handshakes between ourselves.

use std::time::Duration;

use weft_core::Layer;
use weft_dtls::{CipherSuite, Error, Event, NamedGroup, ProtocolVersion, Role, Verifier};

use crate::link::{CERTIFICATES, Network, PERFECT, Pair, config, fingerprint_of};

//= rfc5246#7.4.2
//# The sender's certificate MUST come first in the list.
//= rfc8422#3.1
//# To use this authentication mechanism, the client MUST possess a certificate containing an ECDSA- or EdDSA-capable
//# public key.
//= rfc8422#5.6
//# The certificate MUST contain an ECDSA- or EdDSA-capable public key.
//= rfc7627#5.1
//# If the client and server agree on this extension and a full handshake takes place, both client and server MUST use the
//# extended master secret derivation algorithm, as defined in Section 4. All other cryptographic computations remain
//# unchanged.
//= rfc5246#7.3
//# If the server has sent a CertificateRequest message, the client MUST send the Certificate message.
//= rfc5246#7.3
//# At this point, both client and server MUST send ChangeCipherSpec messages and proceed directly to Finished messages.
#[test]
fn completes_in_two_round_trips() {
    let mut pair = Pair::connected(1);
    assert_eq!(pair.now.as_millis(), 40);
    assert_eq!(pair.datagrams, [2, 2]);
    for end in 0..2 {
        let info = pair.ends[end].info().unwrap().clone();
        assert_eq!(info.version, ProtocolVersion::DTLS_1_2);
        assert_eq!(info.cipher_suite, CipherSuite::ECDHE_ECDSA_AES_128_GCM_SHA256);
        assert_eq!(info.cipher_suite.name(), Some("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"));
        assert_eq!((info.group, info.group.name()), (NamedGroup::X25519, Some("X25519")));
        assert_eq!(info.peer_certificate.as_deref(), Some(CERTIFICATES[1 - end].der()));
        assert!(info.extended_master_secret);
        assert_eq!(pair.events[end], [Event::Connected(info)]);
        assert_eq!(pair.ends[end].poll_timeout(), None, "no timer runs on");
    }
    pair.send_data(0, b"ping");
    pair.send_data(1, b"pong");
    pair.run_for(Duration::from_millis(50));
    assert_eq!(pair.received, [vec![b"pong".to_vec()], vec![b"ping".to_vec()]]);
}

//= rfc5705#6
//# Note: (1) These entries are reserved and MUST NOT be used for the purpose described in RFC 5705, in order to avoid
//# confusion with similar, but distinct, use in RFC 5246.
#[test]
fn exported_keys_agree_and_differ_by_label_and_context() {
    let pair = Pair::connected(2);
    let export = |end: usize, label: &str, context: Option<&[u8]>| {
        let mut out = [0; 60];
        pair.ends[end].export_keying_material(label, context, &mut out).map(|()| out)
    };
    let mut seen = Vec::new();
    for (label, context) in
        [("EXTRACTOR-dtls_srtp", None), ("EXTRACTOR-dtls_srtp", Some(&[][..])), ("EXPERIMENTAL x", None)]
    {
        let material = export(0, label, context).unwrap();
        assert_eq!(material, export(1, label, context).unwrap());
        assert!(!seen.contains(&material));
        seen.push(material);
    }
    assert!(export(0, "master secret", None).is_err());
    assert!(export(0, "x", Some(&vec![0; 65_536])).is_err());
    assert!(Pair::plain(3).ends[0].export_keying_material("x", None, &mut [0; 8]).is_err());
}

//= rfc6347#4.2.3
//# These ranges MUST NOT be larger than the maximum handshake fragment size and MUST jointly contain the entire
//# handshake message.
//= rfc5246#6
//# Implementations MUST NOT send record types not defined in this document unless negotiated by some extension.
//= rfc5246#6.2.1
//# Implementations MUST NOT send zero-length fragments of Handshake, Alert, or ChangeCipherSpec content types.
//= rfc6347#4.1.1
//# Each DTLS record MUST fit within a single datagram.
//= rfc6347#4.2.3
//# As noted in Section 4.1.1, each DTLS message MUST fit within a single transport layer datagram.
//= rfc6347#4.2.6
//# However, in order to remove sensitivity to handshake message fragmentation, the Finished MAC MUST be computed as if
//# each handshake message had been sent as a single fragment.
/// Loss, reordering, duplication and any MTU: every seed gets through.
#[test]
fn completes_on_a_bad_network_at_any_mtu() {
    for seed in 0..300 {
        let mut rng = weft_core::Rng::from_test_seed(seed);
        let network = Network {
            delay: Duration::from_millis(50),
            jitter: Duration::from_millis(rng.below(100)),
            loss: 0.25 * rng.unit(),
            duplication: 0.3 * rng.unit(),
        };
        let mtu = 256 + rng.below(1200) as usize;
        let configure = |role| {
            let mut config = config(role);
            config.mtu = mtu;
            config.initial_rto = Duration::from_millis(150);
            config.max_rto = Duration::from_secs(3);
            config
        };
        let mut pair = Pair::new(configure(Role::Client), configure(Role::Server), network, seed);
        pair.connect(Duration::from_secs(60));
        assert!(pair.both_connected(), "seed {seed}: {network:?} mtu {mtu} {:?}", pair.errors);
        assert!(pair.longest.iter().all(|n| *n <= mtu), "seed {seed}: {:?} over {mtu}", pair.longest);
        pair.set_network(PERFECT);
        for end in 0..2 {
            pair.send_data(end, &[seed as u8; 100]);
        }
        pair.run_for(Duration::from_secs(1));
        assert_eq!(pair.received, [[[seed as u8; 100]], [[seed as u8; 100]]], "seed {seed}");
    }
}

//= rfc6347#4.2.4.1
//# Implementations SHOULD use an initial timer value of 1 second (the minimum defined in RFC 6298 [RFC6298]) and double
//# the value at each retransmission, up to no less than the RFC 6298 maximum of 60 seconds.
#[test]
fn timeouts_double_and_end() {
    let mut pair = Pair::plain(4);
    pair.filter = Box::new(|_, _| false);
    pair.connect(Duration::from_secs(70));
    // At 0, 1, 3, 7, 15 and 31 seconds; the next would be at 63, after the limit of 60.
    assert_eq!(pair.datagrams, [6, 0]);
    assert_eq!(pair.errors, [Some(Error::TimedOut), None]);
    assert_eq!(pair.ends[0].poll_timeout(), None);
}

//= rfc6347#4.2.4
//# In addition, for at least twice the default MSL defined for [TCP], when in the FINISHED state, the node that transmits
//# the last flight (the server in an ordinary handshake or the client in a resumed handshake) MUST respond to a
//# retransmit of the peer's last flight with a retransmit of the last flight.
//= rfc6347#4.2.5
//# As with TLS, the ChangeCipherSpec message is not technically a handshake message but MUST be treated as part of the
//# same flight as the associated Finished message for the purposes of timeout and retransmission.
#[test]
fn last_flight_is_repeated_when_the_client_repeats_its_own() {
    let mut pair = Pair::plain(5);
    let mut from_server = 0;
    // Flight 6 is the server's second datagram.
    pair.filter = Box::new(move |from, _| {
        from_server += usize::from(from == 1);
        from == 0 || from_server != 2
    });
    pair.connect(Duration::from_secs(5));
    assert!(pair.both_connected());
    assert_eq!(pair.ends[1].counters().repeats_answered, 1);
    assert_eq!(pair.ends[1].counters().retransmissions, 0);
    assert_eq!(pair.now.as_millis(), 1040, "{:?}", pair.ends[0].counters());
}

#[test]
fn server_without_client_authentication() {
    let mut server = config(Role::Server);
    server.client_authentication = weft_dtls::ClientAuthentication::None;
    server.verifier = Verifier::Fingerprints(Vec::new());
    let mut pair = Pair::new(config(Role::Client), server, PERFECT, 6);
    pair.connect(Duration::from_secs(5));
    assert!(pair.both_connected());
    assert_eq!(pair.ends[1].info().unwrap().peer_certificate, None);
}

#[test]
fn wrong_fingerprints_end_the_handshake_on_either_side() {
    for wrong in [Role::Client, Role::Server] {
        let [mut client, mut server] = [config(Role::Client), config(Role::Server)];
        let at = usize::from(wrong == Role::Server);
        let own = fingerprint_of(&CERTIFICATES[at]);
        match wrong {
            Role::Client => client.verifier = own,
            Role::Server => server.verifier = own,
        }
        let mut pair = Pair::new(client, server, PERFECT, 7);
        pair.connect(Duration::from_secs(20));
        assert_eq!(pair.errors[at].unwrap().to_string(), "the certificate matches no fingerprint");
        assert!(pair.events.iter().all(Vec::is_empty), "nobody may think it is connected");
        // The alert is in the clear, so the other side dies of it only after two timeouts in silence.
        assert_eq!(
            pair.errors[1 - at].unwrap().alert_received().map(|a| a.to_string()).as_deref(),
            Some("bad_certificate")
        );
    }
}

#[test]
fn no_fingerprint_is_the_applications_fault() {
    let mut client = config(Role::Client);
    client.verifier = Verifier::Fingerprints(Vec::new());
    let mut pair = Pair::new(client, config(Role::Server), PERFECT, 8);
    pair.connect(Duration::from_secs(5));
    assert_eq!(pair.errors[0], Some(Error::NoFingerprint));
    assert_eq!(pair.errors[0].unwrap().blame(), weft_dtls::Blame::Application);
}

//= rfc6347#4.1
//# In any other case, the implementation MUST wait for the receipt of the Finished message to prevent downgrade
//# attack.
//= rfc6347#4.2.4
//# Implementations MUST either discard or buffer all application data packets for the new epoch until they have received
//# the Finished message for that epoch.
//= rfc6347#4.1
//# Until the handshake has completed, implementations MUST accept packets from the old epoch.
/// Records of the new epoch come before what makes its keys, application data before Finished.
#[test]
fn records_that_overtake_the_handshake_are_kept() {
    for reversed in [false, true] {
        let mut pair = Pair::plain(9);
        let mut client = config(Role::Client);
        client.mtu = 300;
        pair.ends[0] = weft_dtls::Connection::new(client.into(), Role::Client, weft_core::Rng::from_test_seed(9));
        pair.ends[0].start(pair.now);
        for hello in pair.take(0) {
            pair.inject(1, &hello);
        }
        for flight in pair.take(1) {
            pair.inject(0, &flight);
        }
        let mut flight5 = pair.take(0);
        assert!(flight5.len() > 1);
        if reversed {
            flight5.reverse();
        }
        for datagram in flight5 {
            pair.inject(1, &datagram);
        }
        assert!(pair.ends[1].is_connected(), "{:?}", pair.ends[1].counters());
        // The server's data arrives before its Finished.
        let data = pair.seal(1, b"early");
        pair.inject(0, &data);
        assert_eq!(pair.received[0], Vec::<Vec<u8>>::new());
        for flight6 in pair.take(1) {
            pair.inject(0, &flight6);
        }
        assert!(pair.ends[0].is_connected());
        assert_eq!(pair.received[0], [b"early".to_vec()]);
    }
}

//= rfc6347#4.1.1.1
//# If repeated retransmissions do not result in a response, and the PMTU is unknown, subsequent retransmissions SHOULD
//# back off to a smaller record size, fragmenting the handshake message as appropriate.
#[test]
fn handshake_datagrams_shrink_when_nothing_gets_through() {
    let mut pair = Pair::plain(10);
    // A path that takes 600 bytes: flight 4 does not fit in one datagram of 1200.
    pair.filter = Box::new(|_, datagram| datagram.len() <= 600);
    pair.connect(Duration::from_secs(60));
    assert!(pair.both_connected(), "{:?}", pair.errors);
}
