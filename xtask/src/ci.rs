//! `cargo xtask ci`: every check in order, then a table.

use std::time::Instant;

use crate::{Outcome, Result, bench, cargo, conformance, examples, godot, layers, lint};

#[derive(clap::Args)]
pub(crate) struct Command {
    /// Leave a step out; may be repeated.
    #[arg(long, value_name = "STEP")]
    skip: Vec<String>,
    /// Print one JSON object, as the last line, instead of the table.
    #[arg(long)]
    json: bool,
}

type Step = (&'static str, fn(bool) -> Result<Outcome>);

const STEPS: &[Step] = &[
    ("fmt", cargo::fmt),
    ("lint", |json| lint::Command { json }.run()),
    ("layers", |json| layers::Command { json }.run()),
    ("deny", cargo::deny),
    ("clippy", cargo::clippy),
    ("docs", cargo::docs),
    ("examples", examples::run),
    ("package", cargo::package),
    ("conformance", |json| conformance::Command::check(json).run()),
    ("fuzz corpora", cargo::replay),
    ("instruction counts", bench::Command::counts),
    ("godot 3", godot::Command::ci3),
    ("godot 4", godot::Command::ci4),
    ("suites' own tests", cargo::suites),
    ("metrics", cargo::metrics),
    ("turn", |json| cargo::netlab("turn", &[], json)),
    ("mtu", |json| cargo::netlab("mtu", &[], json)),
    ("doctor", |json| cargo::doctor(&[], json)),
    ("other stacks", cargo::peers),
    ("browser", |json| cargo::browser(&[], json)),
    ("interop", |json| cargo::interop(&["--quick", "--jobs", "4"].map(str::to_owned), json)),
];

struct Done {
    name: &'static str,
    state: State,
    seconds: f64,
    summary: String,
}

/// How a step ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Passed,
    Failed,
    NotRun,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::NotRun => "NOT RUN",
        }
    }
}

impl Command {
    pub(crate) fn run(&self) -> Result<Outcome> {
        if let Some(unknown) = self.skip.iter().find(|s| !STEPS.iter().any(|(name, _)| name == s)) {
            let names: Vec<&str> = STEPS.iter().map(|s| s.0).collect();
            return Err(format!("no step `{unknown}`; there are: {}", names.join(", ")).into());
        }
        let steps: Vec<&Step> = STEPS.iter().filter(|(name, _)| !self.skip.iter().any(|s| s == name)).collect();
        let mut done = Vec::new();
        for (at, (name, step)) in steps.iter().enumerate() {
            eprintln!("\n=== {} of {}: {name}", at + 1, steps.len());
            let start = Instant::now();
            let (state, summary) = match step(false) {
                Ok(Outcome { ran: false, summary, .. }) => (State::NotRun, summary),
                Ok(Outcome { ok: true, summary, .. }) => (State::Passed, summary),
                Ok(Outcome { summary, .. }) => (State::Failed, summary),
                Err(error) => (State::Failed, error.to_string()),
            };
            let seconds = start.elapsed().as_secs_f64();
            eprintln!("=== {name}: {} in {seconds:.1} s", state.name());
            done.push(Done { name, state, seconds, summary });
        }
        Ok(self.report(&done))
    }

    fn report(&self, done: &[Done]) -> Outcome {
        let count = |state| done.iter().filter(|d| d.state == state).count();
        let failed = count(State::Failed);
        let mut summary = format!("{} steps passed, {failed} steps failed", count(State::Passed));
        if count(State::NotRun) > 0 {
            let names: Vec<_> = done.iter().filter(|d| d.state == State::NotRun).map(|d| d.name).collect();
            summary = format!("{summary}, NOT RUN: {}", names.join(", "));
        }
        if self.json {
            let steps: Vec<_> = done
                .iter()
                .map(|d| serde_json::json!({ "step": d.name, "ok": d.state != State::Failed, "state": d.state.name(), "seconds": d.seconds, "summary": d.summary }))
                .collect();
            println!("{}", serde_json::json!({ "ok": failed == 0, "steps": steps }));
        } else {
            println!();
            for d in done {
                println!("{:<18} {:<7} {:>7.1} s  {}", d.name, d.state.name(), d.seconds, d.summary);
            }
        }
        Outcome::new(failed == 0, summary)
    }
}
