//! weft-sdp beside two other parsers, on descriptions that are generated, that browsers wrote, and that were mutated.
//!
//! Where two parsers take a description they must read the same in it. Which of the three refuse it is a matter of how
//! strict they are: the tallies are printed, and what all peers write must be taken by all, or be listed. What cannot be
//! compared, as one of them drops it, is counted: it may only be what is known to be dropped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Cursor;
use std::panic::catch_unwind;

use weft_core::Rng;
use weft_sdp::{
    Address, Attribute, Candidate, Fingerprint, Group, IceOptions, IcePwd, IceUfrag, MaxMessageSize, Mid, SctpMap,
    SctpPort, Session, Setup, TlsId,
};

/// What is compared: sections, and the attributes that data channels give a meaning to.
#[derive(PartialEq, Eq, Debug)]
struct View {
    session_id: String,
    version: String,
    sections: Vec<Section>,
    groups: Option<Vec<String>>,
}

#[derive(PartialEq, Eq, Debug)]
struct Section {
    line: String,
    /// Values by name; `None` where one has not the form of its attribute, which we would refuse when it is used.
    attributes: BTreeMap<&'static str, Option<Vec<String>>>,
}

/// Attributes that are compared in each section.
const COMPARED: [&str; 12] = [
    "mid",
    "ice-ufrag",
    "ice-pwd",
    "ice-options",
    "fingerprint",
    "setup",
    "tls-id",
    "sctp-port",
    "max-message-size",
    "sctpmap",
    "candidate",
    "end-of-candidates",
];

/// Attributes that may stand more than once.
const MANY: [&str; 3] = ["fingerprint", "candidate", "group"];

/// What `webrtc-sdp` does not know and drops.
const UNKNOWN_TO_MOZILLA: &str = "tls-id";

/// How often something was compared with what another parser reads, and how often it could not be.
#[derive(Default, Debug)]
struct Counts {
    compared: BTreeMap<(&'static str, &'static str), u32>,
    skipped: BTreeMap<(&'static str, &'static str), u32>,
}

impl Counts {
    /// Nothing was passed over but what one of them does not know.
    fn assert_none_skipped(&self) {
        let known = |skipped: &&(&str, &str)| **skipped != ("webrtc-sdp", UNKNOWN_TO_MOZILLA);
        assert_eq!(self.skipped.keys().find(known), None, "{:?}", self.skipped);
    }

    /// Everything was compared `least` times with either, but for what one of them does not know.
    fn assert(&self, least: u32) {
        for name in COMPARED.into_iter().chain(["group"]) {
            for parser in ["sdp", "webrtc-sdp"] {
                let known = (parser, name) != ("webrtc-sdp", UNKNOWN_TO_MOZILLA);
                let compared = self.compared.get(&(parser, name)).copied().unwrap_or_default();
                assert!(compared >= least || !known, "{parser}, {name}: compared {compared} times");
            }
        }
    }
}

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
            groups: checked(&session.attributes, "group"),
        }
    }
}

fn checked(attributes: &[Attribute], name: &str) -> Option<Vec<String>> {
    let sound = |attribute: &Attribute| match name {
        "mid" => attribute.parse::<Mid>().is_ok(),
        "ice-ufrag" => attribute.parse::<IceUfrag>().is_ok(),
        "ice-pwd" => attribute.parse::<IcePwd>().is_ok(),
        "ice-options" => attribute.parse::<IceOptions>().is_ok(),
        "tls-id" => attribute.parse::<TlsId>().is_ok(),
        "candidate" => attribute.parse::<Candidate>().is_ok_and(|candidate| !is_short(&candidate)),
        "group" => attribute.parse::<Group>().is_ok(),
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
    // Hexadecimal digits may be written either way, and UDP; blanks may be more than one.
    named
        .map(|attribute| match (name, attribute.parse::<Candidate>()) {
            ("candidate", Ok(candidate)) => sorted(&candidate.to_string().to_ascii_lowercase()),
            _ => attribute.value().unwrap_or_default().to_ascii_lowercase(),
        })
        .collect()
}

/// `webrtc-sdp` takes "10.0." for 10.0.0.0, as C's `inet_aton`; it is a name.
fn is_short(candidate: &Candidate) -> bool {
    let short =
        |address: &Address| matches!(address, Address::Name(name) if !name.contains(|c: char| c.is_ascii_alphabetic()));
    short(&candidate.address) || candidate.related_address.as_ref().is_some_and(short)
}

/// `webrtc-sdp` writes what it knows after the type first, and numbers as numbers.
fn sorted(candidate: &str) -> String {
    let words: Vec<&str> = candidate.split(' ').collect();
    let (fixed, extensions) = words.split_at(words.len().min(8));
    let mut extensions: Vec<_> =
        extensions.chunks(2).map(|pair| pair.iter().map(|word| number(word)).collect()).collect();
    extensions.sort();
    let all: Vec<String> = fixed
        .iter()
        .map(|word| (*word).to_owned())
        .chain(extensions.into_iter().flat_map(|pair: Vec<String>| pair))
        .collect();
    all.join(" ")
}

fn number(text: &str) -> String {
    text.trim().parse::<u64>().map_or_else(|_| text.trim().to_owned(), |n| n.to_string())
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
        // As before RFC 8841.
        let old = data && rng.chance(0.3);
        let port = if rng.chance(0.3) { rng.below(65_536) } else { 9 };
        if old {
            write!(text, "m=application {port} DTLS/SCTP 5000\r\nc=IN IP4 0.0.0.0\r\n")
        } else if data {
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
        let options = ["trickle", "trickle ice2", "ice2 trickle renomination"][rng.below(3) as usize];
        write!(text, "a=ice-options:{options}\r\na=fingerprint:{}\r\n", fingerprint(rng)).unwrap();
        if rng.chance(0.3) {
            write!(text, "a=fingerprint:{}\r\n", fingerprint(rng)).unwrap();
        }
        if rng.chance(0.3) {
            write!(text, "a=tls-id:{}\r\n", word(rng, 20, 64)).unwrap();
        }
        if rng.chance(0.3) {
            text.push_str("a=end-of-candidates\r\n");
        }
        let setup = ["actpass", "active", "passive"][rng.below(3) as usize];
        write!(text, "a=setup:{setup}\r\na=mid:{mid}\r\n").unwrap();
        if old {
            text.push_str("a=sctpmap:5000 webrtc-datachannel 1024\r\n");
        } else if data {
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
fn compare(text: &str, strict: bool, counts: &mut Counts) -> String {
    let (ours, theirs, mozillas) = (ours(text), theirs(text), mozillas(text, strict));
    if let Some(ours) = &ours {
        for (name, other) in [("sdp", &theirs), ("webrtc-sdp", &mozillas)] {
            if let Some(other) = other {
                assert!(agree(ours, other, name, counts), "{name} reads\n{other:#?}\nand we\n{ours:#?}\nin\n{text}");
            }
        }
    }
    [("w", ours.is_some()), ("s", theirs.is_some()), ("m", mozillas.is_some())]
        .map(|(letter, took)| if took { letter } else { "-" })
        .concat()
}

/// `webrtc-sdp` keeps of an attribute that may stand once only the last, and reads numbers as numbers.
fn agree(ours: &View, other: &View, parser: &'static str, counts: &mut Counts) -> bool {
    let mut same = |name: &'static str, one: &Option<Vec<String>>, other: &Option<Vec<String>>| {
        let (Some(one), Some(other)) = (one, other) else {
            *counts.skipped.entry((parser, name)).or_default() += 1;
            return true;
        };
        let unknown = (parser, name) == ("webrtc-sdp", UNKNOWN_TO_MOZILLA);
        let only_last = parser == "webrtc-sdp" && one.len() > 1 && !MANY.contains(&name);
        // `webrtc-sdp` takes names in any case ("a=miD:0"); RFC 8866 section 5.13 does not.
        let other_case = parser == "webrtc-sdp" && other.len() > one.len();
        if unknown || only_last || other_case {
            *counts.skipped.entry((parser, name)).or_default() += 1;
            return true;
        }
        *counts.compared.entry((parser, name)).or_default() += u32::from(!one.is_empty());
        one.iter().map(|text| number(text)).eq(other.iter().map(|text| number(text)))
    };
    ours.session_id == other.session_id
        && ours.version == other.version
        && ours.sections.len() == other.sections.len()
        && ours.sections.iter().zip(&other.sections).all(|(one, other)| {
            let tokens =
                |line: &str| line.split_whitespace().map(|token| number(&token.to_ascii_lowercase())).collect();
            let (ours, theirs): (Vec<String>, Vec<String>) = (tokens(&one.line), tokens(&other.line));
            ours == theirs && one.attributes.iter().all(|(name, values)| same(name, values, &other.attributes[name]))
        })
        && same("group", &ours.groups, &other.groups)
}

#[test]
fn all_three_read_what_peers_write() {
    let mut counts = Counts::default();
    for (name, text) in fixtures() {
        complete(&name, &text);
        let took = compare(&text, false, &mut counts);
        println!("{took} {name}");
        assert_eq!(took, "wsm", "{name}");
    }
    println!("{counts:?}");
    counts.assert_none_skipped();
}

/// A description of a peer says in its section for data what a connection needs, or the comparison would be of nothing.
fn complete(name: &str, text: &str) {
    let session = Session::parse(text).unwrap();
    let data = session.media.iter().find(|media| media.kind == "application" && media.port != 0);
    let Some(data) = data else { panic!("{name}: no section for data") };
    for wanted in ["ice-ufrag", "ice-pwd", "fingerprint", "setup"] {
        assert!(data.has_attribute(wanted) || session.has_attribute(wanted), "{name}: no {wanted}");
    }
    assert!(data.has_attribute("sctp-port") || data.has_attribute("sctpmap"), "{name}: no port of SCTP");
}

#[test]
fn all_three_read_what_is_generated() {
    let mut tallies = BTreeMap::<String, u32>::new();
    let mut counts = Counts::default();
    for seed in 0..2_000 {
        let text = generated(&mut Rng::from_test_seed(seed));
        let took = compare(&text, false, &mut counts);
        assert_eq!(took, "wsm", "seed {seed}: {text}");
        *tallies.entry(took).or_default() += 1;
    }
    println!("{tallies:?} {counts:?}");
    counts.assert(1_000);
    counts.assert_none_skipped();
}

#[test]
fn what_two_take_they_read_alike() {
    let bases = fixtures();
    let mut tallies = BTreeMap::<String, u32>::new();
    let mut examples = BTreeMap::<String, String>::new();
    let mut counts = Counts::default();
    for seed in 0..20_000 {
        let rng = &mut Rng::from_test_seed(seed);
        let base =
            if rng.chance(0.5) { generated(rng) } else { bases[rng.below(bases.len() as u64) as usize].1.clone() };
        let text = mutated(rng, &base);
        let took = compare(&text, true, &mut counts);
        if took == "-sm" {
            let error = Session::parse(&text).unwrap_err();
            let line = text.lines().nth(error.line - 1).unwrap_or_default();
            examples.entry(error.expected.to_string()).or_insert_with(|| format!("{error}: {line}"));
        }
        *tallies.entry(took).or_default() += 1;
    }
    println!("took (weft, sdp, webrtc-sdp): {tallies:?}");
    println!("{counts:?}");
    println!("refused by us alone:");
    for example in examples.values() {
        println!("  {example}");
    }
    assert!(tallies["wsm"] > 2_000 && tallies["---"] > 200, "{tallies:?}");
    counts.assert(100);
}
