//! `cargo xtask bogo`: BoringSSL's test runner judges weft-dtls.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command as Process, Stdio},
};

use crate::{Outcome, Result, root, shell};

#[derive(clap::Args)]
pub(crate) struct Command {
    /// The runner, built by `go test -c` in `ssl/test/runner` of a BoringSSL checkout.
    #[arg(long, value_name = "PATH")]
    runner: PathBuf,
    /// Only the tests that match one of these patterns, separated by semicolons.
    #[arg(long, value_name = "PATTERNS", default_value = "*DTLS*")]
    test: String,
    /// Seconds after which the runner gives up waiting.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    patience: u32,
    /// Tests at once: most of a failing one's time is waiting.
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    workers: u32,
    /// Also run the tests that the configuration leaves out.
    #[arg(long)]
    include_disabled: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What the runner said of the tests it ran.
#[derive(Default, serde::Serialize)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
    unimplemented: usize,
    /// Of those, how many for want of what.
    reasons: BTreeMap<String, usize>,
}

impl Tally {
    fn take(&mut self, line: &str) {
        if line.starts_with("PASSED (") {
            self.passed += 1;
        } else if let Some(name) = line.strip_prefix("FAILED (") {
            self.failed.push(name.trim_end_matches(')').to_owned());
        } else if line.starts_with("UNIMPLEMENTED (") {
            self.unimplemented += 1;
        }
    }
}

impl Command {
    pub(crate) fn run(&self) -> Result<Outcome> {
        if !shell::run(shell::cargo().args(["build", "--package", "weft-bogo"]), self.json)? {
            return Err("the shim does not build".into());
        }
        let reasons = std::env::temp_dir().join(format!("weft-bogo-reasons-{}", std::process::id()));
        let mut tally = self.judge(&reasons)?;
        for line in fs::read_to_string(&reasons).unwrap_or_default().lines() {
            *tally.reasons.entry(line.to_owned()).or_default() += 1;
        }
        let _ = fs::remove_file(&reasons);
        let ok = tally.failed.is_empty() && tally.passed > 0;
        if self.json {
            println!("{}", serde_json::json!({ "ok": ok, "tests": tally }));
        } else {
            let mut reasons: Vec<_> = tally.reasons.iter().collect();
            reasons.sort_by_key(|(_, count)| core::cmp::Reverse(**count));
            println!("\nunimplemented for want of:");
            for (reason, count) in reasons {
                println!("{count:>6}  {reason}");
            }
        }
        let Tally { passed, failed, unimplemented, .. } = &tally;
        Ok(Outcome::new(ok, format!("{passed} tests passed, {} failed, {unimplemented} unimplemented", failed.len())))
    }

    /// Runs the runner. What it says of failures is passed on, the rest is only counted.
    fn judge(&self, reasons: &PathBuf) -> Result<Tally> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        let mut runner = Process::new(&self.runner);
        runner.arg("-shim-path").arg(target.join("debug/weft-bogo-shim"));
        runner.arg("-shim-config").arg(root().join("conformance/shims/bogo/config.json"));
        runner.args(["-allow-unimplemented", "-pipe", "-num-workers", &self.workers.to_string()]);
        runner.args(["-idle-timeout", &format!("{}s", self.patience), "-test", &self.test]);
        if self.include_disabled {
            runner.arg("-include-disabled");
        }
        runner.env("WEFT_BOGO_REASONS", reasons).stdin(Stdio::null()).stdout(Stdio::piped());
        let started = runner.spawn().map_err(|error| format!("{}: {error}", self.runner.display()))?;
        let mut child = started;
        let output = child.stdout.take().ok_or("the runner has no output")?;
        let mut tally = Tally::default();
        let mut quiet = true;
        for line in BufReader::new(output).lines() {
            let line = line?;
            tally.take(&line);
            quiet = if line.starts_with("FAILED (") {
                false
            } else {
                quiet || line.starts_with("PASSED (") || line.starts_with("UNIMPLEMENTED (")
            };
            if !quiet {
                eprintln!("{line}");
            }
            let done = tally.passed + tally.failed.len() + tally.unimplemented;
            if done.is_multiple_of(100) && line.ends_with(')') {
                eprintln!("{done} tests so far: {} passed, {} failed", tally.passed, tally.failed.len());
            }
        }
        child.wait()?;
        Ok(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_lines_are_counted() {
        let mut tally = Tally::default();
        for line in
            ["PASSED (A-DTLS)", "FAILED (B-DTLS)", "unexpected failure", "got:", "UNIMPLEMENTED (C)", "PASSED (D)"]
        {
            tally.take(line);
        }
        assert_eq!((tally.passed, tally.unimplemented), (2, 1));
        assert_eq!(tally.failed, ["B-DTLS"]);
    }
}
