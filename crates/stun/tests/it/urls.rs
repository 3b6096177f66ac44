//! URLs of servers (RFC 7064, RFC 7065).

use proptest::prelude::*;
use weft_core::Transport;
use weft_stun::{Host, Scheme, ServerUrl, UrlError};

fn url(text: &str) -> ServerUrl {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

//= rfc8656#4.1
//# The "turns" URI scheme MUST be used when TURN is run over TLS-over-TCP or in DTLS-over-UDP, and the "turn" scheme MUST be used otherwise.
/// The examples of RFC 7064 appendix B and RFC 7065 appendix B, and what browsers are given.
#[test]
fn good_ones() {
    for (text, scheme, host, port, transport) in [
        ("stun:example.org", Scheme::Stun, "example.org", 3478, Transport::Udp),
        ("stuns:example.org", Scheme::Stuns, "example.org", 5349, Transport::Tls),
        ("stun:example.org:8000", Scheme::Stun, "example.org", 8000, Transport::Udp),
        ("turn:example.org", Scheme::Turn, "example.org", 3478, Transport::Udp),
        ("turns:example.org", Scheme::Turns, "example.org", 5349, Transport::Tls),
        ("turn:example.org:8000", Scheme::Turn, "example.org", 8000, Transport::Udp),
        ("turn:example.org?transport=udp", Scheme::Turn, "example.org", 3478, Transport::Udp),
        ("turn:example.org?transport=tcp", Scheme::Turn, "example.org", 3478, Transport::Tcp),
        ("turns:example.org?transport=tcp", Scheme::Turns, "example.org", 5349, Transport::Tls),
        ("TURN:Example.ORG:1?transport=TCP", Scheme::Turn, "example.org", 1, Transport::Tcp),
        ("turn:192.0.2.1:65535", Scheme::Turn, "192.0.2.1", 65535, Transport::Udp),
        ("turn:[2001:db8::1]", Scheme::Turn, "[2001:db8::1]", 3478, Transport::Udp),
        ("turns:[2001:db8::1]:443?transport=tcp", Scheme::Turns, "[2001:db8::1]", 443, Transport::Tls),
        ("stun:my-host_1.local.", Scheme::Stun, "my-host_1.local.", 3478, Transport::Udp),
    ] {
        let url = url(text);
        let got = (url.scheme(), url.host().to_string(), url.port(), url.transport());
        assert_eq!(got, (scheme, host.to_owned(), port, transport), "{text}");
        assert_eq!(url.to_string().parse(), Ok(url.clone()), "{text}");
    }
    assert!(matches!(url("stun:192.0.2.1").host(), Host::Ip(ip) if ip.is_ipv4()));
    assert!(matches!(url("stun:1.example").host(), Host::Name(_)));
}

//= rfc8489#8.1
//# A "stuns" URI containing an IP address MUST be rejected.
#[test]
fn bad_ones_are_told_why() {
    let host = |text: &str| UrlError::Host(text.to_owned());
    for (text, error) in [
        ("", UrlError::Scheme),
        ("example.org", UrlError::Scheme),
        ("http:example.org", UrlError::Scheme),
        ("turn", UrlError::Scheme),
        ("turn:", UrlError::HostMissing),
        ("turn::3478", UrlError::HostMissing),
        ("turn://example.org", UrlError::Slashes),
        ("stun:example.org/path", UrlError::Unexpected('/')),
        ("turn:alice:secret@example.org", UrlError::Unexpected('@')),
        ("turn:alice@example.org", UrlError::Unexpected('@')),
        ("turn:example.org#x", UrlError::Unexpected('#')),
        ("turn:exam ple.org", UrlError::Unexpected(' ')),
        (" turn:example.org", UrlError::Scheme),
        ("turn:example.org:", UrlError::Port(String::new())),
        ("turn:example.org:0", UrlError::Port("0".to_owned())),
        ("turn:example.org:65536", UrlError::Port("65536".to_owned())),
        ("turn:example.org:+80", UrlError::Port("+80".to_owned())),
        ("turn:example.org:80:90", UrlError::Port("80:90".to_owned())),
        ("turn:2001:db8::1", UrlError::Brackets),
        ("turn:[2001:db8::1", host("[2001:db8::1")),
        ("turn:[2001:db8::1]3478", host("[2001:db8::1]3478")),
        ("turn:[192.0.2.1]", host("[192.0.2.1]")),
        ("turn:256.0.0.1", host("256.0.0.1")),
        ("turn:a..b", host("a..b")),
        ("turn:żółw.example", host("żółw.example")),
        ("stun:example.org?transport=udp", UrlError::QueryOnStun),
        ("turn:example.org?transport=sctp", UrlError::Query("transport=sctp".to_owned())),
        ("turn:example.org?", UrlError::Query(String::new())),
        ("turn:example.org?transport=tcp&x=1", UrlError::Query("transport=tcp&x=1".to_owned())),
        ("turns:example.org?transport=udp", UrlError::Dtls),
        ("stuns:192.0.2.1", UrlError::NameRequired),
        ("stuns:[2001:db8::1]:5349", UrlError::NameRequired),
    ] {
        assert_eq!(text.parse::<ServerUrl>(), Err(error.clone()), "{text}");
        assert!(!error.to_string().is_empty());
    }
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_the_same(text in "(?i)(stun|turn)s?:\\PC{0,40}") {
        if let Ok(url) = text.parse::<ServerUrl>() {
            prop_assert_eq!(url.to_string().parse(), Ok(url));
        }
    }
}
