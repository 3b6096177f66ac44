//! From an RFC's plain text to its requirements.

use std::collections::{HashMap, HashSet};

use super::{
    citations::squeeze,
    ledger::{Ledger, Level, Requirement},
};
use crate::Result;

/// A binding sentence and where it stands.
#[derive(Debug, PartialEq)]
struct Sentence {
    section: String,
    level: Level,
    text: String,
}

/// What a renewed ledger lost or gained.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) added: usize,
    pub(crate) kept: usize,
    /// Sentences that carried a reason and are gone.
    pub(crate) lost: Vec<String>,
}

/// Makes a ledger from the text of an RFC. What `old` says of a sentence that is still there is kept.
pub(crate) fn extract(text: &str, old: Option<Ledger>) -> Result<(Ledger, Changes)> {
    let lines = without_pages(text);
    let (rfc, title) = heading_of(text).ok_or("no `Request for Comments: NNNN` and title at the top of the text")?;
    let found = sentences(&lines);
    if found.is_empty() {
        return Err("no requirement found: is this the plain text of an RFC?".into());
    }
    let (sections, mut before) = old.map_or_else(Default::default, |l| (l.sections, l.requirements));
    let mut changes = Changes::default();
    let mut requirements: Vec<Requirement> = Vec::new();
    // A sentence cut otherwise than before may inherit, but never from one that is still there as it was.
    let vanished: HashSet<String> = before
        .iter()
        .filter(|r| !found.iter().any(|s| s.section == r.section && s.text == r.text))
        .map(|r| r.id.clone())
        .collect();
    for sentence in found {
        let same = |r: &Requirement| r.section == sentence.section && r.text == sentence.text;
        let near = |r: &Requirement| {
            let overlap = r.text.contains(&sentence.text) || sentence.text.contains(&r.text);
            r.section == sentence.section && overlap && vanished.contains(&r.id)
        };
        let at = before.iter().position(same).or_else(|| before.iter().position(near));
        let (id, reason, note) = if let Some(at) = at {
            changes.kept += 1;
            let r = before.remove(at);
            (r.id, r.reason, r.note)
        } else {
            changes.added += 1;
            (String::new(), None, None)
        };
        let Sentence { section, level, text } = sentence;
        requirements.push(Requirement { id, section, level, text, reason, note });
    }
    changes.lost = before.iter().filter(|r| r.reason.is_some()).map(|r| format!("{}: {}", r.id, r.text)).collect();
    number(rfc, &mut requirements, &before);
    Ok((Ledger { rfc, title, sections, requirements }, changes))
}

/// Gives each requirement without an id the next number of its section that was never used.
fn number(rfc: u32, requirements: &mut [Requirement], gone: &[Requirement]) {
    let ordinal = |id: &str| id.rsplit('-').next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
    let mut highest = HashMap::new();
    for r in requirements.iter().chain(gone) {
        let top = highest.entry(r.section.clone()).or_insert(0);
        *top = ordinal(&r.id).max(*top);
    }
    for r in requirements.iter_mut().filter(|r| r.id.is_empty()) {
        let top = highest.entry(r.section.clone()).or_insert(0);
        *top += 1;
        r.id = format!("{rfc}-{}-{top}", r.section);
    }
}

/// The RFC's number, and its title: the centred lines before the first heading.
fn heading_of(text: &str) -> Option<(u32, String)> {
    let mut lines = text.lines();
    let number = lines.find_map(|l| l.strip_prefix("Request for Comments:"))?;
    let number = number.split_whitespace().next()?.parse().ok()?;
    let title = lines
        .skip_while(|l| !l.trim().is_empty())
        .skip_while(|l| l.trim().is_empty())
        .take_while(|l| !l.trim().is_empty())
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ");
    Some((number, title))
}

/// The lines without page footers and headers; a paragraph that a page end cut is whole again.
fn without_pages(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut after_break = false;
    for raw in text.trim_start_matches('\u{feff}').lines() {
        let line = raw.trim_start_matches('\u{c}').trim_end();
        let footer = line.ends_with(']') && line.rfind("[Page ").is_some_and(|at| at > 20);
        let header = after_break && line.starts_with("RFC ");
        if footer || header || raw.starts_with('\u{c}') && line.is_empty() {
            while out.last().is_some_and(String::is_empty) {
                out.pop();
            }
            after_break = true;
        } else if !(after_break && line.is_empty()) {
            if after_break && !out.last().is_some_and(|last| continues(last, line)) {
                out.push(String::new());
            }
            after_break = false;
            out.push(line.to_owned());
        }
    }
    out
}

/// Whether `next`, the first line of a page, goes on with the paragraph of `last`.
fn continues(last: &str, next: &str) -> bool {
    let closed = last.trim_end_matches(['"', ')']).ends_with(['.', ':', ';', '?', '!', '|', '+']);
    last.starts_with(' ') && next.starts_with(' ') && !closed && !is_item(next)
}

/// Whether a line opens a list item: `*  `, `o  `, `-  `, `1.  `, `a)  `, `(2)  `, `A3)  `.
fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    let Some((first, rest)) = line.split_once(' ') else { return false };
    match first {
        "*" | "o" | "+" | "\u{2022}" => true,
        "-" | "--" => rest.starts_with(' '),
        _ => {
            let short = first.len() <= 5;
            let numbered = first.strip_suffix('.').is_some_and(|n| n.chars().all(|c| c.is_ascii_digit()));
            (numbered && rest.starts_with(' ') || first.ends_with(')')) && short && {
                let inner = first.trim_matches(['(', ')', '.']);
                !inner.is_empty() && inner.len() <= 3 && inner.chars().all(|c| c.is_ascii_alphanumeric())
            }
        }
    }
}

/// The section number of a heading line, such as `5.1.  Normal Establishment` or `Appendix A.  Examples`.
fn section_of(line: &str) -> Option<(String, Vec<u32>)> {
    if line.contains(". .") || line.contains("....") {
        return None; // a table of contents
    }
    let line = line.strip_prefix("Appendix ").unwrap_or(line);
    let number = line.split_whitespace().next()?.trim_end_matches(['.', ':']);
    let mut key = Vec::new();
    for (depth, part) in number.split('.').enumerate() {
        let lettered = depth == 0 && part.len() == 1 && part.chars().all(|c| c.is_ascii_uppercase());
        key.push(match part.chars().next() {
            // Appendices come after every numbered section.
            Some(letter) if lettered => 1000 + u32::from(letter),
            _ => part.parse().ok()?,
        });
    }
    Some((number.to_owned(), key))
}

/// Walks the sections and collects the sentences that bind.
fn sentences(lines: &[String]) -> Vec<Sentence> {
    let mut found = Vec::new();
    let mut section: Option<String> = None;
    let mut last_key = vec![0];
    let mut block: Vec<&str> = Vec::new();
    for line in lines.iter().map(String::as_str).chain([""]) {
        if line.is_empty() {
            finish(&mut block, section.as_deref(), &mut found);
        } else if !line.starts_with(' ') {
            finish(&mut block, section.as_deref(), &mut found);
            match section_of(line) {
                Some((number, key)) if follows(&key, &last_key) => {
                    section = Some(number);
                    last_key = key;
                }
                // Acknowledgements, addresses: nothing there binds.
                _ if line.starts_with("Acknowledg") || line.starts_with("Author") => section = None,
                _ => {}
            }
        } else if let Some(line) = strip_art(line) {
            if starts_block(line, &block) {
                finish(&mut block, section.as_deref(), &mut found);
            }
            block.push(line);
        } else {
            finish(&mut block, section.as_deref(), &mut found);
        }
    }
    found
}

/// Whether a section number can come after another: later, and no more than one top-level step away.
fn follows(key: &[u32], last: &[u32]) -> bool {
    let top = |k: &[u32]| k.first().copied().unwrap_or(0);
    let step = top(key) == top(last) + 1 || top(key) == top(last) || top(key) == 1000 + u32::from('A');
    key > last && step
}

/// The text of a line, without the bar of a quotation; `None` for a line of a drawing or of a table's frame.
fn strip_art(line: &str) -> Option<&str> {
    let text = line.trim_start();
    if text.starts_with("+-") || text.starts_with("+=") || text.starts_with("|-") {
        return None;
    }
    match text.strip_prefix('|') {
        Some(row) if row.ends_with('|') => Some(row),
        Some(quoted) if !quoted.trim().is_empty() => Some(quoted),
        Some(_) => None,
        None => Some(line),
    }
}

/// Whether a line opens a new paragraph although no blank line stands before it.
fn starts_block(line: &str, block: &[&str]) -> bool {
    let indent = |l: &str| l.len() - l.trim_start().len();
    let Some(last) = block.last() else { return false };
    if is_item(line) {
        let number = line.trim_start().starts_with(|c: char| c.is_ascii_alphanumeric() && c != 'o' || c == '(');
        return !number || last.ends_with(['.', ':', ';', ',']);
    }
    // A term, then its description, indented: not a label that its text follows on the same line.
    let labelled = last.contains(":  ");
    let sentence = line.trim_start().starts_with(char::is_uppercase);
    block.len() == 1 && indent(line) > indent(last) && !is_item(last) && !labelled && sentence
}

/// Cuts a paragraph into sentences and keeps those that bind.
fn finish(block: &mut Vec<&str>, section: Option<&str>, found: &mut Vec<Sentence>) {
    let lines = std::mem::take(block);
    let Some(section) = section else { return };
    let joined = squeeze(&lines.join(" ").replace('|', " "));
    for text in split(&joined) {
        if let Some(level) = level_of(text) {
            found.push(Sentence { section: section.to_owned(), level, text: strip_item(text).to_owned() });
        }
    }
}

/// A sentence without the marker of its list item.
fn strip_item(text: &str) -> &str {
    match text.split_once(' ') {
        Some(("*" | "o" | "-" | "+" | "--" | "\u{2022}", rest)) => rest,
        _ => text,
    }
}

/// Cuts at the full stops that end sentences.
fn split(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut previous = 0;
    let ends: Vec<usize> = text.match_indices(' ').map(|(at, _)| at).collect();
    for at in ends {
        let (Some(word), Some(rest)) = (text.get(previous..at), text.get(at + 1..)) else { continue };
        previous = at + 1;
        let bare = word.trim_end_matches(['"', ')', '\'', ']']);
        let opens = rest.starts_with(|c: char| c.is_uppercase() || matches!(c, '"' | '(' | '[' | '\'' | '<'))
            || rest.starts_with("a=");
        if bare.ends_with(['.', '?', '!']) && opens && !is_abbreviation(bare) {
            out.extend(text.get(start..at));
            start = at + 1;
        }
    }
    out.extend(text.get(start..));
    out
}

fn is_abbreviation(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '"', '[']);
    let listed = ["e.g.", "i.e.", "etc.", "vs.", "cf.", "al.", "Fig.", "Sec.", "No."].contains(&word);
    // The number of a list item stays with its sentence: `3. The endpoint MUST …`.
    let number = word.len() <= 3 && word.trim_end_matches('.').chars().all(|c| c.is_ascii_digit());
    listed || number
}

/// The strongest requirement word of a sentence. Words in quotation marks are talked about, not used.
fn level_of(text: &str) -> Option<Level> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut weak = None;
    for (i, word) in words.iter().enumerate() {
        if word.starts_with('"') || word.trim_end_matches([',', '.', ')']).ends_with('"') {
            continue;
        }
        let bare = |w: &str| w.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
        let not = |at: Option<usize>| at.and_then(|at| words.get(at)).is_some_and(|w| bare(w) == "NOT");
        let (after, before) = (not(Some(i + 1)), not(i.checked_sub(1)));
        match bare(word).as_str() {
            "MUST" | "SHALL" => return Some(if after { Level::MustNot } else { Level::Must }),
            "REQUIRED" if !before => return Some(Level::Must),
            "SHOULD" => weak = weak.or(Some(if after { Level::ShouldNot } else { Level::Should })),
            "RECOMMENDED" => weak = weak.or(Some(if before { Level::ShouldNot } else { Level::Should })),
            _ => {}
        }
    }
    weak
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::ledger::Reason;

    const RFC: &str = "\u{feff}
Working Group                                                  A. Author
Request for Comments: 4242                                       Nowhere

                         A Protocol for Testing
                             of Extraction

Table of Contents

   1. Introduction ....................................................1

1.  Introduction

   The key words \"MUST\", \"MUST NOT\", \"REQUIRED\", and \"SHOULD\" in this
   document are to be interpreted as described in RFC 2119.

   An endpoint (e.g. A Host) MUST send a re-
   configuration request.  It MAY wait.  The peer MUST NOT
   answer, see Section 1.1. Support is NOT REQUIRED.  A timer of 3



Author                       Standards Track                    [Page 1]
\u{c}
RFC 4242                        Testing                     January 2042


   seconds is REQUIRED here.

1.1.  Chunk

    0                   1
   +-+-+-+-+-+-+-+-+-+-+-+-+
   |   Type MUST be 1      |
   +-+-+-+-+-+-+-+-+-+-+-+-+

   Chunk Length: 16 bits
      This value MUST be 8.

   The sender:

   *  MUST send it
      once;
   *  SHOULD NOT send it twice.

Appendix A.  More

A.1.  Still More

   A relay SHALL forward.

Acknowledgements

   Everybody MUST be thanked.
";

    fn found() -> Vec<(String, Level, String)> {
        sentences(&without_pages(RFC)).into_iter().map(|s| (s.section, s.level, s.text)).collect()
    }

    #[test]
    fn every_binding_sentence_is_found_with_its_section() {
        let expected = [
            ("1", Level::Must, "An endpoint (e.g. A Host) MUST send a re-configuration request."),
            ("1", Level::MustNot, "The peer MUST NOT answer, see Section 1.1."),
            ("1", Level::Must, "A timer of 3 seconds is REQUIRED here."),
            ("1.1", Level::Must, "Type MUST be 1"),
            ("1.1", Level::Must, "This value MUST be 8."),
            ("1.1", Level::Must, "MUST send it once;"),
            ("1.1", Level::ShouldNot, "SHOULD NOT send it twice."),
            ("A.1", Level::Must, "A relay SHALL forward."),
        ];
        assert_eq!(found(), expected.map(|(s, l, t)| (s.to_owned(), l, t.to_owned())));
    }

    #[test]
    fn title_and_number_come_from_the_top() {
        assert_eq!(heading_of(RFC), Some((4242, "A Protocol for Testing of Extraction".to_owned())));
    }

    #[test]
    fn extracting_again_keeps_the_triage_and_the_ids() {
        let (mut ledger, changes) = extract(RFC, None).unwrap();
        assert_eq!((changes.added, changes.kept), (8, 0));
        assert_eq!(ledger.requirements[1].id, "4242-1-2");
        ledger.requirements[1].reason = Some(Reason::Later);
        ledger.requirements[4].reason = Some(Reason::OtherRole);
        let renewed = RFC.replace("An endpoint (e.g. A Host) MUST send", "Hosts MUST send").replace("be 8.", "be 9.");
        let (again, changes) = extract(&renewed, Some(ledger)).unwrap();
        assert_eq!((changes.added, changes.kept), (2, 6));
        assert_eq!(changes.lost, ["4242-1.1-2: This value MUST be 8."]);
        let ids: Vec<&str> = again.requirements.iter().map(|r| r.id.as_str()).collect();
        let expected =
            ["4242-1-4", "4242-1-2", "4242-1-3", "4242-1.1-1", "4242-1.1-5", "4242-1.1-3", "4242-1.1-4", "4242-A.1-1"];
        assert_eq!(ids, expected);
        assert_eq!(again.requirements[1].reason, Some(Reason::Later));
    }
}
