//! A matrix for the terminal, which is also good Markdown.

use std::fmt::Write as _;

use super::{Played, Report, Status};

impl Report {
    /// The matrix, the versions, what failed and what is unsupported.
    pub fn text(&self) -> String {
        let mut text = self.matrix();
        text.push_str("\nCells: passed/played; `u` unsupported, `k` known failures, `F` failures.\n\n");
        for (name, version) in &self.versions {
            let _ = writeln!(text, "* {name}: {version}");
        }
        for (status, title) in [(Status::Failed, "Failed"), (Status::Known, "Known failures")] {
            let mut lines = self.results.iter().filter(|played| played.status == status).peekable();
            if lines.peek().is_some() {
                let _ = writeln!(text, "\n{title}:");
            }
            for played in lines {
                let why = played.reason.as_ref().unwrap_or(&played.remark).lines().next().unwrap_or_default();
                let _ = writeln!(text, "* {} → {} {}: {why}", played.offerer, played.answerer, played.case);
            }
        }
        text.push_str(&self.lost());
        text.push_str(&self.unsupported());
        let [passed, failed, known, unsupported] =
            [Status::Passed, Status::Failed, Status::Known, Status::Unsupported].map(|status| self.count(status));
        let _ = writeln!(
            text,
            "\n{passed} passed, {failed} failed, {known} known failures, {unsupported} unsupported, {:.0} s",
            self.seconds
        );
        text
    }

    /// Offerers down, answerers across.
    fn matrix(&self) -> String {
        let names = self.names();
        let width = names.iter().map(|name| name.len()).max().unwrap_or(0).max(9);
        let mut text = format!("| {:width$} |", "offers ↓");
        for name in &names {
            let _ = write!(text, " {name:width$} |");
        }
        text.push('\n');
        text.push_str(&format!("|{}", "-".repeat(width + 2)).repeat(names.len() + 1));
        text.push_str("|\n");
        for offerer in &names {
            let _ = write!(text, "| {offerer:width$} |");
            for answerer in &names {
                let _ = write!(text, " {:width$} |", cell(self.of(offerer, answerer)));
            }
            text.push('\n');
        }
        text
    }

    /// What was played again.
    fn lost(&self) -> String {
        let mut text = String::new();
        for played in &self.results {
            for lost in &played.lost {
                let remark = lost.remark.lines().next().unwrap_or_default();
                let Played { offerer, answerer, case, .. } = played;
                let _ = writeln!(text, "* {offerer} → {answerer} {case}: {remark} ({})", lost.reason);
            }
        }
        if text.is_empty() { text } else { format!("\nPlayed again, as a stack lost a race of its own:\n{text}") }
    }

    /// What is unsupported, each reason once.
    fn unsupported(&self) -> String {
        let mut reasons: Vec<(&str, &str, usize)> = Vec::new();
        for played in self.results.iter().filter(|played| played.status == Status::Unsupported) {
            let reason = played.remark.lines().next().unwrap_or_default();
            match reasons.iter_mut().find(|(case, known, _)| *case == played.case && *known == reason) {
                Some((_, _, times)) => *times += 1,
                None => reasons.push((played.case, reason, 1)),
            }
        }
        let mut text = if reasons.is_empty() { String::new() } else { "\nUnsupported:\n".to_owned() };
        for (case, reason, times) in reasons {
            let _ = writeln!(text, "* {case}: {reason} ({times})");
        }
        text
    }
}

/// `38/41 2u 1F`.
pub(super) fn cell<'r>(played: impl Iterator<Item = &'r Played>) -> String {
    let mut counts = [0_usize; 4];
    for played in played {
        let at = match played.status {
            Status::Passed => 0,
            Status::Unsupported => 1,
            Status::Known => 2,
            Status::Failed => 3,
        };
        if let Some(count) = counts.get_mut(at) {
            *count += 1;
        }
    }
    let [passed, unsupported, known, failed] = counts;
    let total: usize = counts.iter().sum();
    if total == 0 {
        return String::new();
    }
    let mut text = format!("{passed}/{total}");
    for (count, mark) in [(unsupported, 'u'), (known, 'k'), (failed, 'F')] {
        if count > 0 {
            let _ = write!(text, " {count}{mark}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_matrix_names_everybody_and_counts() {
        let text = super::super::tests::report().text();
        assert!(text.contains("| weft "), "{text}");
        for part in ["1/1", "0/1 1u", "0/1 1F", "* weft → pion connect/trickle: a <remark>", "1 passed, 1 failed"] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }
}
