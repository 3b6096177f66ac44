//! What is negotiated on request: SRTP, connection ids, record sizes; and the key log.

use std::time::Duration;

use weft_core::{Frame, Instant, Layer, Rng, Spent, Wrap};
use weft_dtls::wire::{ClientHello, ContentType, ExtensionType, Fragment, HandshakeType, HostName, RECORD_HEADER};
use weft_dtls::{AlertDescription, Config, Connection, ConnectionIdError, Event, ProtocolVersion, Role, SrtpProfile};

use crate::hellos::{Hello, record, server_hello};
use crate::hellos13::client_hello;
use crate::link::{PERFECT, Pair, config, config_any};

const V12: ProtocolVersion = ProtocolVersion::DTLS_1_2;
const V13: ProtocolVersion = ProtocolVersion::DTLS_1_3;

fn pair(version: ProtocolVersion, change: impl Fn(Role, &mut Config)) -> Pair {
    let [client, server] = [Role::Client, Role::Server].map(|role| {
        let mut config = config_any(role);
        config.versions = vec![version];
        change(role, &mut config);
        config
    });
    Pair::new(client, server, PERFECT, 7)
}

fn connect(pair: &mut Pair) {
    pair.connect(Duration::from_secs(5));
    assert!(pair.both_connected(), "{:?}", pair.errors);
    pair.run_for(Duration::from_secs(1));
}

fn talk(pair: &mut Pair) {
    pair.received = Default::default();
    pair.send_data(0, b"ping");
    pair.send_data(1, b"pong");
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.received, [vec![b"pong".to_vec()], vec![b"ping".to_vec()]]);
}

#[test]
fn srtp_profiles_and_keys_are_agreed_on_request() {
    let profiles = [SrtpProfile::AEAD_AES_256_GCM, SrtpProfile::AEAD_AES_128_GCM, SrtpProfile::AES128_CM_HMAC_SHA1_80];
    for version in [V12, V13] {
        for (profile, key_len, salt_len) in [(profiles[0], 32, 12), (profiles[1], 16, 12), (profiles[2], 16, 14)] {
            let mut pair = pair(version, |role, config| {
                config.srtp_profiles = if role == Role::Client { profiles.to_vec() } else { vec![profile] };
            });
            connect(&mut pair);
            let [client, server] = [0, 1].map(|end| pair.ends[end].srtp_keys().unwrap());
            assert_eq!(client, server);
            assert_eq!(
                (client.profile, client.client_key.len(), client.server_salt.len()),
                (profile, key_len, salt_len)
            );
            assert_ne!(client.client_key, client.server_key);
            assert_ne!(client.client_salt, client.server_salt);
        }
        // One side alone wants it, or they share no profile.
        let none: &[SrtpProfile] = &[];
        for (client, server) in [(&profiles[..1], none), (none, &profiles[..1]), (&profiles[..1], &profiles[1..])] {
            let mut pair = pair(version, |role, config| {
                config.srtp_profiles = if role == Role::Client { client.to_vec() } else { server.to_vec() };
            });
            connect(&mut pair);
            for end in &pair.ends {
                assert_eq!((end.info().unwrap().srtp_profile, end.srtp_keys()), (None, None));
            }
        }
    }
}

#[test]
fn the_key_log_tells_the_same_secrets_on_both_sides_and_is_off_by_default() {
    let lines = |pair: &Pair, end: usize| {
        let mut all: Vec<String> = Vec::new();
        for event in &pair.events[end] {
            if let Event::KeyLog(line) = event {
                assert!(!format!("{event:?}").contains(&line.as_str()[100..]), "secrets stay out of debug output");
                all.push(line.as_str().to_owned());
            }
        }
        all.sort();
        all
    };
    let labels_13 = [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_TRAFFIC_SECRET_0",
    ];
    for (version, labels, secret) in [(V12, &["CLIENT_RANDOM"][..], 96), (V13, &labels_13[..], 64)] {
        let mut logged = pair(version, |_, config| config.key_log = true);
        connect(&mut logged);
        let told = lines(&logged, 0);
        assert_eq!(told, lines(&logged, 1));
        let parts: Vec<Vec<&str>> = told.iter().map(|line| line.split(' ').collect()).collect();
        assert_eq!(parts.iter().map(|parts| parts[0]).collect::<Vec<_>>(), labels);
        for parts in parts {
            assert_eq!((parts.len(), parts[1].len(), parts[2].len()), (3, 64, secret), "{parts:?}");
        }
        let mut quiet = pair(version, |_, _| {});
        connect(&mut quiet);
        assert!(lines(&quiet, 0).is_empty() && lines(&quiet, 1).is_empty());
    }
}

/// The extensions of the first hello.
fn first_hello(pair: &mut Pair) -> Vec<(ExtensionType, Vec<u8>)> {
    pair.ends[0].start(pair.now);
    let datagram = pair.take(0).remove(0);
    let (fragment, _) = Fragment::parse(&datagram[RECORD_HEADER..]).unwrap();
    let hello = ClientHello::parse(fragment.body).unwrap();
    hello.extensions.iter().map(|(extension, data)| (extension, data.to_vec())).collect()
}

/// A server may choose its certificate by the name; a client tells it only when asked to.
#[test]
fn the_server_name_is_sent_on_request() {
    let mut named = pair(V12, |_, config| config.server_name = Some("weft.example".to_owned()));
    let name = first_hello(&mut named).into_iter().find(|(extension, _)| *extension == ExtensionType::SERVER_NAME);
    assert_eq!(name.unwrap().1, [&[0, 15, 0, 0, 12][..], b"weft.example"].concat());
    let mut unnamed = pair(V12, |_, _| {});
    assert!(first_hello(&mut unnamed).iter().all(|(extension, _)| *extension != ExtensionType::SERVER_NAME));
}

/// As server the name is told to the application. What is no name is malformed.
#[test]
fn the_server_name_is_told_to_the_server() {
    for version in [V12, V13] {
        let mut named = pair(version, |_, config| config.server_name = Some("weft.example".to_owned()));
        connect(&mut named);
        assert_eq!(named.ends[1].info().unwrap().server_name.as_deref(), Some("weft.example"));
        assert_eq!(named.ends[0].info().unwrap().server_name, None);
    }
    let name = |entry: &[u8]| [&(entry.len() as u16).to_be_bytes()[..], entry].concat();
    assert_eq!(HostName::parse(&name(b"\0\0\x04weft")), Ok(HostName("weft")));
    let wrong: [&[u8]; 7] = [
        b"",
        b"\0\0\0",
        b"\x01\0\x04weft",
        b"\0\0\x04wef",
        b"\0\0\x04weft\0\0\x01a",
        b"\0\0\x04we\0t",
        b"\0\0\x02\xC3\xA4",
    ];
    for entry in wrong {
        assert!(HostName::parse(&name(entry)).is_err(), "{entry:?}");
    }
    assert!(HostName::parse(&[&name(b"\0\0\x04weft")[..], &[0]].concat()).is_err());
}

/// RFC 7301 section 3.2: the server's preference decides; who has nothing in common is refused.
#[test]
fn application_protocols_are_agreed_on_request() {
    let names = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
    for version in [V12, V13] {
        let meet = |client: &[&str], server: &[&str]| {
            let mut pair = pair(version, |role, config| {
                config.application_protocols = names(if role == Role::Client { client } else { server });
            });
            pair.connect(Duration::from_secs(5));
            pair
        };
        // What has no form on the wire is passed over.
        let long = "x".repeat(256);
        for (client, server, agreed) in [
            (&["coap", "webrtc"][..], &["c-webrtc", "webrtc", "coap"][..], Some("webrtc")),
            (&["", &long, "coap"], &["", &long, "coap"], Some("coap")),
            (&["coap"], &[], None),
            (&[], &["coap"], None),
        ] {
            let pair = meet(client, server);
            assert!(pair.both_connected(), "{:?}", pair.errors);
            for end in &pair.ends {
                assert_eq!(end.info().unwrap().application_protocol.as_deref(), agreed.map(str::as_bytes));
            }
        }
        let pair = meet(&["coap"], &["webrtc"]);
        assert_eq!(pair.errors[1].unwrap().alert_sent(), Some(AlertDescription::NO_APPLICATION_PROTOCOL));
    }
}

/// A server that chooses what was not offered, or more than one.
#[test]
fn a_protocol_that_was_not_offered_is_refused() {
    for names in [&b"\x04coaq"[..], b"\x04coap\x04coap"] {
        let answer = [&(names.len() as u16).to_be_bytes()[..], names].concat();
        let mut config = config(Role::Client);
        config.application_protocols = vec![b"coap".to_vec()];
        let mut client = Connection::new(config.into(), Role::Client, Rng::from_test_seed(2));
        client.start(Instant::ORIGIN);
        let hello = server_hello().with(16, &answer);
        let mut datagram = record(HandshakeType::SERVER_HELLO, 0, &hello.server_body());
        let refused = client.handle_input(Instant::ORIGIN, &mut datagram).map(drop).unwrap_err();
        assert_eq!(refused.alert_sent(), Some(AlertDescription::ILLEGAL_PARAMETER));
    }
}

/// Anybody can write a hello. One whose extensions are malformed leaves nothing behind, and the handshake goes on.
#[test]
fn malformed_extensions_of_a_forged_hello_leave_nothing_behind() {
    for (version, hello) in [(V12, Hello::client()), (V13, client_hello())] {
        for (extension, data) in [(0, &[9][..]), (14, &[1]), (16, &[0, 1, 0]), (28, &[1]), (54, &[2, 1])] {
            let mut pair = pair(version, |_, config| {
                config.srtp_profiles = vec![SrtpProfile::AEAD_AES_128_GCM];
                config.application_protocols = vec![b"coap".to_vec()];
            });
            pair.ends[1].use_connection_id(b"id").unwrap();
            // An acceptable one goes before it, so that there is something to leave.
            let forged = hello.clone().with(14, &[0, 2, 0, 7, 0]).with(extension, data);
            pair.inject(1, &record(HandshakeType::CLIENT_HELLO, 0, &forged.client_body()));
            assert_eq!((pair.ends[1].counters().bad_messages, pair.errors[1]), (1, None), "{extension}");
            connect(&mut pair);
            talk(&mut pair);
        }
    }
    // A server's, too: it answers what is offered, and then what is malformed. A client of both versions takes it for one of
    // 1.2 while the true server is of 1.3.
    for versions in [vec![V12], vec![V13, V12]] {
        let mut pair = pair(V12, |role, config| {
            config.versions.clone_from(&versions);
            if role == Role::Client {
                config.srtp_profiles = vec![SrtpProfile::AEAD_AES_128_GCM];
                config.application_protocols = vec![b"coap".to_vec()];
            }
        });
        pair.ends[0].use_connection_id(b"id").unwrap();
        pair.ends[0].start(pair.now);
        let answers: [(u16, &[u8]); 4] =
            [(14, &[0, 2, 0, 7, 0]), (28, &[0, 64]), (16, &[0, 5, 4, b'c', b'o', b'a', b'p']), (54, &[3, 9, 9, 9])];
        let forged = answers.iter().fold(server_hello().without(23), |hello, (kind, data)| hello.with(*kind, data));
        let forged = forged.with(23, &[1]);
        pair.inject(0, &record(HandshakeType::SERVER_HELLO, 0, &forged.server_body()));
        assert_eq!((pair.ends[0].counters().bad_messages, pair.errors[0]), (1, None));
        connect(&mut pair);
        let info = pair.ends[0].info().unwrap();
        assert_eq!((info.version, info.srtp_profile, &info.application_protocol), (versions[0], None, &None));
        assert_eq!(pair.ends[0].peer_connection_id(), b"");
        // No limit of the forged hello's holds.
        pair.send_data(0, &[7; 1000]);
        pair.run_for(Duration::from_secs(1));
        talk(&mut pair);
    }
}

//= rfc8449#4
//# When the "record_size_limit" extension is negotiated, an endpoint MUST NOT generate a protected record with plaintext
//# that is larger than the RecordSizeLimit value it receives from its peer.
//= rfc8449#4
//# an endpoint MUST NOT send a value higher than the protocol-defined maximum record size unless explicitly allowed by
//# such a future version or extension.
//= rfc8449#4
//# Endpoints MUST NOT send a "record_size_limit" extension with a value smaller than 64.
#[test]
fn each_side_tells_and_respects_record_sizes() {
    for version in [V12, V13] {
        let limits = [200_u16, 100];
        let mut pair =
            pair(version, |role, config| config.limits.record_content = limits[usize::from(role == Role::Server)]);
        connect(&mut pair);
        for end in 0..2 {
            let limit = usize::from(limits[1 - end]);
            for (length, outcome) in [(limit, Ok(())), (limit + 1, Err(Spent::NoRoom))] {
                let mut buffer = [0; 400];
                let mut frame = Frame::new(&mut buffer, pair.ends[end].overhead().unwrap());
                frame.push(&vec![1; length]).unwrap();
                assert_eq!(pair.ends[end].wrap(&mut frame), outcome);
            }
        }
        talk(&mut pair);
    }
    for (told, version, value) in [(5, V12, 64), (5, V13, 65), (u16::MAX, V12, 1 << 14), (u16::MAX, V13, (1 << 14) + 1)]
    {
        let mut pair = pair(version, |_, config| {
            config.groups = vec![weft_dtls::NamedGroup::X25519];
            config.limits.record_content = told;
        });
        let hello = first_hello(&mut pair);
        let (_, data) = hello.iter().find(|(extension, _)| *extension == ExtensionType::RECORD_SIZE_LIMIT).unwrap();
        assert_eq!(data[..], u16::to_be_bytes(value));
    }
}

/// Every record to a side carries the id it asked for, and none the other way round; it works with every length, in
/// either version, for every cipher.
//= rfc9146#3
//# If DTLS peers have negotiated the use of a non-zero-length CID for a given direction, then once encryption is enabled,
//# they MUST send with the record format defined in Figure 3 (see Section 4) with the new Message Authentication Code
//# (MAC) computation defined in Section 5 and the content type tls12_cid.
//= rfc9147#4
//# If a Connection ID is negotiated, then it MUST be contained in all datagrams.
//= rfc9146#3
//# The extension_data field of this extension, when included in the ClientHello, MUST contain the ConnectionId structure.
//= rfc9146#3
//# Such implementations MUST still be able to send CIDs of different lengths to other parties.
//= rfc9146#3
//# When receiving a datagram with the record format defined in RFC 6347, the MAC calculation defined in Section 4.1.2 of
//# [RFC6347] MUST be used.
//= rfc9146#5
//# The modified algorithm MUST NOT be applied to records that do not carry a CID, i.e., records with content type other
//# than tls12_cid.
//= rfc9146#3
//# If DTLS peers have not negotiated the use of CIDs, or a zero-length CID has been advertised for a given direction,
//# then the record format and content type defined in RFC 6347 MUST be used to send in the indicated direction(s).
#[test]
fn connection_ids_are_in_every_protected_record() {
    for version in [V12, V13] {
        for lengths in [[0_usize, 0], [8, 0], [0, 5], [3, 255]] {
            for suite in 0..3 {
                let mut pair = pair(version, |_, config| {
                    let keep: Vec<_> = config.cipher_suites.iter().skip(suite).step_by(3).copied().collect();
                    config.cipher_suites = keep;
                });
                let ids = lengths.map(|length| vec![0xC1; length]);
                for (end, id) in pair.ends.iter_mut().zip(&ids) {
                    end.use_connection_id(id).unwrap();
                }
                let expected = ids.clone();
                let offer = [&[lengths[0] as u8][..], &ids[0]].concat();
                pair.filter = Box::new(move |from, datagram| {
                    let id = &expected[1 - from];
                    if from == 0 && datagram.len() > 100 && datagram[0] == 22 && datagram[RECORD_HEADER] == 1 {
                        let (fragment, _) = Fragment::parse(&datagram[RECORD_HEADER..]).unwrap();
                        if let Ok(hello) = ClientHello::parse(fragment.body) {
                            assert_eq!(hello.extensions.get(ExtensionType::CONNECTION_ID), Some(&offer[..]));
                        }
                    }
                    // The first protected record of a datagram may follow plaintext; those that stand alone suffice.
                    if datagram[0] == ContentType::TLS12_CID.0 {
                        assert!(version == V12 && !id.is_empty() && datagram[11..].starts_with(id));
                    } else if datagram[0] & 0xE0 == 0x20 {
                        assert_eq!(datagram[0] & 0x10 != 0, !id.is_empty());
                        assert!(datagram[1..].starts_with(id));
                    } else if datagram[0] == 23 {
                        assert!(version == V12 && id.is_empty());
                    }
                    true
                });
                connect(&mut pair);
                for end in 0..2 {
                    assert!(pair.ends[end].info().unwrap().connection_ids);
                    assert_eq!(pair.ends[end].peer_connection_id(), ids[1 - end]);
                    let head = pair.ends[end].overhead().unwrap().head;
                    let plain = if version == V13 {
                        5
                    } else if suite == 2 {
                        13
                    } else {
                        21
                    };
                    assert_eq!(head, plain + lengths[1 - end]);
                    assert_eq!(pair.ends[end].use_connection_id(b"late"), Err(ConnectionIdError::TooLate));
                }
                talk(&mut pair);
            }
        }
    }
}

#[test]
fn connection_ids_are_off_unless_both_want_them() {
    for version in [V12, V13] {
        for alone in 0..2 {
            let mut pair = pair(version, |_, _| {});
            pair.ends[alone].use_connection_id(b"12345678").unwrap();
            connect(&mut pair);
            assert!(pair.ends.iter().all(|end| !end.info().unwrap().connection_ids));
            talk(&mut pair);
        }
    }
}

//= rfc9146#3
//# If a non-zero-length CID is expected for the retrieved association, then the datagram MUST be treated as invalid, as
//# described in Section 4.1.2.1 of [RFC6347].
//= rfc9146#3
//# If the tls12_cid content type is not set, then the connection and the security association are looked up by the
//# 5-tuple and a check MUST be made to determine whether a non-zero-length CID is expected.
//= rfc9146#6
//# DTLS implementations MUST silently discard records with bad MACs or that are otherwise invalid.
//= rfc9147#4
//# If the second or later record has a connection ID which does not correspond to the same association used for previous
//# records, the rest of the datagram MUST be discarded.
//= rfc9146#3
//# When receiving a datagram with the tls12_cid content type, the new MAC computation defined in Section 5 MUST be used.
//= rfc9147#9.1
//# If no CID is negotiated, then the receiver MUST reject any records it receives that contain a CID.
#[test]
fn records_with_the_wrong_connection_id_or_none_are_dropped() {
    for version in [V12, V13] {
        let mut pair = pair(version, |_, _| {});
        pair.ends[0].use_connection_id(b"").unwrap();
        pair.ends[1].use_connection_id(b"server").unwrap();
        connect(&mut pair);
        let at = if version == V12 { 11 } else { 1 };
        let sealed = pair.seal(0, b"data");
        let mut wrong = sealed.clone();
        wrong[at] ^= 1;
        pair.inject(1, &wrong);
        let mut without = sealed.clone();
        without.drain(at..at + 6);
        without[0] = if version == V12 { 23 } else { without[0] & !0x10 };
        pair.inject(1, &without);
        assert_eq!(pair.ends[1].counters().unexpected_records, 2);
        assert!(pair.received[1].is_empty());
        // What follows a foreign record is foreign.
        pair.inject(1, &[&wrong[..], &sealed].concat());
        assert!(pair.received[1].is_empty());
        pair.inject(1, &sealed);
        assert_eq!(pair.received[1], [b"data".to_vec()]);
        let sealed: Vec<Vec<u8>> = [b"1", b"2", b"3"].map(|data| pair.seal(0, data)).to_vec();
        let mut second = sealed[1].clone();
        second[at] ^= 1;
        pair.inject(1, &[&sealed[0], &second, &sealed[2]].map(|record| &record[..]).concat());
        assert_eq!(pair.received[1], [b"data".to_vec(), b"1".to_vec()]);
        // A record to the client, which asked for none.
        let mut with = pair.seal(1, b"data");
        with.splice(at..at, *b"server");
        with[0] = if version == V12 { ContentType::TLS12_CID.0 } else { with[0] | 0x10 };
        pair.inject(0, &with);
        assert!(pair.received[0].is_empty() && pair.errors[0].is_none());
    }
}

/// In 1.3 ids are asked for, given, and changed while data flows; in 1.2 they are not.
//= rfc9147#9
//# If usage is set to "cid_immediate", then one of the new CIDs MUST be used immediately for all future records.
//= rfc9147#9
//# Endpoints MUST NOT have more than one NewConnectionId message outstanding.
//= rfc9147#9
//# Implementations which either did not negotiate the "connection_id" extension or which have negotiated receiving an
//# empty CID MUST NOT send NewConnectionId.
//= rfc9147#9
//# Implementations MUST NOT send RequestConnectionId when sending an empty Connection ID.
//= rfc9147#9
//# Endpoints MUST NOT send either of these messages if they did not negotiate a CID.
//= rfc9147#9
//# Endpoints MUST NOT send a RequestConnectionId message when an existing request is still unfulfilled
#[test]
fn connection_ids_change_in_the_middle_of_a_connection() {
    let mut pair13 = pair(V13, |_, _| {});
    for end in 0..2 {
        pair13.ends[end].use_connection_id(&[end as u8; 4]).unwrap();
    }
    connect(&mut pair13);
    pair13.ends[0].request_connection_ids(2).unwrap();
    assert_eq!(pair13.ends[0].request_connection_ids(2), Err(ConnectionIdError::Outstanding));
    pair13.run_for(Duration::from_secs(1));
    assert_eq!(pair13.events[1].last(), Some(&Event::ConnectionIdsRequested(2)));
    assert!(!pair13.ends[0].change_connection_id());
    assert_eq!(pair13.ends[1].give_connection_ids(&[b"toolong"], false), Err(ConnectionIdError::Length));
    pair13.ends[1].give_connection_ids(&[b"new1", b"new2"], false).unwrap();
    assert_eq!(pair13.ends[1].give_connection_ids(&[b"new3"], false), Err(ConnectionIdError::Outstanding));
    pair13.run_for(Duration::from_secs(1));
    for id in [b"new1", b"new2"] {
        talk(&mut pair13);
        assert!(pair13.ends[0].change_connection_id());
        assert_eq!(pair13.ends[0].peer_connection_id(), id);
        let sealed = pair13.seal(0, b"x");
        assert_eq!(sealed[1..5], *id);
        talk(&mut pair13);
    }
    assert!(!pair13.ends[0].change_connection_id());
    pair13.ends[1].give_connection_ids(&[b"now!"], true).unwrap();
    pair13.run_for(Duration::from_secs(1));
    assert_eq!(pair13.ends[0].peer_connection_id(), b"now!");
    talk(&mut pair13);
    assert_eq!(pair13.errors, [None; 2]);

    let mut pair12 = pair(V12, |_, _| {});
    for end in 0..2 {
        pair12.ends[end].use_connection_id(b"1234").unwrap();
    }
    connect(&mut pair12);
    assert_eq!(pair12.ends[0].request_connection_ids(1), Err(ConnectionIdError::NotAgreed));
    assert_eq!(pair12.ends[0].give_connection_ids(&[b"5678"], true), Err(ConnectionIdError::NotAgreed));
    for agreed in [false, true] {
        let mut bare = pair(V13, |_, _| {});
        if agreed {
            bare.ends[0].use_connection_id(b"").unwrap();
            bare.ends[1].use_connection_id(b"").unwrap();
        }
        connect(&mut bare);
        assert_eq!(bare.ends[0].request_connection_ids(1), Err(ConnectionIdError::NotAgreed));
        assert_eq!(bare.ends[0].give_connection_ids(&[b""], true), Err(ConnectionIdError::NotAgreed));
    }
}

//= rfc9146#5
//# The length MUST NOT exceed 2^14.
#[test]
fn content_and_its_type_together_keep_within_the_longest_record() {
    for version in [V12, V13] {
        let mut pair = pair(version, |_, _| {});
        for end in 0..2 {
            pair.ends[end].use_connection_id(b"12").unwrap();
        }
        connect(&mut pair);
        let longest = vec![7; (1 << 14) - 1];
        let sealed = pair.seal(0, &longest);
        pair.inject(1, &sealed);
        assert_eq!(pair.received[1], [longest]);
        let mut buffer = vec![0; 17_000];
        let mut frame = Frame::new(&mut buffer, pair.ends[0].overhead().unwrap());
        frame.push(&vec![7; 1 << 14]).unwrap();
        assert_eq!(pair.ends[0].wrap(&mut frame), Err(Spent::NoRoom));
    }
}

/// A limit beyond all that is possible is a limit that never bites.
//= rfc8449#4
//# A server MUST NOT enforce this restriction; a client might advertise a higher limit that is enabled by an extension or
//# version the server does not understand.
#[test]
fn a_record_size_limit_beyond_the_possible_is_taken() {
    for (version, told) in [(V12, [0x40, 0]), (V13, [0x40, 1])] {
        let mut pair =
            pair(version, |_, config| config.groups.retain(|group| *group != weft_dtls::NamedGroup::X25519MLKEM768));
        pair.filter = Box::new(move |from, datagram| {
            let extension = [0, 28, 0, 2, told[0], told[1]];
            if from == 0
                && let Some(at) = datagram.windows(6).position(|bytes| bytes == extension)
            {
                datagram[at + 4..at + 6].fill(0xFF);
            }
            true
        });
        pair.ends[0].start(pair.now);
        // The answer; what follows it fails, because the sides saw different hellos.
        pair.run_for(Duration::from_millis(15));
        assert!(pair.errors[1].is_none() && pair.datagrams[1] > 0, "{:?}", pair.errors);
    }
}

/// Only the newest record may move a peer's address (RFC 9146 section 6).
#[test]
fn the_newest_record_is_told_from_older_ones() {
    for version in [V12, V13] {
        let mut pair = pair(version, |_, _| {});
        connect(&mut pair);
        let [first, second, third] = [b"1", b"2", b"3"].map(|data| pair.seal(0, data));
        let mut forged = third.clone();
        *forged.last_mut().unwrap() ^= 1;
        for (mut datagram, newest) in
            [(second.clone(), true), (first, false), (second, false), (forged, false), (third, true)]
        {
            let records = pair.ends[1].handle_input(pair.now, &mut datagram).unwrap();
            assert_eq!(records.is_newest(), newest);
        }
    }
}
