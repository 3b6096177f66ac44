//! Documents: what is read, what is written, and where errors point.

use weft_sdp::{Attribute, Connection, Expected, Limits, Session};

use crate::common::fixtures;

const MINIMAL: &str = "v=0\r\no=- 42 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";

fn full() -> String {
    [
        "v=0",
        "o=alice 2890844526 2890844527 IN IP6 2001:db8::1",
        "s=Seminar",
        "i=About SDP – with a dash",
        "u=http://www.example.com/seminars/sdp.pdf",
        "e=j.doe@example.com (Jane Doe)",
        "e=Jane Doe <j.doe@example.com>",
        "p=+1 617 555-6011",
        "c=IN IP4 233.252.0.1/127/3",
        "b=X-YZ:128",
        "b=AS:64",
        "t=3724394400 3724398000",
        "r=604800 3600 0 90000",
        "r=7d 1h 0 25h",
        "z=3730928400 -1h 3749680800 0",
        "t=0 0",
        "a=recvonly",
        "a=charset:UTF-8",
        "m=audio 49170/2 RTP/AVP 0 96",
        "i=The speaker",
        "c=IN IP6 ff00::db8:0:101/3",
        "c=IN IP4 host.example.com",
        "b=AS:32",
        "a=rtpmap:96 L16/8000",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=unknown:with spaces, and: colons  ",
        "",
    ]
    .join("\r\n")
}

//= rfc8866#5
//# An SDP description MUST conform to the syntax defined in Section 9.
//= rfc8829#5.8.2
//# The "m=" line itself MUST be parsed as described in [RFC4566], Section 5.14, and the <media>, <port>, <proto>, and <fmt> values stored.
#[test]
fn every_part_of_the_grammar_is_read_and_written() {
    let session = Session::parse(&full()).unwrap();
    assert_eq!(session.to_string(), full());
    assert_eq!(session.origin.username, "alice");
    assert_eq!(session.origin.session_version, "2890844527");
    assert_eq!(session.information.as_deref(), Some("About SDP – with a dash"));
    assert_eq!(session.times.len(), 2);
    assert_eq!(session.times[0].repeats.len(), 2);
    assert!(session.times[0].zone.is_some());
    assert_eq!(session.media[0].port_count, Some(2));
    assert_eq!(session.media[0].formats, ["0", "96"]);
    assert_eq!((session.media[0].kind.as_str(), session.media[0].port), ("audio", 49170));
    assert_eq!(session.media[0].protocol, "RTP/AVP");
    assert_eq!(session.media[1].line(), 25);
    assert_eq!(session.attribute("charset").and_then(Attribute::value), Some("UTF-8"));
}

#[test]
fn what_peers_write_survives_byte_for_byte() {
    for (name, text) in fixtures("") {
        let session = Session::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(session.to_string(), text, "{name}");
    }
}

#[test]
fn examples_of_rfc_4317_and_8829_survive_byte_for_byte() {
    let examples = fixtures("rfc");
    assert!(examples.len() > 60);
    for (name, text) in examples {
        let session = Session::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(session.to_string(), text, "{name}");
    }
}

#[test]
fn line_feeds_are_read_and_crlf_is_written() {
    let text = full();
    assert_eq!(Session::parse(&text.replace("\r\n", "\n")).unwrap().to_string(), text);
    assert_eq!(Session::parse(text.trim_end_matches("\r\n")).unwrap().to_string(), text, "a last line without end");
    assert_eq!(Session::parse(&format!("{text}\r\n\n\r\n")).unwrap().to_string(), text, "blank lines at the end");
}

//= rfc8866#5.13
//# If an attribute is received that is not understood, it MUST be ignored by the receiver.
//= rfc8866#5
//# An SDP parser MUST ignore any attribute it doesn't understand.
//= rfc8829#5.8.1
//# As required by [RFC4566], Section 5.13, unknown attribute lines MUST be ignored.
//= rfc8829#5.8.2
//# As required by [RFC4566], Section 5.13, unknown attribute lines MUST be ignored.
#[test]
fn unknown_attributes_are_kept_and_in_nobodys_way() {
    let text = format!("{MINIMAL}a=x-future\r\na=x-other:1 2 3\r\nm=audio 9 RTP/AVP 0\r\na=x-third:\u{e9}\r\n");
    let session = Session::parse(&text).unwrap();
    assert!(session.has_attribute("x-future"));
    assert_eq!(session.to_string(), text);
}

//= rfc8866#5.12
//# The "k=" line (key-field) is obsolete and MUST NOT be used.
//= rfc8866#5.12
//# One MUST NOT include a "k=" line in an SDP, and MUST discard it if it is received in an SDP.
#[test]
fn keys_are_discarded() {
    let text = format!("{MINIMAL}k=clear:secret\r\nm=audio 9 RTP/AVP 0\r\nk=prompt\r\na=mid:0\r\n");
    let written = Session::parse(&text).unwrap().to_string();
    assert_eq!(written, format!("{MINIMAL}m=audio 9 RTP/AVP 0\r\na=mid:0\r\n"));
}

//= rfc8866#5.6
//# If an email address or phone number is present, it MUST be specified before the first media description.
#[test]
fn contacts_come_before_the_media() {
    for line in ["e=j.doe@example.com", "p=+1 617 555-6011"] {
        assert!(Session::parse(&MINIMAL.replace("t=0 0", &format!("{line}\r\nt=0 0"))).is_ok(), "{line}");
        assert!(Session::parse(&format!("{MINIMAL}m=audio 9 RTP/AVP 0\r\n{line}\r\n")).is_err(), "{line}");
    }
}

//= rfc8866#5.8
//# SDP parsers MUST ignore bandwidth-fields with unknown <bwtype> names.
#[test]
fn unknown_bandwidths_are_no_error() {
    assert!(Session::parse(&MINIMAL.replace("t=0 0", "b=NEW:17\r\nt=0 0")).is_ok());
}

/// The error of a text, as it is shown.
fn error(text: &str) -> String {
    Session::parse(text).expect_err(text).to_string()
}

//= rfc8829#5.8
//# If any line is not well formed or cannot be parsed as described, the parser MUST stop with an error and reject the session description, even if the value is to be discarded.
//= rfc8866#5
//# an SDP parser MUST completely ignore or reject any session description that contains a type letter that it does not understand.
#[test]
fn errors_name_line_column_and_what_was_expected() {
    let after = |line: &str| error(&format!("{MINIMAL}{line}\r\n"));
    let replaced = |from: &str, to: &str| error(&MINIMAL.replace(from, to));
    assert_eq!(error(""), "line 1, column 1: expected a v= line");
    assert_eq!(error("v=0\r\n"), "line 2, column 1: expected an o= line");
    assert_eq!(error("hello"), "line 1, column 1: expected a line of the form <letter>=<value>");
    assert_eq!(replaced("v=0", "v=1"), "line 1, column 3: expected version 0");
    assert_eq!(replaced("v=0", "v=00"), "line 1, column 4: expected the end of the line");
    assert_eq!(replaced("- 42", "-  42"), "line 2, column 5: expected a session id (digits)");
    assert_eq!(replaced(" 1 ", " x "), "line 2, column 8: expected a session version (digits)");
    assert_eq!(replaced("s=-\r\n", ""), "line 3, column 1: expected an s= line");
    assert_eq!(replaced("s=-", "s=\u{e9}\u{e9}\0"), "line 3, column 5: expected a line without NUL or a lone CR");
    assert_eq!(
        replaced("t=0 0", "t=0 5"),
        "line 4, column 5: expected a stop time (0, or seconds of at least 10 digits)"
    );
    assert_eq!(after("x=1"), "line 5, column 1: expected an a= or m= line, or the end");
    assert_eq!(after("s=twice"), "line 5, column 1: expected an a= or m= line, or the end");
    assert_eq!(after("a="), "line 5, column 3: expected an attribute name");
    assert_eq!(after("a=mid:"), "line 5, column 7: expected an attribute value");
    assert_eq!(after("a=mid 0"), "line 5, column 6: expected a colon or the end of the line");
    assert_eq!(after("m=audio 65536 RTP/AVP 0"), "line 5, column 9: expected a port (0 to 65535)");
    assert_eq!(after("m=audio 9 RTP//AVP 0"), "line 5, column 11: expected a protocol (tokens joined by /)");
    assert_eq!(after("m=audio 9 RTP/AVP"), "line 5, column 18: expected a space");
    assert_eq!(after("m=audio 9 RTP/AVP 0 "), "line 5, column 21: expected a format");
    assert_eq!(
        after("m=audio 9 RTP/AVP 0\r\na=x\r\nc=IN IP4 1.2.3.4"),
        "line 7, column 1: expected an a= or m= line, or the end"
    );
    assert_eq!(after("\r\na=x"), "line 5, column 1: expected a line of the form <letter>=<value>");
    assert_eq!(after("k=guess"), "line 5, column 3: expected prompt, clear:, base64: or uri:");
}

//= rfc8829#5.8.1
//# Note that while the specific line types (e.g., "v=", "c=") MUST occur in the defined order, lines of the same type (typically "a=") can occur in any order.
//= rfc8829#5.8.1
//# These lines MUST occur in a specific order, and with a specific syntax, as defined in [RFC4566], Section 5.
//= rfc8829#5.8.2
//# Like the session-level lines, the media section lines MUST occur in the specific order and with the specific syntax defined in [RFC4566], Section 5.
//= rfc8866#5.3
//# There MUST be one and only one "s=" line per session description.
#[test]
fn lines_out_of_order_are_refused() {
    let text = full();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let letter = |line: &str| line.as_bytes()[0];
    for at in 1..lines.len() {
        // Attributes end one section and begin the next: swapping them with an m= line leaves a valid document.
        let pair = (letter(lines[at - 1]), letter(lines[at]));
        if pair.0 == pair.1 || matches!(pair, (b'a', b'm') | (b'm', b'a')) {
            continue;
        }
        let mut swapped = lines.clone();
        swapped.swap(at - 1, at);
        let outcome = Session::parse(&swapped.concat());
        assert!(outcome.is_err(), "swapped {:?} and {:?}", lines[at - 1], lines[at]);
    }
}

//= rfc8866#5.7
//# Sessions using an "IP4" multicast connection address MUST also have a time to live (TTL) value present in addition to the multicast address.
//= rfc8866#5.7
//# Although the TTL MUST be specified, its use to scope multicast traffic is deprecated;
//= rfc8866#5.7
//# TTL values MUST be in the range 0-255.
//= rfc8866#5.7
//# "IP6" multicast does not use TTL scoping, and hence the TTL value MUST NOT be present for "IP6" multicast.
//= rfc8866#5.7
//# The slash notation for multiple addresses described above MUST NOT be used for IP unicast addresses.
//= rfc8866#5.7
//# Multiple addresses or "c=" lines MUST NOT be specified at session level.
//= rfc8829#5.8.1
//# The "c=" line MUST be checked for syntax
//= rfc8829#5.8.2
//# As with the "c=" line at the session level, the "c=" line MUST be parsed according to [RFC4566], Section 5.7, but its value is not used.
#[test]
fn connection_addresses_are_checked() {
    let read = |line: &str| Session::parse(&MINIMAL.replace("t=0 0", &format!("{line}\r\nt=0 0"))).map(|_| ());
    for good in [
        "c=IN IP4 192.0.2.1",
        "c=IN IP6 2001:db8::1",
        "c=IN IP4 host.example.com",
        "c=IN IP4 233.252.0.1/0",
        "c=IN IP4 233.252.0.1/255/3",
        "c=IN IP6 ff00::1",
        "c=IN IP6 ff00::1/3",
        "c=ATM NSAP 47.0091.8100.0000",
    ] {
        assert_eq!(read(good), Ok(()), "{good}");
    }
    for bad in [
        "c=IN IP4 192.0.2.1/127",
        "c=IN IP6 2001:db8::1/3",
        "c=IN IP4 2001:db8::1",
        "c=IN IP6 192.0.2.1",
        "c=IN IP4 233.252.0.1",
        "c=IN IP4 233.252.0.1/256",
        "c=IN IP4 233.252.0.1/127/0",
        "c=IN IP4 233.252.0.1/127/3/4",
        "c=IN IP6 ff00::1/127/3",
        "c=IN IP4",
        "c=IN IP4 ",
        "c=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

//= rfc8829#5.8.1
//# The "i=", "u=", "e=", "p=", "t=", "r=", "z=", and "k=" lines MUST be checked for syntax, but their values are not otherwise used.
//= rfc8829#5.8.1
//# The "v=" line MUST have a version of 0, as specified in [RFC4566], Section 5.1.
//= rfc8829#5.8.1
//# The "o=" line MUST be parsed as specified in [RFC4566], Section 5.2.
//= rfc8829#5.8.1
//# The "b=" line, if present, MUST be parsed as specified in [RFC4566], Section 5.8, and the bwtype and bandwidth values stored.
//= rfc8829#5.8.2
//# The "b=" line, if present, MUST be parsed as specified in [RFC4566], Section 5.8, and the bwtype and bandwidth values stored.
#[test]
fn lines_that_mean_nothing_here_are_checked_all_the_same() {
    for (line, bad) in [
        ("v=0", "v=x"),
        ("o=alice 2890844526 2890844527 IN IP6 2001:db8::1", "o=alice 2890844526 IN IP6 2001:db8::1"),
        ("i=About SDP – with a dash", "i="),
        ("u=http://www.example.com/seminars/sdp.pdf", "u=two words"),
        ("e=j.doe@example.com (Jane Doe)", "e="),
        ("p=+1 617 555-6011", "p="),
        ("b=X-YZ:128", "b=X-YZ"),
        ("b=AS:64", "b=AS:many"),
        ("b=AS:32", "b=:32"),
        ("t=3724394400 3724398000", "t=3724394400"),
        ("r=604800 3600 0 90000", "r=604800 3600"),
        ("r=7d 1h 0 25h", "r=7d 1h 0 25w"),
        ("z=3730928400 -1h 3749680800 0", "z=3730928400"),
    ] {
        let text = crate::common::edit(&full(), line, bad);
        let error = Session::parse(&text).expect_err(bad);
        let at = 1 + full().split("\r\n").position(|other| other == line).unwrap();
        assert_eq!(error.line, at, "{bad}: {error}");
    }
}

#[test]
fn limits_are_kept() {
    let media = "m=audio 9 RTP/AVP 0\r\n";
    let mut limits = Limits::default();
    let at_most = |text: &str, limits: &Limits| match Session::parse_within(text, limits) {
        Ok(_) => None,
        Err(error) => match error.expected {
            Expected::AtMost { limit, of } => Some((error.line, limit, of)),
            other @ Expected::Grammar(_) => panic!("{other}"),
        },
    };

    limits.size = MINIMAL.len();
    assert_eq!(at_most(MINIMAL, &limits), None);
    assert_eq!(at_most(&format!("{MINIMAL}a=b\r\n"), &limits), Some((1, MINIMAL.len(), "bytes in a description")));

    let mut limits = Limits { lines: 5, ..Limits::default() };
    let text = format!("{MINIMAL}a=b\r\n");
    assert_eq!(at_most(&text, &limits), None);
    assert_eq!(at_most(&format!("{text}a=b\r\n"), &limits), Some((6, 5, "lines")));

    limits = Limits { line_length: 29, ..Limits::default() };
    assert_eq!(at_most(&format!("{MINIMAL}a={}\r\n", "b".repeat(27)), &limits), None);
    let long = format!("{MINIMAL}a={}\r\n", "b".repeat(28));
    assert_eq!(at_most(&long, &limits), Some((5, 29, "bytes in a line")));

    limits = Limits { sections: 2, ..Limits::default() };
    assert_eq!(at_most(&format!("{MINIMAL}{media}{media}"), &limits), None);
    assert_eq!(at_most(&format!("{MINIMAL}{media}{media}{media}"), &limits), Some((7, 2, "media sections")));

    limits = Limits { attributes: 2, ..Limits::default() };
    let section = format!("{media}a=b\r\na=c\r\n");
    let text = format!("{MINIMAL}a=b\r\na=c\r\n{section}{section}");
    assert_eq!(at_most(&text, &limits), None);
    assert_eq!(at_most(&format!("{text}a=d\r\n"), &limits), Some((13, 2, "attributes in a section")));

    limits = Limits { candidates: 1, ..Limits::default() };
    let text = format!("{MINIMAL}{media}a=candidate:1\r\n");
    assert_eq!(at_most(&text, &limits), None);
    assert_eq!(at_most(&format!("{text}a=candidate:2\r\n"), &limits), Some((7, 1, "candidates in a section")));
}

//= rfc8866#5.3
//# If a session-level "a=charset:" attribute is not present, the "s=" field MUST contain ISO 10646 characters in UTF-8 encoding.
//= rfc8866#5.4
//# If the "a=charset:" attribute is not present, the "i=" line MUST contain ISO 10646 characters in UTF-8 encoding.
//= rfc8866#5
//# these octet strings MUST be interpreted as containing ISO-10646 characters in UTF-8 encoding.
#[test]
fn bytes_that_are_not_utf_8_are_named() {
    let limits = Limits::default();
    assert_eq!(Session::parse_bytes(MINIMAL.as_bytes(), &limits), Session::parse(MINIMAL));
    for (text, line) in [("s=\u{e9}?", 3), ("s=-\r\ni=\u{e9}?", 4)] {
        let mut bytes = MINIMAL.replace("s=-", text).into_bytes();
        let at = bytes.iter().position(|byte| *byte == b'?').unwrap();
        bytes[at] = 0xff;
        let error = Session::parse_bytes(&bytes, &limits).unwrap_err();
        assert_eq!(error.to_string(), format!("line {line}, column 4: expected UTF-8"));
    }
}

//= rfc8866#6.10
//# Furthermore, charset-dependent fields MUST NOT contain the bytes 0x00 (Nul), 0x0A (LF), and 0x0d (CR).
//= rfc8866#5.13
//# Attribute names MUST use the US-ASCII subset of ISO-10646/UTF-8.
#[test]
fn an_attribute_never_becomes_two_lines() {
    let attribute = Attribute::new("na\u{e9}me: \r\n", "1\r\na=ice-lite\0");
    assert_eq!((attribute.name(), attribute.value()), ("name", Some("1a=ice-lite")));
    let mut session = Session::parse(MINIMAL).unwrap();
    session.attributes.push(attribute);
    session.attributes.push(Attribute::flag("flag\n"));
    let read = Session::parse(&session.to_string()).unwrap();
    assert_eq!(read, session);
    assert!(!read.has_attribute("ice-lite"));
}

#[test]
fn connections_are_made_of_addresses() {
    assert_eq!(Connection::unspecified().to_string(), "IN IP4 0.0.0.0");
    assert_eq!(Connection::ip("2001:db8::1".parse().unwrap()).to_string(), "IN IP6 2001:db8::1");
}
