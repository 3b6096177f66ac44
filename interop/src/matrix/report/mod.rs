//! What came of a run: for the terminal, for programs, for a browser.

mod html;
mod junit;
mod terminal;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::cases::Case;

/// What came of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It held.
    Passed,
    /// It did not.
    Failed,
    /// It did not, and `known.toml` says why.
    Known,
    /// One of the stacks cannot do it.
    Unsupported,
}

/// One case between two stacks.
#[derive(Debug, Clone, Serialize)]
pub struct Played {
    /// Who offered.
    pub offerer: &'static str,
    /// Who answered.
    pub answerer: &'static str,
    /// The case.
    pub case: &'static str,
    /// What had to hold.
    pub about: &'static str,
    /// What came of it.
    pub status: Status,
    /// How long it took.
    pub seconds: f64,
    /// A remark such as a rate, or why it did not hold.
    pub remark: String,
    /// Why a known failure is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What both said of themselves: offerer, answerer.
    pub versions: [Option<String>; 2],
    /// Everything that helps to find out why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failed>,
    /// Plays before this one, in which a stack lost a race that `known.toml` names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Lost>,
}

/// A play in which a stack lost a race with itself.
#[derive(Debug, Clone, Serialize)]
pub struct Lost {
    /// What became of it.
    pub remark: String,
    /// Whose race, and what `known.toml` says of it.
    pub reason: String,
    /// What shows it.
    pub failure: Failed,
}

/// Everything that helps to find out why a case failed.
#[derive(Debug, Clone, Serialize)]
pub struct Failed {
    /// Where both sides stood.
    pub state: String,
    /// Who made which description, and its text.
    pub descriptions: Vec<(String, String)>,
    /// What each was told and said.
    pub transcripts: Vec<(String, String)>,
    /// The first packets, as pcap; none where nothing could be captured.
    #[serde(skip)]
    pub capture: Option<Vec<u8>>,
}

impl Played {
    /// One that has not been played.
    pub fn new(offerer: &'static str, answerer: &'static str, case: &Case) -> Self {
        Self {
            offerer,
            answerer,
            case: case.name,
            about: case.about,
            status: Status::Passed,
            seconds: 0.0,
            remark: String::new(),
            reason: None,
            versions: [None, None],
            failure: None,
            lost: Vec::new(),
        }
    }

    /// One line, for progress.
    pub fn line(&self) -> String {
        let Self { offerer, answerer, case, seconds, .. } = self;
        let remark = self.remark.lines().next().unwrap_or_default();
        let colon = if remark.is_empty() { "" } else { ": " };
        let again = match self.lost.len() {
            0 => String::new(),
            lost => format!(" (play {}: races lost by the others before)", lost + 1),
        };
        format!("{offerer} → {answerer} {case} … {} {seconds:.1} s{colon}{remark}{again}", self.status.word())
    }
}

impl Status {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Failed => "FAILED",
            Self::Known => "known failure",
            Self::Unsupported => "unsupported",
        }
    }
}

/// What came of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// When it began, UTC.
    pub date: String,
    /// The command's arguments.
    pub command: String,
    /// Whether nothing failed but what is known.
    pub passed: bool,
    /// How long it took.
    pub seconds: f64,
    /// What the stacks said of themselves.
    pub versions: BTreeMap<&'static str, String>,
    /// Every case.
    pub results: Vec<Played>,
}

impl Report {
    /// Of the cases that were played.
    pub fn new(command: String, began: SystemTime, took: Duration, mut results: Vec<Played>) -> Self {
        results.sort_by_key(|played| (order(played.offerer), order(played.answerer)));
        let mut versions = BTreeMap::new();
        for played in &results {
            for (name, version) in [played.offerer, played.answerer].into_iter().zip(&played.versions) {
                if let Some(version) = version {
                    versions.insert(name, version.clone());
                }
            }
        }
        let passed = results.iter().any(|played| played.status == Status::Passed)
            && results.iter().all(|played| played.status != Status::Failed);
        Self { date: date(began), command, passed, seconds: took.as_secs_f64(), versions, results }
    }

    /// How many came out so.
    pub fn count(&self, status: Status) -> usize {
        self.results.iter().filter(|played| played.status == status).count()
    }

    /// Those that offered or answered, in the order of the stacks.
    fn names(&self) -> Vec<&'static str> {
        let plays = |name: &str| self.results.iter().any(|played| played.offerer == name || played.answerer == name);
        crate::stacks::STACKS.iter().map(|stack| stack.name).filter(|name| plays(name)).collect()
    }

    /// What two stacks played.
    fn of<'r>(&'r self, offerer: &'r str, answerer: &'r str) -> impl Iterator<Item = &'r Played> {
        self.results.iter().filter(move |played| played.offerer == offerer && played.answerer == answerer)
    }
}

fn order(name: &str) -> usize {
    crate::stacks::STACKS.iter().position(|stack| stack.name == name).unwrap_or(usize::MAX)
}

/// `2026-11-30 17:05 UTC`.
fn date(time: SystemTime) -> String {
    let at = time::OffsetDateTime::from(time);
    let (day, time) = (at.date(), at.time());
    format!("{day} {:02}:{:02} UTC", time.hour(), time.minute())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::matrix::cases;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds| date(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00 UTC");
        assert_eq!(at(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(at(1_795_713_900), "2026-11-26 17:25 UTC");
    }

    /// A run with one of each.
    pub(super) fn report() -> Report {
        let case = cases::all()[0];
        let mut results = Vec::new();
        for (answerer, status) in
            [("chromium", Status::Passed), ("pion", Status::Failed), ("aiortc", Status::Unsupported)]
        {
            let mut played = Played::new("weft", answerer, &case);
            played.status = status;
            played.remark = "a <remark> & \"more\"".to_owned();
            played.versions = [Some("weft 1".to_owned()), Some(format!("{answerer} 2"))];
            if status == Status::Failed {
                played.failure = Some(Failed {
                    state: "{}".to_owned(),
                    descriptions: vec![("weft: offer".to_owned(), "v=0\r\n".to_owned())],
                    transcripts: vec![("offerer weft".to_owned(), "</script>\u{1}".to_owned())],
                    capture: Some(vec![0xd4, 0xc3]),
                });
            }
            results.push(played);
        }
        Report::new("--all".to_owned(), UNIX_EPOCH, Duration::from_secs(1), results)
    }

    #[test]
    fn a_failure_makes_the_run_fail_and_the_unsupported_does_not() {
        let mut report = report();
        assert!(!report.passed);
        report.results.retain(|played| played.status != Status::Failed);
        let again = Report::new(String::new(), UNIX_EPOCH, Duration::ZERO, report.results);
        assert!(again.passed);
        assert!(!Report::new(String::new(), UNIX_EPOCH, Duration::ZERO, Vec::new()).passed, "nothing played");
        assert_eq!(again.versions["aiortc"], "aiortc 2");
    }
}
