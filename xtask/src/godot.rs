//! `cargo xtask godot`: the plug-in in real engines, and the folder that games drop into their project.

mod engines;
mod package;
mod suite;

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
    /// Godot 4: installed, or fetched from Debian's archive into `target/godot` once.
    #[value(name = "4")]
    Four,
}

impl Command {
    /// The suite of Godot 3, for CI.
    pub(crate) fn ci3(json: bool) -> Result<Outcome> {
        Self { what: None, engine: Engine::Three, only: None, json }.run()
    }

    /// The suite of Godot 4, for CI, where the engine can be had.
    pub(crate) fn ci4(json: bool) -> Result<Outcome> {
        if let Err(reason) = engines::four(json) {
            return Ok(Outcome::new(true, format!("NOT RUN: {reason}")));
        }
        Self { what: None, engine: Engine::Four, only: None, json }.run()
    }

    pub(crate) fn run(&self) -> Result<Outcome> {
        let library = build(self.json)?;
        if let Some(What::Package { out }) = &self.what {
            let out = out.clone().unwrap_or_else(|| root().join("target/godot/package"));
            return package::make(&library, &out);
        }
        let engine = match self.engine {
            Engine::Three => engines::three()?,
            Engine::Four => engines::four(self.json)?,
        };
        let suite = suite::run(&engine, &library, self.only.as_deref())?;
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
