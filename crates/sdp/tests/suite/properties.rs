//! Whatever comes in: nothing panics, what is read is written, and work grows with the length and no faster.

use proptest::prelude::*;
use weft_sdp::jsep::{Description, IceCandidate, Negotiator, NegotiatorConfig};
use weft_sdp::{
    Address, Attribute, Candidate, CandidateTransport, CandidateType, Fingerprint, Group, HashFunction, IceOptions,
    Limits, Session, TcpType,
};

use crate::common::{fixture, fixtures, negotiator, parameters};

/// Feeds a text to everything that reads one.
fn devour(text: &str) {
    if let Ok(session) = Session::parse(text) {
        let written = session.to_string();
        assert_eq!(Session::parse(&written).as_ref(), Ok(&session), "{text:?}");
        assert_eq!(Session::parse(&written).unwrap().to_string(), written);
    }
    let _ = text.parse::<Candidate>();
    let mut answerer = negotiator(1);
    if answerer.set_remote(&Description::offer(text)).is_ok() {
        let answer = answerer.create_answer(&parameters('a')).unwrap();
        answerer.set_local(&answer).unwrap();
        let offer = answerer.create_offer(&parameters('a')).unwrap();
        answerer.set_local(&offer).unwrap();
        let mut peer = negotiator(2);
        peer.set_remote(&offer).unwrap();
    }
    let mut offerer = negotiator(1);
    let offer = offerer.create_offer(&parameters('a')).unwrap();
    offerer.set_local(&offer).unwrap();
    let _ = offerer.set_remote(&Description::answer(text));
    let candidate = IceCandidate { candidate: text.to_owned(), sdp_mline_index: Some(0), ..IceCandidate::default() };
    let _ = offerer.add_remote_candidate(&candidate);
}

fn token() -> impl Strategy<Value = String> {
    "[!#$%&'*+.0-9A-Z^_`a-z{|}~-]{1,12}"
}

fn attribute() -> impl Strategy<Value = Attribute> {
    (token(), proptest::option::of("[^\\x00\\r\\n]{1,20}")).prop_map(|(name, value)| match value {
        Some(value) => Attribute::new(&name, value),
        None => Attribute::flag(&name),
    })
}

fn address() -> impl Strategy<Value = Address> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| Address::Ip(octets.into())),
        any::<[u8; 16]>().prop_map(|octets| Address::Ip(octets.into())),
        "[a-z][a-z0-9-]{3,20}\\.local".prop_map(Address::Name),
    ]
}

prop_compose! {
    fn candidate()(
        foundation in "[A-Za-z0-9+/]{1,32}",
        component in 1u16..=256,
        transport in prop_oneof![
            Just(CandidateTransport::Udp),
            Just(CandidateTransport::Tcp),
            Just(CandidateTransport::Other("SCTP".into())),
        ],
        priority in 1u32..,
        (address, port) in (address(), any::<u16>()),
        candidate_type in prop_oneof![
            Just(CandidateType::Host),
            Just(CandidateType::ServerReflexive),
            Just(CandidateType::PeerReflexive),
            Just(CandidateType::Relayed),
        ],
        related_address in proptest::option::of(address()),
        related_port in proptest::option::of(any::<u16>()),
        tcp_type in proptest::option::of(prop_oneof![
            Just(TcpType::Active),
            Just(TcpType::Passive),
            Just(TcpType::SimultaneousOpen),
        ]),
        extensions in proptest::collection::vec(("x-[a-z]{1,8}", "[!-~]{0,8}"), 0..4),
    ) -> Candidate {
        Candidate {
            foundation, component, transport, priority, address, port, candidate_type, related_address, related_port,
            tcp_type, extensions,
        }
    }
}

prop_compose! {
    fn session()(
        id in any::<u64>(),
        version in any::<u64>(),
        name in "[^\\x00\\r\\n]{0,20}",
        attributes in proptest::collection::vec(attribute(), 0..6),
        sections in proptest::collection::vec(
            (token(), any::<u16>(), token(), proptest::collection::vec(token(), 1..4),
                proptest::collection::vec(attribute(), 0..6)),
            0..4,
        ),
    ) -> Session {
        let mut session = Session::parse(&format!("v=0\no=- {id} {version} IN IP4 0.0.0.0\ns=-\nt=0 0\n")).unwrap();
        session.name = name;
        session.attributes = attributes;
        for (kind, port, protocol, formats, attributes) in sections {
            let mut media = weft_sdp::Media::new(&kind, port, &protocol, "0");
            media.formats = formats;
            media.attributes = attributes;
            session.media.push(media);
        }
        session
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn documents_survive_a_round_trip(session in session()) {
        let text = session.to_string();
        let read = Session::parse(&text);
        prop_assert_eq!(read.as_ref(), Ok(&session));
        prop_assert_eq!(read.unwrap().to_string(), text);
    }

    #[test]
    fn candidates_survive_a_round_trip(candidate in candidate()) {
        let text = candidate.to_string();
        prop_assert_eq!(text.parse::<Candidate>(), Ok(candidate.clone()));
        prop_assert_eq!(format!("a={text}").parse::<Candidate>(), Ok(candidate));
    }

    #[test]
    fn fingerprints_survive_a_round_trip(bytes in proptest::collection::vec(any::<u8>(), 32)) {
        let fingerprint = Fingerprint { hash: HashFunction::Sha256, bytes };
        prop_assert_eq!(fingerprint.to_string().parse::<Fingerprint>(), Ok(fingerprint.clone()));
        prop_assert_eq!(fingerprint.to_string().to_lowercase().parse::<Fingerprint>(), Ok(fingerprint));
    }

    #[test]
    fn groups_and_options_survive_a_round_trip(words in proptest::collection::vec("[a-z0-9+]{1,8}", 1..5)) {
        let group = Group { semantics: "BUNDLE".into(), mids: words.clone() };
        prop_assert_eq!(group.to_string().parse::<Group>(), Ok(group));
        let options = IceOptions::new(words.iter().map(String::as_str));
        prop_assert_eq!(options.to_string().parse::<IceOptions>(), Ok(options));
    }

    #[test]
    fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Session::parse_bytes(&bytes, &Limits::default());
        devour(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_lines_are_borne(lines in proptest::collection::vec("[vosiuepcbtrzkam]=[ -~\u{e9}]{0,30}", 0..30)) {
        devour(&lines.join("\r\n"));
        devour(&format!("v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n{}", lines.join("\n")));
    }

    #[test]
    fn mutated_descriptions_are_borne(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..4, any::<u8>()), 1..6),
    ) {
        let mut all = fixtures("");
        all.extend(fixtures("rfc"));
        let mut bytes = which.get(&all).1.clone().into_bytes();
        for (place, change, byte) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            match change {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte % 128),
                2 => drop(bytes.remove(at)),
                _ => {
                    // A line twice, which is where duplicates come from.
                    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                    let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end + 1);
                    let line = bytes[start..end].to_vec();
                    bytes.splice(start..start, line);
                }
            }
        }
        let _ = Session::parse_bytes(&bytes, &Limits::default());
        devour(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn every_prefix_of_every_fixture_is_borne() {
    for (_, text) in fixtures("") {
        for end in (0..text.len()).step_by(7) {
            devour(&text[..end]);
        }
    }
}

#[cfg(unix)]
/// Processor time of this thread, which nothing else on the machine adds to, in nanoseconds.
fn processor_time() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

#[cfg(unix)]
/// The cheapest of a few runs, which is what the work itself costs.
fn cost<T>(work: impl Fn() -> T) -> i64 {
    let run = || {
        let start = processor_time();
        let done = std::hint::black_box(work());
        let time = processor_time() - start;
        drop(done);
        time
    };
    (0..7).map(|_| run()).min().unwrap()
}

#[cfg(unix)]
fn unlimited() -> Limits {
    let (mut limits, huge) = (Limits::default(), usize::MAX);
    (limits.size, limits.lines, limits.line_length) = (huge, huge, huge);
    (limits.sections, limits.attributes, limits.candidates) = (huge, huge, huge);
    limits
}

/// Sixteen times as much work; what is quadratic takes 256 times as long.
#[cfg(unix)]
fn assert_linear(name: &str, small: i64, large: i64) {
    assert!(large < small.max(2_000) * 100, "{name}: {small} ns, then {large} ns");
}

#[cfg(unix)]
#[test]
fn work_grows_with_length_and_no_faster() {
    let limits = unlimited();
    let head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
    for (name, part, end) in [
        ("attributes", "a=x:1\r\n", ""),
        ("sections", "m=audio 9 RTP/AVP 0\r\n", ""),
        ("candidates", "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", ""),
        ("blank lines", "\r\n", "x"),
        ("one line", "a", "\0"),
        ("times", "t=0 0\r\n", ""),
        ("formats", " 0", ""),
    ] {
        let start = match name {
            "one line" => format!("{head}a="),
            "formats" => format!("{head}m=audio 9 RTP/AVP"),
            _ => head.to_owned(),
        };
        let text = |count: usize| format!("{start}{}{end}", part.repeat(count));
        let read = |text: String| cost(|| Session::parse_within(&text, &limits));
        assert_linear(name, read(text(2_000)), read(text(32_000)));
    }
}

/// Applying an offer of each size and answering it, and candidates one by one.
#[cfg(unix)]
#[test]
fn negotiating_takes_time_in_proportion() {
    let unlimited = || {
        let mut config = NegotiatorConfig::new(1);
        config.limits = unlimited();
        Negotiator::new(config)
    };
    let offer = fixture("chromium-156-ip-offer.sdp");
    let candidate = |port: usize| format!("candidate:1 1 udp {} 192.0.2.1 {} typ host", port + 1, port % 65_535 + 1);
    let with = |count: usize, line: &dyn Fn(usize) -> String| {
        let mut sdp = offer.clone();
        sdp.extend((0..count).map(line));
        Description::offer(sdp)
    };
    let candidates = |count| with(count, &|n| format!("a={}\r\n", candidate(n)));
    let attributes = |count| with(count, &|n| format!("a=x-{n}:1\r\n"));
    let sections = |count| with(count, &|n| format!("m=audio 9 RTP/AVP 0\r\na=mid:audio-{n}\r\n"));
    for (name, small, large) in [
        ("candidates", candidates(500), candidates(8_000)),
        ("attributes", attributes(500), attributes(8_000)),
        ("sections", sections(500), sections(8_000)),
    ] {
        let answer = |offer: &Description| {
            let mut us = unlimited();
            us.set_remote(offer).unwrap();
            let answer = us.create_answer(&parameters('b')).unwrap();
            us.set_local(&answer).unwrap();
            us
        };
        assert_linear(name, cost(|| answer(&small)), cost(|| answer(&large)));
    }

    let remote =
        |port| IceCandidate { candidate: candidate(port), sdp_mid: Some("0".into()), ..IceCandidate::default() };
    let trickle = |count| {
        let mut us = unlimited();
        us.set_remote(&Description::offer(offer.clone())).unwrap();
        (0..count).for_each(|n| drop(us.add_remote_candidate(&remote(n)).unwrap()));
        us
    };
    assert_linear("trickled to us", cost(|| trickle(500)), cost(|| trickle(8_000)));
}
