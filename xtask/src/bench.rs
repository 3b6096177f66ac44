//! `cargo xtask bench`: the benchmarks of `benches` that print tables and JSON.

use crate::{Outcome, Result, root, shell};

#[derive(clap::Args)]
pub(crate) struct Command {
    /// `counts`: instructions of the main paths against their baselines. `sctp`: what it costs, in memory. `link`:
    /// throughput, fairness and delay over a bottleneck, in virtual time. `stack`: everything together over UDP loopback.
    /// `setup`: from two new peer connections to an open channel, over UDP loopback. `scale`: 10,000 idle connections.
    #[arg(value_parser = ["counts", "sctp", "link", "stack", "setup", "scale"])]
    what: String,
    /// Other stacks, too, in the same run (`setup` and `scale`: `str0m`, `webrtc`). `sctp` and `link` measure `dcsctp`,
    /// `sctp-proto` and `rtc-sctp` along by themselves. `stack` takes all of them but `datachannel` (libdatachannel) by
    /// itself, and Chromium where it is installed; `stack --peer NAME` takes those named alone.
    #[arg(long)]
    peers: bool,
    /// `sctp` and `link`: without the other stacks, which are then not built either.
    #[arg(long)]
    ours: bool,
    /// Handed on; `--help` among them lists what there is. A run of all cases of `stack` with all other stacks or with no
    /// `--peer` writes its section of BENCHMARKS.md and the plots in benches/plots, unless `--dry` is given.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Command {
    /// What CI runs.
    pub(crate) fn counts(json: bool) -> Result<Outcome> {
        let args = if json { vec!["--json".to_owned()] } else { Vec::new() };
        Self { what: "counts".to_owned(), peers: false, ours: false, args }.run()
    }

    pub(crate) fn run(&self) -> Result<Outcome> {
        let mut args = self.args.clone();
        let mut peers = self.peers || args.iter().any(|arg| arg == "--peers");
        let ours = self.ours || args.iter().any(|arg| arg == "--ours");
        args.retain(|arg| arg != "--peers" && arg != "--ours");
        let (program, feature) = match self.what.as_str() {
            "setup" => {
                args.extend(["--only", "setup"].map(str::to_owned));
                let named = args.iter().any(|arg| arg.starts_with("--peer"));
                peers |= stack_arguments(&mut args)? && named;
                ("stack", "stack-peers")
            }
            "stack" => {
                peers |= stack_arguments(&mut args)?;
                ("stack", "stack-peers")
            }
            "scale" => ("scale", "stack-peers"),
            "sctp" | "link" => {
                peers = !ours;
                (self.what.as_str(), "peers")
            }
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

/// The other stacks that `--peer` of `stack` takes.
const PEERS: [&str; 4] = ["str0m", "webrtc", "datachannel", "chromium"];

/// Adds to the arguments of `stack` what only this program knows: where the tables and plots of a run of all cases go, and
/// the program that measures libdatachannel. Whether stacks take part that are crates.
fn stack_arguments(args: &mut Vec<String>) -> Result<bool> {
    let named: Vec<String> = args
        .iter()
        .enumerate()
        .filter_map(|(at, arg)| match arg.strip_prefix("--peer") {
            Some("") => args.get(at + 1).cloned(),
            Some(rest) => rest.strip_prefix('=').map(str::to_owned),
            None => None,
        })
        .collect();
    let elsewhere = ["--only", "--write", "--plots", "--help", "--dry"];
    let cases = !args.iter().any(|arg| elsewhere.iter().any(|option| arg.starts_with(option)));
    // A table without the other columns is not the one that is kept.
    let columns = named.is_empty() || PEERS.iter().all(|peer| named.iter().any(|name| name == peer));
    if cases && columns {
        args.extend(["--write", "BENCHMARKS.md", "--plots", "benches/plots"].map(str::to_owned));
    }
    args.retain(|arg| arg != "--dry");
    if named.iter().any(|peer| peer == "datachannel") {
        let folder = "benches/datachannel";
        let mut build = shell::cargo();
        build.args(["build", "--release", "--manifest-path"]).arg(format!("{folder}/Cargo.toml"));
        // Whatever CARGO_TARGET_DIR says: the program has to be found again.
        build.args(["--target-dir", &format!("{folder}/target")]);
        if !shell::run(&mut build, true)? {
            return Err("libdatachannel does not build: see benches/datachannel/README.md".into());
        }
        let program = format!("{folder}/target/release/weft-bench-datachannel{}", std::env::consts::EXE_SUFFIX);
        if !root().join(&program).exists() {
            return Err(format!("{program} was built, but is not there").into());
        }
        args.extend(["--datachannel".to_owned(), program]);
    }
    Ok(named.is_empty() || named.iter().any(|peer| peer == "str0m" || peer == "webrtc"))
}
