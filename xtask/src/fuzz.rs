//! `cargo xtask fuzz`: the targets of `conformance/fuzz`.

use std::fs;

use crate::{Outcome, Result, cargo, root, shell};

#[derive(clap::Args)]
pub(crate) struct Command {
    /// One target; all of them without it.
    target: Option<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Replay the committed corpora on the stable toolchain instead.
    #[arg(long)]
    replay: bool,
    /// Afterwards, add to the committed corpora what reached code that nothing in them reaches.
    #[arg(long, conflicts_with = "replay")]
    keep: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn run(&self) -> Result<Outcome> {
        if self.replay {
            return cargo::replay(self.json);
        }
        if !shell::succeeds(shell::cargo().args(["+nightly", "fuzz", "--version"])) {
            return Err("cargo-fuzz or a nightly toolchain is missing: `cargo install cargo-fuzz --locked`, \
                        `rustup toolchain install nightly`"
                .into());
        }
        let all = targets()?;
        let chosen: Vec<&String> = all.iter().filter(|t| self.target.as_ref().is_none_or(|only| only == *t)).collect();
        if chosen.is_empty() {
            return Err(format!("no such target; there are: {}", all.join(", ")).into());
        }
        let mut failed = Vec::new();
        for (at, target) in chosen.iter().enumerate() {
            eprintln!("=== {} of {}: {target}, {} s", at + 1, chosen.len(), self.seconds);
            let committed = format!("conformance/fuzz/corpus/{target}");
            let found = format!("conformance/fuzz/target/corpus/{target}");
            fs::create_dir_all(root().join(&found))?;
            // libFuzzer writes what it finds to the first directory.
            let time = format!("-max_total_time={}", self.seconds);
            let mut ok = self.fuzz(target, [&found, &committed], &[&time, "-timeout=10", "-rss_limit_mb=2048"])?;
            if self.keep && ok {
                ok = self.fuzz(target, [&committed, &found], &["-merge=1"])?;
            }
            if !ok {
                failed.push(target.as_str());
            }
        }
        if self.json {
            println!("{}", serde_json::json!({ "ok": failed.is_empty(), "targets": chosen, "failed": failed }));
        }
        let summary = format!("{} targets, {} failed {}", chosen.len(), failed.len(), failed.join(" "));
        Ok(Outcome::new(failed.is_empty(), summary.trim_end().to_owned()))
    }
}

impl Command {
    fn fuzz(&self, target: &str, corpora: [&str; 2], options: &[&str]) -> Result<bool> {
        let mut run = shell::cargo();
        run.args(["+nightly", "fuzz", "run", "--fuzz-dir", "conformance/fuzz", target]);
        shell::run(run.args(corpora).arg("--").args(options), self.json)
    }
}

/// The files in `fuzz_targets`, sorted.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("conformance/fuzz/fuzz_targets"))? {
        names.extend(entry?.path().file_stem().map(|n| n.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
