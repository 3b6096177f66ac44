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
    /// Run nothing: count what the configuration leaves out, by reason.
    #[arg(long)]
    left_out: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What the runner said of the tests it ran.
#[derive(Default, serde::Serialize)]
struct Tally {
    /// Whether the runner came to its end.
    complete: bool,
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
        if self.left_out {
            return self.count_left_out();
        }
        let reasons = std::env::temp_dir().join(format!("weft-bogo-reasons-{}", std::process::id()));
        let mut tally = self.judge(&reasons)?;
        for line in fs::read_to_string(&reasons).unwrap_or_default().lines() {
            *tally.reasons.entry(line.to_owned()).or_default() += 1;
        }
        let _ = fs::remove_file(&reasons);
        let ok = tally.failed.is_empty() && tally.passed > 0 && tally.complete;
        if !tally.complete {
            eprintln!("the runner broke off");
        }
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

    /// How many tests there are, and how many are left out for which reason.
    fn count_left_out(&self) -> Result<Outcome> {
        let output = self.process().arg("-include-disabled").env("WEFT_BOGO_NAMES", "1").output()?;
        let output = String::from_utf8_lossy(&output.stdout);
        let name = |line: &str| Some(line.strip_prefix("UNIMPLEMENTED (")?.strip_suffix(')')?.to_owned());
        let names: Vec<String> = output.lines().filter_map(name).collect();
        let config: serde_json::Value = serde_json::from_str(&fs::read_to_string(config())?)?;
        let disabled = config.get("DisabledTests").and_then(serde_json::Value::as_object).ok_or("no DisabledTests")?;
        let mut left_out = BTreeMap::<&str, usize>::new();
        let mut unused = Vec::new();
        let mut taken = vec![false; names.len()];
        for (pattern, reason) in disabled {
            let mut matched = false;
            for (_, taken) in names.iter().zip(&mut taken).filter(|(name, _)| matches(pattern, name)) {
                matched = true;
                if !*taken {
                    *left_out.entry(reason.as_str().unwrap_or_default()).or_default() += 1;
                }
                *taken = true;
            }
            if !matched {
                unused.push(pattern);
            }
        }
        let ok = !names.is_empty() && unused.is_empty();
        let total: usize = left_out.values().sum();
        if self.json {
            let all = serde_json::json!({ "ok": ok, "tests": names.len(), "left_out": left_out, "unused": unused });
            println!("{all}");
        } else {
            for (reason, count) in &left_out {
                println!("{count:>6}  {reason}");
            }
            for pattern in &unused {
                println!("  {pattern} names no test");
            }
        }
        Ok(Outcome::new(ok, format!("{total} of {} tests are left out", names.len())))
    }

    /// The runner, to be started.
    fn process(&self) -> Process {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        let mut runner = Process::new(&self.runner);
        runner.arg("-shim-path").arg(target.join("debug/weft-bogo-shim"));
        runner.arg("-shim-config").arg(config());
        runner.args(["-allow-unimplemented", "-pipe", "-num-workers", &self.workers.to_string()]);
        runner.args(["-idle-timeout", &format!("{}s", self.patience), "-test", &self.test]);
        runner
    }

    /// Runs the runner. What it says of failures is passed on, the rest is only counted.
    fn judge(&self, reasons: &PathBuf) -> Result<Tally> {
        let mut runner = self.process();
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
        // It fails of a failed test, and of itself: the tests it has not come to are then counted nowhere.
        tally.complete = child.wait()?.success() || !tally.failed.is_empty();
        Ok(tally)
    }
}

fn config() -> PathBuf {
    root().join("conformance/shims/bogo/config.json")
}

/// Whether a name matches a pattern of the configuration, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name
            .strip_prefix(start)
            .is_some_and(|name| (0..=name.len()).any(|at| name.get(at..).is_some_and(|name| matches(rest, name)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_runners_do() {
        assert!(matches("*-TLS1-*", "A-TLS1-B") && !matches("*-TLS1-*", "A-TLS1"));
        assert!(matches("A*", "A") && matches("A*C", "ABC") && !matches("A", "AB"));
        assert!(matches("*A*A*", "AbA") && !matches("*A*A*", "A"));
    }

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
