//! What came of the cases, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

/// What came of one case.
#[derive(Debug, Clone, Serialize)]
pub struct CaseResult {
    /// The case.
    pub name: String,
    /// What had to hold.
    pub about: &'static str,
    /// Whether it held.
    pub passed: bool,
    /// How long it took.
    pub seconds: f64,
    /// A remark, such as a rate.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remark: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureReport>,
}

/// Everything that helps to find out why a case failed.
#[derive(Debug, Clone, Serialize)]
pub struct FailureReport {
    /// What was expected, and what was there.
    pub message: String,
    /// Where both sides stood.
    pub state: String,
    /// Who made which description, and its text.
    pub descriptions: Vec<(String, String)>,
    /// The last lines of each peer.
    pub last_lines: Vec<(String, String)>,
    /// The folder with the whole transcripts.
    pub folder: Option<String>,
}

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The browser, with its version.
    pub browser: String,
    /// Who sat in the native seat.
    pub native: String,
    /// Whether all cases passed.
    pub passed: bool,
    /// How long it all took.
    pub seconds: f64,
    /// The cases, in the order in which they ran.
    pub cases: Vec<CaseResult>,
}

impl Report {
    /// The results of a run.
    pub fn new(browser: String, native: String, took: Duration, cases: Vec<CaseResult>) -> Self {
        let passed = !cases.is_empty() && cases.iter().all(|case| case.passed);
        Self { browser, native, passed, seconds: took.as_secs_f64(), cases }
    }

    /// A table for a person, and under it what is known of each failure.
    pub fn table(&self) -> String {
        let width = self.cases.iter().map(|case| case.name.len()).max().unwrap_or(0).max(4);
        let mut text =
            format!("\n{} and {}\n\n{:width$}  result  seconds  remark\n", self.native, self.browser, "case");
        for case in &self.cases {
            let result = if case.passed { "ok" } else { "FAILED" };
            let _ = writeln!(text, "{:width$}  {result:6}  {:7.1}  {}", case.name, case.seconds, case.remark);
        }
        let failed = self.cases.iter().filter(|case| !case.passed).count();
        let _ = writeln!(text, "\n{} passed, {failed} failed, {:.0} s", self.cases.len() - failed, self.seconds);
        for case in &self.cases {
            if let Some(failure) = &case.failure {
                let _ = write!(text, "\n{}", failure.text(&case.name, case.about));
            }
        }
        text
    }
}

impl FailureReport {
    fn text(&self, name: &str, about: &str) -> String {
        let mut text = format!("──── {name}\nMust hold: {about}\nFailed:    {}\n", self.message);
        if !self.state.is_empty() {
            let _ = writeln!(text, "\nState: {}", self.state);
        }
        for (who, sdp) in &self.descriptions {
            let _ = writeln!(text, "\n{who}:\n{}", indented(sdp));
        }
        for (who, lines) in &self.last_lines {
            let _ = writeln!(text, "\nLast lines of {who} (> told, < said, | logged, # remark):\n{}", indented(lines));
        }
        if let Some(folder) = &self.folder {
            let _ = writeln!(text, "\nWhole transcripts: {folder}");
        }
        text
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {}", line.trim_end_matches('\r'))).collect::<Vec<_>>().join("\n")
}
