//! `cargo xtask godot`: the plug-in in real engines, and the folder that games drop into their project.

mod engines;
mod package;
mod suite;

use std::path::{Path, PathBuf};

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
    /// Let the engine and a page in Chromium talk to each other, too (Debian: `chromium`, `chromium-driver`).
    #[arg(long)]
    browser: bool,
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
        Self { what: None, engine: Engine::Three, only: None, browser: true, json }.run()
    }

    /// The suite of Godot 4, for CI: where the engine is there or Debian's archive can be reached.
    pub(crate) fn ci4(json: bool) -> Result<Outcome> {
        if let engines::Four::Absent(reason) = engines::four(json)? {
            return Ok(Outcome::not_run(reason));
        }
        Self { what: None, engine: Engine::Four, only: None, browser: true, json }.run()
    }

    pub(crate) fn run(&self) -> Result<Outcome> {
        let library = build(self.json)?;
        if let Some(What::Package { out }) = &self.what {
            let out = out.clone().unwrap_or_else(|| root().join("target/godot/package"));
            return package::make(&library, &out);
        }
        let engine = match self.engine {
            Engine::Three => engines::three()?,
            Engine::Four => match engines::four(self.json)? {
                engines::Four::Runs(engine) => engine,
                engines::Four::Absent(reason) => return Err(reason.into()),
            },
        };
        let project = suite::project(&engine, &library)?;
        let suite = suite::run(&engine, &project, self.only.as_deref())?;
        let browser = if self.browser { self.with_browser(&project)? } else { true };
        let ok = suite.failed == 0 && suite.passed > 0 && browser;
        if self.json {
            println!(
                "{}",
                serde_json::json!({
                    "ok": ok, "passed": suite.passed, "failed": suite.failed, "engine": suite.engine,
                    "browser": self.browser.then_some(browser),
                })
            );
        }
        let browser = match (self.browser, browser) {
            (false, _) => "",
            (true, true) => "; with Chromium too",
            (true, false) => "; FAILED with Chromium",
        };
        let summary = format!("{}: {} passed, {} failed{browser}", suite.engine, suite.passed, suite.failed);
        Ok(Outcome::new(ok, summary))
    }

    /// The engine and a page in Chromium. Whether they understood each other.
    fn with_browser(&self, project: &Path) -> Result<bool> {
        let mut run = shell::cargo();
        run.args(["run", "--package", "weft-interop", "--", "browser", "--filter", "godot/", "--godot"]);
        shell::run(run.arg(project), self.json)
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
