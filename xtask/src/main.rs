//! The project's own chores: lint, layers, conformance, interop, benches, CI.

mod bench;
mod bogo;
mod cargo;
mod ci;
mod conformance;
mod examples;
mod fuzz;
mod godot;
mod layers;
mod lint;
mod names;
mod shell;

use std::{env, error::Error, fs, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

/// What went wrong with the work itself; a check that fails is an [`Outcome`].
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How a command ended.
pub(crate) struct Outcome {
    pub(crate) ok: bool,
    /// Whether anything was tried: a check whose tools cannot be had here neither passed nor failed.
    pub(crate) ran: bool,
    /// One line.
    pub(crate) summary: String,
}

impl Outcome {
    pub(crate) const fn new(ok: bool, summary: String) -> Self {
        Self { ok, ran: true, summary }
    }

    /// Nothing was tried, and why.
    pub(crate) const fn not_run(reason: String) -> Self {
        Self { ok: true, ran: false, summary: reason }
    }
}

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that CI checks, in order, with a table at the end.
    Ci(ci::Command),
    /// Sizes of files and functions, what protocol crates may not touch, what no file may name.
    Lint(lint::Command),
    /// Which crate may use which.
    Layers(layers::Command),
    /// The documentation, warnings as errors.
    Docs(Plain),
    /// Licenses, banned crates and sources of all dependencies.
    Deny(Plain),
    /// Run every example to its end.
    Examples(Plain),
    /// Package every crate that is published, as `cargo publish` would.
    Package(Plain),
    /// Check the requirement ledger against the tests, or work on it.
    Conformance(conformance::Command),
    /// Run the fuzz targets, or replay their corpora.
    Fuzz(fuzz::Command),
    /// BoringSSL's test runner against weft-dtls.
    Bogo(bogo::Command),
    /// The Godot plug-in: its suite in the real engine, or the folder for games.
    Godot(godot::Command),
    /// Benchmarks with tables and JSON: `counts`, `sctp`, `link`, `stack`, `setup`, `scale`.
    Bench(bench::Command),
    /// The tests against a real browser; all arguments go to them.
    Browser {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Every stack with every other, in containers; all arguments go to the runner.
    Interop {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// `weft doctor` behind NATs of every kind, in network namespaces (root); all arguments go to the program.
    Doctor {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// NATs of every kind, each against each, in network namespaces (root); all arguments go to the tests.
    Nat {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// A path whose MTU shrinks, with real sockets in network namespaces (root); all arguments go to the program.
    Mtu {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// The TURN client against coturn; all arguments go to the tests.
    Turn {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

#[derive(Args)]
struct Plain {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Plain {
    fn run(&self, command: fn(bool) -> Result<Outcome>) -> Result<Outcome> {
        let outcome = command(self.json)?;
        if self.json {
            println!("{}", serde_json::json!({ "ok": outcome.ok, "checked": outcome.summary }));
        }
        Ok(outcome)
    }
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Ci(command) => command.run(),
        Command::Lint(command) => command.run(),
        Command::Layers(command) => command.run(),
        Command::Docs(plain) => plain.run(cargo::docs),
        Command::Deny(plain) => plain.run(cargo::deny),
        Command::Examples(plain) => plain.run(examples::run),
        Command::Package(plain) => plain.run(cargo::package),
        Command::Conformance(command) => command.run(),
        Command::Fuzz(command) => command.run(),
        Command::Bogo(command) => command.run(),
        Command::Godot(command) => command.run(),
        Command::Bench(command) => command.run(),
        // `--json` among the arguments is for the browser tests, whose output is passed on as it is.
        Command::Browser { args } => cargo::browser(&args, false),
        Command::Interop { args } => cargo::interop(&args, false),
        Command::Doctor { args } => cargo::doctor(&args, false),
        Command::Nat { args } => cargo::netlab("nat", &args, false),
        Command::Mtu { args } => cargo::netlab("mtu", &args, false),
        Command::Turn { args } => cargo::netlab("turn", &args, false),
    };
    match outcome {
        Ok(Outcome { ok: true, summary, .. }) => {
            eprintln!("ok: {summary}");
            ExitCode::SUCCESS
        }
        Ok(Outcome { ok: false, summary, .. }) => {
            eprintln!("FAILED: {summary}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// The top of the workspace.
pub(crate) fn root() -> PathBuf {
    // Cargo says it to what it runs. What was built elsewhere with the same target directory is not built anew.
    let here =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().unwrap_or(&here).to_owned()
}

/// The files with an extension below some directories, relative to the root and sorted; build output is left out.
pub(crate) fn files(dirs: &[&str], extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut left: Vec<PathBuf> = dirs.iter().map(|d| root().join(d)).filter(|d| d.exists()).collect();
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.is_dir() {
                if path.file_name().is_none_or(|n| n != "target") {
                    left.push(path);
                }
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path.strip_prefix(root())?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
