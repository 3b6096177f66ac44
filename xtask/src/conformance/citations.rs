//! Citations in the sources: `//= rfc9260#6.2` and the `//#` lines after it.

use std::{fs, path::Path};

use super::ledger::Ledger;
use crate::{Result, files, names::fn_name};

/// One citation.
#[derive(Debug)]
pub(crate) struct Citation {
    /// `path:line`, relative to the root.
    pub(crate) place: String,
    pub(crate) rfc: u32,
    pub(crate) section: String,
    pub(crate) quote: String,
    /// The test it belongs to, as `path::name`; `None` outside tests.
    pub(crate) test: Option<String>,
}

/// White space made single, and none after a hyphen that joins two words, so that line breaks do not matter.
pub(crate) fn squeeze(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let hyphenated =
            out.strip_suffix('-').is_some_and(|head| head.ends_with(char::is_alphanumeric)) && starts_word(word);
        if !out.is_empty() && !hyphenated {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

fn starts_word(word: &str) -> bool {
    // `client- and server-side` keeps its space.
    word.starts_with(char::is_alphanumeric) && !matches!(word, "and" | "or" | "to")
}

/// Every citation of the project, and the malformed ones.
pub(crate) fn scan() -> Result<(Vec<Citation>, Vec<String>)> {
    let mut citations = Vec::new();
    let mut faults = Vec::new();
    for path in files(&["crates", "conformance"], "rs")? {
        let text = fs::read_to_string(crate::root().join(&path))?;
        scan_file(&path, &text, &mut citations, &mut faults);
    }
    Ok((citations, faults))
}

pub(crate) fn scan_file(path: &Path, text: &str, citations: &mut Vec<Citation>, faults: &mut Vec<String>) {
    let lines: Vec<&str> = text.lines().collect();
    let in_tests = path.components().any(|c| c.as_os_str() == "tests");
    let test_code_from = if in_tests { Some(0) } else { lines.iter().position(|l| l.trim() == "#[cfg(test)]") };
    for (at, line) in lines.iter().enumerate() {
        let place = format!("{}:{}", path.display(), at + 1);
        let Some(target) = line.trim_start().strip_prefix("//=") else { continue };
        let quote: Vec<&str> =
            lines.iter().skip(at + 1).map_while(|l| l.trim_start().strip_prefix("//#")).map(str::trim).collect();
        let Some((rfc, section)) = parse_target(target) else {
            faults.push(format!("{place}: expected `//= rfcNNNN#section`, found `//={target}`"));
            continue;
        };
        if quote.is_empty() {
            faults.push(format!("{place}: no `//#` line follows"));
            continue;
        }
        let is_test = test_code_from.is_some_and(|from| at >= from);
        let test = if is_test { test_of(&lines, at) } else { None };
        if is_test && test.is_none() {
            faults.push(format!("{place}: belongs to no test, or to an ignored one"));
            continue;
        }
        let test = test.map(|name| format!("{}::{name}", path.display()));
        citations.push(Citation { place, rfc, section, quote: squeeze(&quote.join(" ")), test });
    }
}

/// `rfc9260#6.2`, `rfc9260#section-6.2` or `rfc5246#appendix-D.4`.
fn parse_target(target: &str) -> Option<(u32, String)> {
    let (rfc, section) = target.trim().split_once('#')?;
    let section = section.strip_prefix("section-").or_else(|| section.strip_prefix("appendix-")).unwrap_or(section);
    let well_formed = !section.is_empty() && section.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    well_formed.then_some(())?;
    Some((rfc.strip_prefix("rfc")?.parse().ok()?, section.trim_end_matches('.').to_owned()))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The function a citation belongs to: the one around it, else the next. rustfmt's indentation tells which.
fn test_of(lines: &[&str], at: usize) -> Option<String> {
    let depth = lines.get(at).map_or(0, |l| indent(l));
    let around = enclosing(lines, at, depth);
    let declared =
        around.or_else(|| (at..lines.len()).find(|&i| lines.get(i).is_some_and(|l| fn_name(l).is_some())))?;
    let ignored = lines
        .iter()
        .take(declared)
        .rev()
        .map(|l| l.trim_start())
        .take_while(|l| l.starts_with('#') || l.starts_with("//"))
        .any(|l| l.starts_with("#[ignore"));
    (!ignored).then(|| lines.get(declared).and_then(|l| fn_name(l)).map(str::to_owned))?
}

fn enclosing(lines: &[&str], at: usize, mut depth: usize) -> Option<usize> {
    for i in (0..at).rev() {
        let line = lines.get(i)?;
        if line.trim().is_empty() || indent(line) >= depth {
            continue;
        }
        if fn_name(line).is_some() {
            return Some(i);
        }
        depth = indent(line);
    }
    None
}

/// The requirements a citation covers, as indices into the ledger.
pub(crate) fn resolve(citation: &Citation, ledger: &Ledger) -> std::result::Result<Vec<usize>, String> {
    let Citation { quote, section, rfc, .. } = citation;
    let matches = |texts: &dyn Fn(&str) -> bool, anywhere: bool| -> Vec<usize> {
        let of = ledger.requirements.iter().enumerate();
        of.filter(|(_, r)| (anywhere || r.section == *section) && texts(&r.text)).map(|(i, _)| i).collect()
    };
    let part = |text: &str| text.contains(quote.as_str());
    let whole = |text: &str| quote.contains(text);
    let has_word = ["MUST", "SHALL", "REQUIRED", "SHOULD", "RECOMMENDED"].iter().any(|w| quote.contains(w));
    if !has_word {
        return Err(
            "the quote holds no MUST, SHALL, REQUIRED, SHOULD or RECOMMENDED: make it a plain comment".to_owned()
        );
    }
    let parts = matches(&part, false);
    let mut texts: Vec<&str> =
        parts.iter().filter_map(|&i| ledger.requirements.get(i)).map(|r| r.text.as_str()).collect();
    texts.dedup();
    match texts.len() {
        0 => {}
        1 => return Ok(parts),
        n => return Err(format!("the quote occurs in {n} sentences of section {section}: quote more")),
    }
    let wholes = matches(&whole, false);
    if !wholes.is_empty() {
        return Ok(wholes);
    }
    let elsewhere = matches(&part, true).first().and_then(|&i| ledger.requirements.get(i));
    Err(match elsewhere {
        Some(r) => format!("not in section {section} of RFC {rfc}, but in {} ({})", r.section, r.id),
        None => format!("RFC {rfc} has no such sentence: “{quote}”"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::ledger::{Level, Requirement};

    fn scanned(path: &str, text: &str) -> (Vec<Citation>, Vec<String>) {
        let (mut citations, mut faults) = (Vec::new(), Vec::new());
        scan_file(Path::new(path), text, &mut citations, &mut faults);
        (citations, faults)
    }

    #[test]
    fn a_citation_belongs_to_the_function_around_or_below_it() {
        let text = "fn helper() {\n    x();\n}\n\n//= rfc1#2.1\n//# A MUST\n//# B.\n#[test]\nfn below() {\n    \
                    if x {\n        //= rfc1#section-2\n        //# C MUST D.\n        y();\n    }\n}\n";
        let (citations, faults) = scanned("crates/a/tests/t.rs", text);
        assert!(faults.is_empty(), "{faults:?}");
        let [above, inside] = citations.as_slice() else { panic!("{citations:?}") };
        assert_eq!((above.section.as_str(), above.quote.as_str()), ("2.1", "A MUST B."));
        assert_eq!(above.test.as_deref(), Some("crates/a/tests/t.rs::below"));
        assert_eq!((inside.section.as_str(), inside.test.as_deref()), ("2", Some("crates/a/tests/t.rs::below")));
    }

    #[test]
    fn only_tests_that_run_count() {
        let cited = "//= rfc1#2\n//# A MUST B.\n";
        let (citations, _) =
            scanned("crates/a/src/x.rs", &format!("{cited}fn f() {{}}\n#[cfg(test)]\n{cited}fn t() {{}}"));
        let tests: Vec<bool> = citations.iter().map(|c| c.test.is_some()).collect();
        assert_eq!(tests, [false, true]);
        let (citations, faults) = scanned("a/tests/t.rs", &format!("{cited}#[test]\n#[ignore]\nfn t() {{}}"));
        assert_eq!((citations.len(), faults.len()), (0, 1));
        let (_, faults) = scanned("a/tests/t.rs", "//= rfc1\n//# A MUST B.\n//= rfc1#2\nfn t() {}");
        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    fn ledger() -> Ledger {
        let texts = [("2", "A MUST B."), ("2", "C MUST D, and E MUST NOT F."), ("2", "G MUST D."), ("3", "H MUST I.")];
        let of = |(i, (section, text)): (usize, (&str, &str))| Requirement {
            id: format!("1-{section}-{i}"),
            section: section.to_owned(),
            level: Level::Must,
            text: text.to_owned(),
            reason: None,
            note: None,
        };
        let requirements = texts.into_iter().enumerate().map(of).collect();
        Ledger { rfc: 1, title: String::new(), sections: Vec::new(), requirements }
    }

    fn resolved(section: &str, quote: &str) -> std::result::Result<Vec<usize>, String> {
        let (section, quote) = (section.to_owned(), squeeze(quote));
        resolve(&Citation { place: String::new(), rfc: 1, section, quote, test: None }, &ledger())
    }

    #[test]
    fn a_quote_is_a_part_of_a_sentence_or_holds_whole_ones() {
        assert_eq!(resolved("2", "C MUST  D,"), Ok(vec![1]));
        assert_eq!(resolved("2", "A MUST B. C MUST D, and E MUST NOT F. It MAY."), Ok(vec![0, 1]));
    }

    #[test]
    fn a_quote_that_says_too_little_or_is_stale_is_refused() {
        assert!(resolved("2", "and E").unwrap_err().contains("holds no MUST"));
        assert!(resolved("2", "MUST D").unwrap_err().contains("2 sentences"));
        assert!(resolved("2", "H MUST I.").unwrap_err().contains("but in 3 (1-3-3)"));
        assert!(resolved("2", "A MUST Z.").unwrap_err().contains("no such sentence"));
    }

    #[test]
    fn line_breaks_and_hyphens_do_not_matter() {
        assert_eq!(squeeze("a  re-\n configuration"), "a re-configuration");
        assert_eq!(squeeze("client- and server-side"), "client- and server-side");
        assert_eq!(squeeze("TSN - 1"), "TSN - 1");
    }
}
