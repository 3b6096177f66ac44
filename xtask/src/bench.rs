//! `cargo xtask bench`: the benchmarks of `benches` that print tables and JSON.

use crate::{Outcome, Result, shell};

#[derive(clap::Args)]
pub(crate) struct Command {
    /// `counts`: instructions of the main paths against their baselines. `sctp`: what it costs, in memory. `link`:
    /// throughput, fairness and delay over a bottleneck, in virtual time. `stack`: everything together over UDP loopback.
    /// `setup`: from two new peer connections to an open channel, over UDP loopback. `scale`: 10,000 idle connections.
    #[arg(value_parser = ["counts", "sctp", "link", "stack", "setup", "scale"])]
    what: String,
    /// Other stacks, too, in the same run (`sctp` and `link`: `dcsctp`, `sctp-proto`, `rtc-sctp`; `stack`,
    /// `setup` and `scale`: `str0m`, `webrtc`). `stack --peer NAME` takes one of them alone.
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
        let peers = self.peers || args.iter().any(|arg| arg == "--peers" || arg.starts_with("--peer"));
        args.retain(|arg| arg != "--peers");
        let (program, feature) = match self.what.as_str() {
            "setup" => {
                args.extend(["--only", "setup"].map(str::to_owned));
                ("stack", "stack-peers")
            }
            "stack" | "scale" => (self.what.as_str(), "stack-peers"),
            other => (other, "peers"),
        };
        let mut run = shell::cargo();
        run.args(["run", "--release", "--package", "weft-benches", "--bin", program]);
        if peers {
            run.args(["--features", feature]);
        }
        let ok = shell::run(run.arg("--").args(&args), false)?;
        Ok(Outcome::new(ok, format!("bench {}", self.what)))
    }
}
