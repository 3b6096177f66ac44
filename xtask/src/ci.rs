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
    ("turn", |json| cargo::netlab("turn", &[], json)),
    ("doctor", |json| cargo::doctor(&[], json)),
    ("other SCTP stacks", cargo::peers),
    ("other DTLS stacks", cargo::dtls_peers),
    ("browser", |json| cargo::browser(&[], json)),
];

struct Done {
    name: &'static str,
    ok: bool,
    seconds: f64,
    summary: String,
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
            let (ok, summary) = match step(false) {
                Ok(Outcome { ok, summary }) => (ok, summary),
                Err(error) => (false, error.to_string()),
            };
            let seconds = start.elapsed().as_secs_f64();
            eprintln!("=== {name}: {} in {seconds:.1} s", if ok { "passed" } else { "FAILED" });
            done.push(Done { name, ok, seconds, summary });
        }
        Ok(self.report(&done))
    }

    fn report(&self, done: &[Done]) -> Outcome {
        let failed = done.iter().filter(|d| !d.ok).count();
        let summary = format!("{} steps passed, {failed} steps failed", done.len() - failed);
        if self.json {
            let steps: Vec<_> = done
                .iter()
                .map(|d| serde_json::json!({ "step": d.name, "ok": d.ok, "seconds": d.seconds, "summary": d.summary }))
                .collect();
            println!("{}", serde_json::json!({ "ok": failed == 0, "steps": steps }));
        } else {
            println!();
            for d in done {
                let state = if d.ok { "passed" } else { "FAILED" };
                println!("{:<18} {state:<7} {:>7.1} s  {}", d.name, d.seconds, d.summary);
            }
        }
        Outcome::new(failed == 0, summary)
    }
}
