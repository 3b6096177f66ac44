//! What is known not to work, and why: `interop/known.toml`.

use serde::Deserialize;

use crate::failure::{Doing as _, Outcome};
use crate::matrix::cases;
use crate::matrix::report::Failed;
use crate::peer::Direction;
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
    /// What a stack loses now and then, and says so itself.
    #[serde(default)]
    race: Vec<Race>,
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Race {
    stack: String,
    /// Part of a line of the stack's own log that shows it.
    log: String,
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
        for entry in &known.race {
            let stack = &entry.stack;
            ensure!(stack != "weft", "known.toml: races of Weft are none to be known");
            ensure!(stacks::find(stack).is_some(), "known.toml: there is no stack {stack:?}");
            ensure!(!entry.log.is_empty(), "known.toml: what shows a race of {stack} is missing");
            ensure!(!entry.reason.is_empty(), "known.toml: a race of {stack} has no reason");
        }
        Ok(known)
    }

    /// The race that a stack lost, by the logs of a play that failed.
    pub fn race(&self, failed: &Failed) -> Option<String> {
        let lost = |entry: &&Race| {
            let logs = failed.transcripts.iter().filter(|(name, _)| name.split(' ').any(|word| word == entry.stack));
            let log = Direction::Log.mark();
            logs.flat_map(|(_, text)| text.lines()).any(|line| {
                line.split_once(log)
                    .is_some_and(|(clock, said)| clock.trim().parse::<f64>().is_ok() && said.contains(&entry.log))
            })
        };
        self.race.iter().find(lost).map(|entry| format!("{}: {}", entry.stack, entry.reason))
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
    fn a_race_is_told_by_the_log_of_its_stack_alone() {
        let text = "[[race]]\nstack = 'pion'\nlog = 'unknown CA'\nreason = 'too early'\n";
        let known = Known::parse(text).unwrap();
        let played = |name: &str, line: &str| {
            let transcripts = vec![(name.to_owned(), format!("   1.000 # up\n  12.345 {line}\n"))];
            known.race(&Failed { state: String::new(), descriptions: Vec::new(), transcripts, capture: None })
        };
        assert_eq!(played("offerer pion", "| DTLS alert: unknown CA").unwrap(), "pion: too early");
        for (name, line) in [
            ("offerer weft", "| DTLS alert: unknown CA"),
            ("offerer pion", "< {\"message\":\"| unknown CA\"}"),
            ("offerer pion", "| another alert"),
        ] {
            assert_eq!(played(name, line), None, "{name} {line}");
        }
        assert!(Known::parse(&text.replace("pion", "weft")).is_err());
        assert!(Known::parse(&text.replace("unknown CA", "")).is_err());
    }

    #[test]
    fn the_committed_file_is_good() {
        Known::parse(include_str!("../../known.toml")).unwrap();
    }
}
