use std::path::{Path, PathBuf};

use weft_sdp::jsep::{Description, LocalParameters, Negotiator, NegotiatorConfig};
use weft_sdp::{Candidate, Fingerprint, Session};

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// All fixtures of a directory, by name.
pub(crate) fn fixtures(name: &str) -> Vec<(String, String)> {
    let mut all: Vec<_> = std::fs::read_dir(directory(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sdp"))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    all.sort();
    assert!(!all.is_empty(), "no fixtures in {name:?}");
    all
}

/// Fixtures of peers that end so: `offer` or `answer`.
pub(crate) fn peers(kind: &str) -> Vec<(String, String)> {
    let end = format!("-{kind}.sdp");
    fixtures("").into_iter().filter(|(name, _)| name.ends_with(&end)).collect()
}

pub(crate) fn fixture(name: &str) -> String {
    std::fs::read_to_string(directory("").join(name)).unwrap()
}

pub(crate) fn sha256(byte: u8) -> Fingerprint {
    format!("sha-256 {}", vec![format!("{byte:02X}"); 32].join(":")).parse().unwrap()
}

/// Parameters of a side, told apart by a letter.
pub(crate) fn parameters(letter: char) -> LocalParameters {
    let text = |length| std::iter::repeat_n(letter, length).collect::<String>();
    LocalParameters::new(text(4), text(24), vec![sha256(letter as u8)])
}

pub(crate) fn negotiator(session_id: u64) -> Negotiator {
    Negotiator::new(NegotiatorConfig::new(session_id))
}

pub(crate) fn host(address: &str, port: u16) -> Candidate {
    format!("candidate:1 1 udp 2113937151 {address} {port} typ host").parse().unwrap()
}

/// The value of an attribute of a section.
pub(crate) fn value(session: &Session, section: usize, name: &str) -> Option<String> {
    session.media[section].attribute(name).and_then(|attribute| attribute.value()).map(str::to_owned)
}

pub(crate) fn parsed(description: &Description) -> Session {
    Session::parse(&description.sdp).unwrap()
}

/// Two sides in agreement: the first offered.
pub(crate) fn connected() -> (Negotiator, Negotiator) {
    let (mut alice, mut bob) = (negotiator(1), negotiator(2));
    exchange(&mut alice, &parameters('a'), &mut bob, &parameters('b'));
    (alice, bob)
}

/// One exchange, offered by the first.
pub(crate) fn exchange(
    offerer: &mut Negotiator,
    offerer_parameters: &LocalParameters,
    answerer: &mut Negotiator,
    answerer_parameters: &LocalParameters,
) -> (Description, Description) {
    let offer = offerer.create_offer(offerer_parameters).unwrap();
    offerer.set_local(&offer).unwrap();
    answerer.set_remote(&offer).unwrap();
    let answer = answerer.create_answer(answerer_parameters).unwrap();
    answerer.set_local(&answer).unwrap();
    offerer.set_remote(&answer).unwrap();
    (offer, answer)
}

/// The same text with the first `from` replaced.
pub(crate) fn edit(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in {text:?}");
    text.replacen(from, to, 1)
}

/// The same text without the lines that begin so.
pub(crate) fn without(text: &str, start: &str) -> String {
    let kept: String = text.split_inclusive('\n').filter(|line| !line.starts_with(start)).collect();
    assert_ne!(kept, text, "no line begins with {start:?}");
    kept
}
