//! What is known not to work, and why: `interop/known.toml`.

use serde::Deserialize;

use crate::failure::{Doing as _, Outcome};
use crate::matrix::cases;
use crate::{ensure, stacks};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// What a stack cannot do with anybody.
    #[serde(default)]
    unsupported: Vec<Unsupported>,
    /// What fails between two stacks.
    #[serde(default)]
    failure: Vec<Pair>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unsupported {
    stack: String,
    /// `offerer` or `answerer`, when it is unsupported in that seat alone.
    seat: Option<String>,
    cases: Vec<String>,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    offerer: String,
    answerer: String,
    cases: Vec<String>,
    reason: String,
}

/// Whether a name is a pattern, where `*` at the end stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

impl Known {
    /// Reads the file's text. Weft may not be in it.
    pub fn parse(text: &str) -> Outcome<Self> {
        let known: Self = toml::from_str(text).doing("known.toml")?;
        for entry in &known.unsupported {
            ensure!(entry.stack != "weft", "known.toml: what Weft cannot do is a failure");
            ensure!(stacks::find(&entry.stack).is_some(), "known.toml: there is no stack {:?}", entry.stack);
            ensure!(!entry.reason.is_empty(), "known.toml: {} {:?} has no reason", entry.stack, entry.cases);
            let seat = entry.seat.as_deref();
            ensure!(matches!(seat, None | Some("offerer" | "answerer")), "known.toml: there is no seat {seat:?}");
            for pattern in &entry.cases {
                let known = cases::all().iter().any(|case| fits(pattern, case.name));
                ensure!(known, "known.toml: no case is named {pattern:?}");
            }
        }
        for entry in &known.failure {
            let names = [&entry.offerer, &entry.answerer];
            ensure!(
                !names.iter().any(|name| fits(name, "weft")),
                "known.toml: failures with Weft are none to be known"
            );
            ensure!(!entry.reason.is_empty(), "known.toml: {names:?} {:?} has no reason", entry.cases);
        }
        Ok(known)
    }

    /// Why one of the two cannot play a case.
    pub fn unsupported(&self, offerer: &str, answerer: &str, case: &str) -> Option<String> {
        let sits = |entry: &Unsupported| match entry.seat.as_deref() {
            Some("offerer") => entry.stack == offerer,
            Some("answerer") => entry.stack == answerer,
            _ => entry.stack == offerer || entry.stack == answerer,
        };
        let entry = self.unsupported.iter().find(|entry| sits(entry) && entry.cases.iter().any(|c| fits(c, case)))?;
        Some(format!("{}: {}", entry.stack, entry.reason))
    }

    /// Why this may fail.
    pub fn failure(&self, offerer: &str, answerer: &str, case: &str) -> Option<String> {
        let matches = |entry: &&Pair| {
            fits(&entry.offerer, offerer)
                && fits(&entry.answerer, answerer)
                && entry.cases.iter().any(|c| fits(c, case))
        };
        if offerer == "weft" || answerer == "weft" {
            return None;
        }
        self.failure.iter().find(matches).map(|entry| entry.reason.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_and_patterns_fit() {
        let text = "[[unsupported]]\nstack = 'aiortc'\ncases = ['restart/*']\nreason = 'no restart'\n\
                    [[failure]]\nofferer = 'pion'\nanswerer = 'aiortc'\ncases = ['transfer/each-way']\nreason = 'slow'\n";
        let known = Known::parse(text).unwrap();
        assert_eq!(known.unsupported("weft", "aiortc", "restart/by-offerer").unwrap(), "aiortc: no restart");
        assert_eq!(known.unsupported("weft", "aiortc", "connect/full"), None);
        assert_eq!(known.failure("pion", "aiortc", "transfer/each-way").unwrap(), "slow");
        assert_eq!(known.failure("aiortc", "pion", "transfer/each-way"), None);
    }

    #[test]
    fn weft_may_not_be_in_it() {
        let cannot = "[[unsupported]]\nstack = 'weft'\ncases = ['*']\nreason = 'x'\n";
        assert!(Known::parse(cannot).is_err());
        for name in ["weft", "*"] {
            let fails = format!("[[failure]]\nofferer = 'pion'\nanswerer = '{name}'\ncases = ['*']\nreason = 'x'\n");
            assert!(Known::parse(&fails).is_err(), "{name}");
        }
    }

    #[test]
    fn the_committed_file_is_good() {
        Known::parse(include_str!("../../known.toml")).unwrap();
    }
}
