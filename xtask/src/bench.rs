//! `cargo xtask bench`: the benchmarks of `benches` that print tables and JSON.

use crate::{Outcome, Result, shell};

#[derive(clap::Args)]
pub(crate) struct Command {
    /// `counts`: instructions of the main paths against their baselines. `sctp`: what it costs, in memory. `link`:
    /// throughput, fairness and delay over a bottleneck, in virtual time.
    #[arg(value_parser = ["counts", "sctp", "link"])]
    what: String,
    /// Other stacks, too, in the same run (`sctp` and `link`: `dcsctp`, `sctp-proto`, `rtc-sctp`).
    #[arg(long)]
    peers: bool,
    /// Handed on; `--help` among them lists what there is.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Command {
    /// What CI runs.
    pub(crate) fn counts(json: bool) -> Result<Outcome> {
        let args = if json { vec!["--json".to_owned()] } else { Vec::new() };
        Self { what: "counts".to_owned(), peers: false, args }.run()
    }

    pub(crate) fn run(&self) -> Result<Outcome> {
        let mut args = self.args.clone();
        let peers = self.peers || args.iter().any(|arg| arg == "--peers");
        args.retain(|arg| arg != "--peers");
        let mut run = shell::cargo();
        run.args(["run", "--release", "--package", "weft-benches", "--bin", &self.what]);
        if peers {
            run.args(["--features", "peers"]);
        }
        let ok = shell::run(run.arg("--").args(&args), false)?;
        Ok(Outcome::new(ok, format!("bench {}", self.what)))
    }
}
