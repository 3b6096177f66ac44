//! weft-sdp beside two other parsers, on descriptions that are generated, that browsers wrote, and that were mutated.
//!
//! Where two parsers take a description they must read the same in it. Which of the three refuse it is a matter of how
//! strict they are: the tallies are printed, and what all peers write must be taken by all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Cursor;
use std::panic::catch_unwind;

use weft_core::Rng;
use weft_sdp::{Attribute, Fingerprint, IcePwd, IceUfrag, MaxMessageSize, Mid, SctpMap, SctpPort, Session, Setup};

/// What is compared: sections, and the attributes that data channels give a meaning to.
#[derive(PartialEq, Eq, Debug)]
struct View {
    session_id: String,
    version: String,
    sections: Vec<Section>,
    groups: Vec<String>,
}

#[derive(PartialEq, Eq, Debug)]
struct Section {
    line: String,
    /// Values by name; `None` where one has not the form of its attribute, which we would refuse when it is used.
    attributes: BTreeMap<&'static str, Option<Vec<String>>>,
}

/// Attributes whose text all three write alike.
const COMPARED: [&str; 9] = [
    "mid",
    "ice-ufrag",
    "ice-pwd",
    "fingerprint",
    "setup",
    "sctp-port",
    "max-message-size",
    "sctpmap",
    "end-of-candidates",
];

impl View {
    fn of(session: &Session) -> Self {
        let sections = session.media.iter().map(|media| Section {
            line: format!("{} {} {} {}", media.kind, media.port, media.protocol, media.formats.join(" ")),
            attributes: COMPARED.into_iter().map(|name| (name, checked(&media.attributes, name))).collect(),
        });
        Self {
            session_id: session.origin.session_id.clone(),
            version: session.origin.session_version.clone(),
            sections: sections.collect(),
            groups: values(&session.attributes, "group"),
        }
    }
}

fn checked(attributes: &[Attribute], name: &str) -> Option<Vec<String>> {
    let sound = |attribute: &Attribute| match name {
        "mid" => attribute.parse::<Mid>().is_ok(),
        "ice-ufrag" => attribute.parse::<IceUfrag>().is_ok(),
        "ice-pwd" => attribute.parse::<IcePwd>().is_ok(),
        "fingerprint" => attribute.parse::<Fingerprint>().is_ok(),
        "setup" => attribute.parse::<Setup>().is_ok(),
        "sctp-port" => attribute.parse::<SctpPort>().is_ok(),
        "max-message-size" => attribute.parse::<MaxMessageSize>().is_ok(),
        "sctpmap" => attribute.parse::<SctpMap>().is_ok(),
        _ => true,
    };
    let mut named = attributes.iter().filter(|attribute| attribute.name() == name);
    named.all(sound).then(|| values(attributes, name))
}

fn values(attributes: &[Attribute], name: &str) -> Vec<String> {
    let named = attributes.iter().filter(|attribute| attribute.name() == name);
    // Hexadecimal digits may be written either way.
    named.map(|attribute| attribute.value().unwrap_or_default().to_ascii_lowercase()).collect()
}

/// What crate `sdp` reads, by way of what it writes.
fn theirs(text: &str) -> Option<View> {
    let text = text.to_owned();
    let written = catch_unwind(move || {
        sdp::SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes())).ok().map(|session| session.marshal())
    });
    Session::parse(&written.ok()??).ok().map(|session| View::of(&session))
}

/// What crate `webrtc-sdp` reads, by way of what it writes. It drops lines that it does not know with a warning, the first
/// line of a section too, whose attributes it then takes for those of the section before: `strict` makes errors of warnings.
fn mozillas(text: &str, strict: bool) -> Option<View> {
    let text = text.to_owned();
    let written = catch_unwind(move || webrtc_sdp::parse_sdp(&text, strict).ok().map(|session| session.to_string()));
    Session::parse(&written.ok()??).ok().map(|session| View::of(&session))
}

fn ours(text: &str) -> Option<View> {
    Session::parse(text).ok().map(|session| View::of(&session))
}

/// Descriptions that real peers wrote.
fn fixtures() -> Vec<(String, String)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/sdp/tests/fixtures");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "sdp"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    all.sort();
    assert!(all.len() > 20, "{}", all.len());
    all
}

fn word(rng: &mut Rng, min: u64, max: u64) -> String {
    const CHARS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..min + rng.below(max - min + 1)).map(|_| char::from(CHARS[rng.below(64) as usize])).collect()
}

fn fingerprint(rng: &mut Rng) -> String {
    let digits: Vec<String> = (0..32).map(|_| format!("{:02X}", rng.below(256))).collect();
    format!("sha-256 {}", digits.join(":"))
}

/// A description of the kind that peers write, with everything chosen by chance.
fn generated(rng: &mut Rng) -> String {
    let mids: Vec<String> = (0..=rng.below(4)).map(|index| index.to_string()).collect();
    let mut text = format!(
        "v=0\r\no=- {} {} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n",
        rng.u64() >> 2,
        rng.below(100),
        mids.join(" ")
    );
    if rng.chance(0.3) {
        text.push_str("a=msid-semantic:WMS *\r\n");
    }
    for mid in &mids {
        let data = rng.chance(0.7);
        let port = if rng.chance(0.3) { rng.below(65_536) } else { 9 };
        if data {
            write!(text, "m=application {port} UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n")
        } else {
            write!(text, "m=audio {port} UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:111 opus/48000/2\r\n")
        }
        .unwrap();
        for index in 0..rng.below(4) {
            let (low, port) = (rng.below(256), 1 + rng.below(65_535));
            let candidate = match rng.below(3) {
                0 => format!("candidate:{index} 1 udp 2130706431 192.0.2.{low} {port} typ host generation 0"),
                1 => format!("candidate:{index} 1 tcp 1518280447 2001:db8::{low:x} 9 typ host tcptype active"),
                _ => {
                    format!("candidate:{index} 1 udp 1694498815 192.0.2.{low} {port} typ srflx raddr 10.0.0.1 rport 5")
                }
            };
            write!(text, "a={candidate}\r\n").unwrap();
        }
        write!(text, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", word(rng, 4, 32), word(rng, 22, 64)).unwrap();
        write!(text, "a=ice-options:trickle\r\na=fingerprint:{}\r\n", fingerprint(rng)).unwrap();
        let setup = ["actpass", "active", "passive"][rng.below(3) as usize];
        write!(text, "a=setup:{setup}\r\na=mid:{mid}\r\n").unwrap();
        if data {
            write!(text, "a=sctp-port:{}\r\na=max-message-size:{}\r\n", rng.below(65_536), rng.u64() >> 33).unwrap();
        } else {
            text.push_str("a=sendrecv\r\na=rtcp-mux\r\n");
        }
    }
    text
}

/// One small damage.
fn mutated(rng: &mut Rng, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=rng.below(3) {
        let at = rng.below(lines.len() as u64) as usize;
        let other = rng.below(lines.len() as u64) as usize;
        match rng.below(7) {
            0 if lines.len() > 1 => drop(lines.remove(at)),
            1 => lines.insert(other, lines[at].clone()),
            2 => lines.swap(at, other),
            3 => {
                let kept = rng.below(lines[at].len() as u64 + 1) as usize;
                lines[at] = lines[at].chars().take(kept).collect();
            }
            4 => lines[at] = lines[at].replace(' ', "  "),
            5 => lines[at].push_str([" ", "9", ":", " x"][rng.below(4) as usize]),
            _ => {
                let place = rng.below(lines[at].len() as u64 + 1) as usize;
                let letter = char::from(32 + rng.below(95) as u8);
                lines[at] =
                    lines[at].chars().take(place).chain([letter]).chain(lines[at].chars().skip(place + 1)).collect();
            }
        }
    }
    lines.join("\r\n") + "\r\n"
}

/// Runs all three and compares what those that took it read. Which did, as three letters.
fn compare(text: &str, strict: bool) -> String {
    let (ours, theirs, mozillas) = (ours(text), theirs(text), mozillas(text, strict));
    if let Some(ours) = &ours {
        for (name, other) in [("sdp", &theirs), ("webrtc-sdp", &mozillas)] {
            if let Some(other) = other {
                assert!(agree(ours, other), "{name} reads\n{other:#?}\nand we\n{ours:#?}\nin\n{text}");
            }
        }
    }
    [("w", ours.is_some()), ("s", theirs.is_some()), ("m", mozillas.is_some())]
        .map(|(letter, took)| if took { letter } else { "-" })
        .concat()
}

/// `webrtc-sdp` keeps of an attribute that may stand once only the last, and reads numbers as numbers.
fn agree(ours: &View, other: &View) -> bool {
    let number = |text: &str| text.trim().parse::<u64>().map_or_else(|_| text.trim().to_owned(), |n| n.to_string());
    let same = |one: &Option<Vec<String>>, other: &Option<Vec<String>>| {
        let (Some(one), Some(other)) = (one, other) else { return true };
        // `webrtc-sdp` takes names in any case ("a=miD:0"); RFC 8866 section 5.13 does not.
        one.len() != 1
            || other.is_empty()
            || one.iter().map(|text| number(text)).eq(other.iter().map(|text| number(text)))
    };
    ours.session_id == other.session_id
        && ours.version == other.version
        && ours.sections.len() == other.sections.len()
        && ours.sections.iter().zip(&other.sections).all(|(one, other)| {
            let tokens =
                |line: &str| line.split_whitespace().map(|token| number(&token.to_ascii_lowercase())).collect();
            let (ours, theirs): (Vec<String>, Vec<String>) = (tokens(&one.line), tokens(&other.line));
            ours == theirs && one.attributes.iter().all(|(name, values)| same(values, &other.attributes[name]))
        })
}

#[test]
fn all_three_read_what_peers_write() {
    for (name, text) in fixtures() {
        let took = compare(&text, false);
        assert!(took.starts_with('w'), "{name}: {took}");
        println!("{took} {name}");
    }
}

#[test]
fn all_three_read_what_is_generated() {
    let mut tallies = BTreeMap::<String, u32>::new();
    for seed in 0..2_000 {
        let text = generated(&mut Rng::from_test_seed(seed));
        let took = compare(&text, false);
        assert_eq!(took, "wsm", "seed {seed}: {text}");
        *tallies.entry(took).or_default() += 1;
    }
    println!("{tallies:?}");
}

#[test]
fn what_two_take_they_read_alike() {
    let bases = fixtures();
    let mut tallies = BTreeMap::<String, u32>::new();
    let mut examples = BTreeMap::<String, String>::new();
    for seed in 0..20_000 {
        let rng = &mut Rng::from_test_seed(seed);
        let base =
            if rng.chance(0.5) { generated(rng) } else { bases[rng.below(bases.len() as u64) as usize].1.clone() };
        let text = mutated(rng, &base);
        let took = compare(&text, true);
        if took == "-sm" {
            let error = Session::parse(&text).unwrap_err();
            let line = text.lines().nth(error.line - 1).unwrap_or_default();
            examples.entry(error.expected.to_string()).or_insert_with(|| format!("{error}: {line}"));
        }
        *tallies.entry(took).or_default() += 1;
    }
    println!("took (weft, sdp, webrtc-sdp): {tallies:?}");
    println!("refused by us alone:");
    for example in examples.values() {
        println!("  {example}");
    }
    assert!(tallies["wsm"] > 2_000 && tallies["---"] > 200, "{tallies:?}");
}
