//! The attributes with a meaning of their own.

use weft_sdp::{
    Address, Candidate, CandidateTransport, CandidateType, Fingerprint, Group, HashFunction, IceOptions, IcePwd,
    IceUfrag, MaxMessageSize, RemoteCandidates, SctpMap, SctpPort, Session, Setup, TcpType, TlsId,
};

use crate::common::fixtures;

fn candidate(text: &str) -> Candidate {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

//= rfc8829#5.8.2
//# Any "a=candidate" attributes MUST be parsed as specified in [RFC8839], Section 5.1, and their values stored.
#[test]
fn all_candidates_of_all_peers_are_read_and_written() {
    let mut count = 0;
    for (name, text) in fixtures("").into_iter().chain(fixtures("rfc")) {
        for media in Session::parse(&text).unwrap().media {
            for attribute in media.attributes_named("candidate") {
                let written = attribute.parse::<Candidate>().unwrap().to_string();
                let as_read = attribute.to_string().replacen(" UDP ", " udp ", 1).replacen(" TCP ", " tcp ", 1);
                assert_eq!(written, as_read, "{name}");
                count += 1;
            }
        }
    }
    assert!(count > 60);
}

//= rfc8839#5.1
//# An implementation MUST ignore any name/value pairs it doesn't understand.
#[test]
fn every_field_of_a_candidate_is_read() {
    let text = "a=candidate:2 1 TCP 1694498815 2001:db8::1 45664 typ srflx raddr 203.0.113.141 rport 8998 tcptype so \
                generation 0 ufrag Ab+/ network-cost 999";
    let read = candidate(text);
    assert_eq!(read.foundation, "2");
    assert_eq!(read.component, 1);
    assert_eq!(read.transport, CandidateTransport::Tcp);
    assert_eq!(read.priority, 1_694_498_815);
    assert_eq!(read.address.ip(), Some("2001:db8::1".parse().unwrap()));
    assert_eq!(read.port, 45664);
    assert_eq!(read.candidate_type, CandidateType::ServerReflexive);
    assert_eq!(read.related_address, Some(Address::Ip("203.0.113.141".parse().unwrap())));
    assert_eq!(read.related_port, Some(8998));
    assert_eq!(read.tcp_type, Some(TcpType::SimultaneousOpen));
    assert_eq!(read.ufrag(), Some("Ab+/"));
    assert_eq!(read.extension("network-cost"), Some("999"));
    let names: Vec<_> = read.extensions.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["generation", "ufrag", "network-cost"]);
    let written = text.strip_prefix("a=").unwrap().replace("TCP", "tcp");
    assert_eq!(read.to_string(), written);
    assert_eq!(candidate(&written), read);
    assert_eq!(candidate(written.strip_prefix("candidate:").unwrap()), read);
}

#[test]
fn names_and_unknown_kinds_of_candidates_are_read() {
    let mdns = candidate("candidate:1 1 udp 1 259ed437-90d0-4a6a-b836-92e554b31271.LOCAL 9 typ host");
    assert!(mdns.address.is_mdns() && mdns.address.ip().is_none() && mdns.is_known());
    assert!(!candidate("candidate:1 1 udp 1 host.example.com 9 typ host").address.is_mdns());
    assert!(!candidate("candidate:1 1 udp 1 .local 9 typ host").address.is_mdns());
    assert!(!candidate("candidate:1 1 quic 1 192.0.2.1 9 typ host").is_known());
    assert!(!candidate("candidate:1 1 udp 1 192.0.2.1 9 typ teleport").is_known());
    let empty = candidate("candidate:1 1 udp 1 192.0.2.1 9 typ host x ");
    assert_eq!(empty.extension("x"), Some(""));
    assert_eq!(candidate(&empty.to_string()), empty);
}

#[test]
fn malformed_candidates_say_where() {
    let error = |text: &str| text.parse::<Candidate>().expect_err(text).to_string();
    assert_eq!(error(""), "line 1, column 1: expected a foundation (letters, digits, + or /)");
    assert_eq!(error("candidate:_ 1"), "line 1, column 11: expected a foundation (letters, digits, + or /)");
    assert_eq!(
        error(&format!("{} 1", "f".repeat(33))),
        "line 1, column 1: expected a foundation of at most 32 characters"
    );
    assert_eq!(error("1 0 udp 1 192.0.2.1 9 typ host"), "line 1, column 3: expected a component (1 to 256)");
    assert_eq!(error("1 257 udp 1 192.0.2.1 9 typ host"), "line 1, column 3: expected a component (1 to 256)");
    assert_eq!(error("1 1 udp 0 192.0.2.1 9 typ host"), "line 1, column 9: expected a priority (1 to 4294967295)");
    assert_eq!(
        error("1 1 udp 4294967296 192.0.2.1 9 typ host"),
        "line 1, column 9: expected a priority (1 to 4294967295)"
    );
    assert_eq!(error("1 1 udp 1 192.0.2.1 65536 typ host"), "line 1, column 21: expected a port (0 to 65535)");
    assert_eq!(error("1 1 udp 1 192.0.2.1 9 host"), "line 1, column 22: expected the word typ");
    assert_eq!(error("1 1 udp 1 192.0.2.1 9 typ "), "line 1, column 27: expected a candidate type");
    assert_eq!(
        error("1 1 udp 1 192.0.2.1 9 typ srflx raddr 192.0.2.1 rport x"),
        "line 1, column 55: expected a related port (0 to 65535)"
    );
    assert_eq!(error("1 1 udp 1 192.0.2.1 9 typ host generation"), "line 1, column 42: expected a space");
}

#[test]
fn an_attributes_error_points_into_the_document() {
    let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=setup:acting\r\n";
    let session = Session::parse(text).unwrap();
    let error = session.attributes[0].parse::<Setup>().unwrap_err();
    assert_eq!(error.to_string(), "line 5, column 9: expected active, passive, actpass or holdconn");
    let error = session.attributes[0].parse::<TlsId>().unwrap_err();
    assert_eq!((error.line, error.column), (5, 9));
}

#[test]
fn groups() {
    let group: Group = "BUNDLE 0 audio-1".parse().unwrap();
    assert!(group.is_bundle());
    assert_eq!(group.mids, ["0", "audio-1"]);
    assert_eq!(group.to_string(), "BUNDLE 0 audio-1");
    assert!("LS".parse::<Group>().unwrap().mids.is_empty());
    for bad in ["", " 0", "BUNDLE ", "BUNDLE 0  1", "BUNDLE 0\t1"] {
        assert!(bad.parse::<Group>().is_err(), "{bad:?}");
    }
}

#[test]
fn fingerprints() {
    for (hash, name, length) in [
        (HashFunction::Sha256, "sha-256", 32),
        (HashFunction::Sha384, "sha-384", 48),
        (HashFunction::Sha512, "SHA-512", 64),
    ] {
        let text = format!("{name} {}", vec!["0a"; length].join(":"));
        let fingerprint: Fingerprint = text.parse().unwrap();
        assert_eq!(fingerprint, Fingerprint { hash, bytes: vec![10; length] });
        assert!(fingerprint.is_usable());
        let written = format!("{} {}", name.to_lowercase(), vec!["0A"; length].join(":"));
        assert_eq!(fingerprint.to_string(), written);
        let short = format!("{name} {}", vec!["0A"; length - 1].join(":"));
        assert!(short.parse::<Fingerprint>().is_err(), "{short}");
    }
    for weak in ["md5", "md2", "sha-1", "sha-224", "sha-3000"] {
        assert!(!format!("{weak} 00:FF").parse::<Fingerprint>().unwrap().is_usable());
    }
    for bad in ["", "sha-1", "sha-1 ", "sha-1 0", "sha-1 000", "sha-1 00:", "sha-1 00:0G", "sha-1 00 11", "sha-1 +1"] {
        assert!(bad.parse::<Fingerprint>().is_err(), "{bad:?}");
    }
    let order =
        [HashFunction::Other("sha-999".into()), HashFunction::Sha256, HashFunction::Sha384, HashFunction::Sha512];
    assert!(order.is_sorted());
}

//= rfc8839#5.4
//# an implementation MUST accept up to 256 characters when receiving.
//= rfc8829#5.8.3
//# ICE ufrag and password values, which MUST comply with the size limits specified in [RFC8839], Section 5.4.
#[test]
fn ice_credentials_have_bounds() {
    for (length, good) in [(3, false), (4, true), (256, true), (257, false)] {
        assert_eq!("u".repeat(length).parse::<IceUfrag>().is_ok(), good, "{length}");
    }
    for (length, good) in [(21, false), (22, true), (256, true), (257, false)] {
        assert_eq!("p".repeat(length).parse::<IcePwd>().is_ok(), good, "{length}");
    }
    assert_eq!("a+/9".parse::<IceUfrag>().unwrap().as_str(), "a+/9");
    assert!("a b c".parse::<IceUfrag>().is_err());
    assert!("abc\u{e9}".parse::<IceUfrag>().is_err());
}

#[test]
fn ice_options() {
    let options: IceOptions = "trickle ice2 rtp+ecn".parse().unwrap();
    assert!(options.trickle() && options.ice2() && options.contains("rtp+ecn") && !options.contains("sped"));
    assert_eq!(options.to_string(), "trickle ice2 rtp+ecn");
    let commas: IceOptions = "ice2,trickle".parse().unwrap();
    assert_eq!(commas.iter().collect::<Vec<_>>(), ["ice2", "trickle"], "libdatachannel");
    assert_eq!(options.common_with(&commas), IceOptions::webrtc());
    for bad in ["", " ", "trickle ", "trickle  ice2", "tri\u{e9}"] {
        assert!(bad.parse::<IceOptions>().is_err(), "{bad:?}");
    }
}

//= rfc8841#5.2
//# Leading zeroes MUST NOT be used.
//= rfc8841#6.2
//# Leading zeroes MUST NOT be used.
#[test]
fn sctp_numbers() {
    assert_eq!("5000".parse(), Ok(SctpPort(5000)));
    assert_eq!("0".parse(), Ok(SctpPort(0)));
    for bad in ["", "05000", "00", "65536", "5000 ", "-1", "+1"] {
        assert!(bad.parse::<SctpPort>().is_err(), "{bad:?}");
    }
    assert_eq!("0".parse(), Ok(MaxMessageSize::Unlimited));
    assert_eq!("262144".parse(), Ok(MaxMessageSize::Bytes(262_144)));
    assert_eq!("99999999999999999999999".parse(), Ok(MaxMessageSize::Bytes(u64::MAX)));
    for bad in ["", "0262144", "00", "1k", "-1"] {
        assert!(bad.parse::<MaxMessageSize>().is_err(), "{bad:?}");
    }
    assert_eq!(MaxMessageSize::Unlimited.to_string(), "0");
    assert!(MaxMessageSize::Unlimited.allows(usize::MAX));
    assert!(MaxMessageSize::Bytes(10).allows(10) && !MaxMessageSize::Bytes(10).allows(11));
    let map: SctpMap = "5000 webrtc-datachannel 1024".parse().unwrap();
    assert_eq!((map.port, map.streams), (5000, Some(1024)));
    assert_eq!(map.to_string(), "5000 webrtc-datachannel 1024");
    assert_eq!("5000 webrtc-datachannel".parse::<SctpMap>().unwrap().streams, None);
}

#[test]
fn setup_and_tls_id() {
    for (text, setup) in [
        ("active", Setup::Active),
        ("passive", Setup::Passive),
        ("actpass", Setup::ActPass),
        ("holdconn", Setup::HoldConn),
    ] {
        assert_eq!(text.parse(), Ok(setup));
        assert_eq!(setup.to_string(), text);
    }
    for bad in ["", "Active", "active passive"] {
        assert!(bad.parse::<Setup>().is_err(), "{bad:?}");
    }
    for (length, good) in [(19, false), (20, true), (255, true), (256, false)] {
        assert_eq!("t".repeat(length).parse::<TlsId>().is_ok(), good, "{length}");
    }
    assert!("abc3de65cddef001be82!".parse::<TlsId>().is_err());
}

#[test]
fn remote_candidates() {
    let text = "1 192.0.2.3 45664 2 host.local 45665";
    let read: RemoteCandidates = text.parse().unwrap();
    assert_eq!(read.0.len(), 2);
    assert_eq!(read.to_string(), text);
    for bad in ["", "1", "1 192.0.2.3", "1 192.0.2.3 65536", "1 192.0.2.3 1 ", "x 192.0.2.3 1"] {
        assert!(bad.parse::<RemoteCandidates>().is_err(), "{bad:?}");
    }
}
