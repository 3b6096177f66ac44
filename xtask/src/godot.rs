//! `cargo xtask godot`: the plug-in in real engines, and the folder that games drop into their project.

mod engine3;
mod package;

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::{Outcome, Result, root, shell};

#[derive(clap::Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    what: Option<What>,
    /// Which engine runs its suite.
    #[arg(long, value_enum, default_value = "3")]
    engine: Engine,
    /// Only the tests whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Print one JSON object.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// Make the folder to drop into a game, with a demo project for each engine.
    Package {
        /// Where; `target/godot/package` without it.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// Godot 3 (`godot3-server`).
    #[value(name = "3")]
    Three,
}

impl Command {
    /// The suite of Godot 3, for CI.
    pub(crate) fn ci(json: bool) -> Self {
        Self { what: None, engine: Engine::Three, only: None, json }
    }

    pub(crate) fn run(&self) -> Result<Outcome> {
        let library = build(self.json)?;
        if let Some(What::Package { out }) = &self.what {
            let out = out.clone().unwrap_or_else(|| root().join("target/godot/package"));
            return package::make(&library, &out);
        }
        let suite = match self.engine {
            Engine::Three => engine3::run(&library, self.only.as_deref())?,
        };
        if self.json {
            println!(
                "{}",
                serde_json::json!({ "ok": suite.failed == 0, "passed": suite.passed, "failed": suite.failed, "engine": suite.engine })
            );
        }
        let summary = format!("{}: {} passed, {} failed", suite.engine, suite.passed, suite.failed);
        Ok(Outcome::new(suite.failed == 0 && suite.passed > 0, summary))
    }
}

/// How a suite ended.
pub(crate) struct Suite {
    engine: String,
    passed: usize,
    failed: usize,
}

/// Builds the library and says where it is.
fn build(quiet: bool) -> Result<PathBuf> {
    let ok = shell::run(shell::cargo().args(["build", "--release", "--package", "weft-godot"]), quiet)?;
    if !ok {
        return Err("the plug-in does not build".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join("release/libweft_godot.so"))
}
