//! `cargo xtask lint`: sizes, what protocol crates may not touch, what no file may name, what published crates carry.

mod packages;
mod sizes;
mod sources;
mod wasm;

use serde::Serialize;

use crate::{Outcome, Result};

#[derive(clap::Args)]
pub(crate) struct Command {
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the lints found.
#[derive(Default, Serialize)]
pub(crate) struct Findings {
    pub(crate) ok: bool,
    pub(crate) files: usize,
    pub(crate) functions: usize,
    pub(crate) longest_file: (usize, String),
    pub(crate) longest_function: (usize, String),
    /// How the protocol crates were held to wasm32: `built`, or `scanned` where the target is not installed.
    pub(crate) wasm32: &'static str,
    pub(crate) faults: Vec<String>,
}

/// No sockets, clocks or threads, and no runtime: they build for wasm32.
pub(crate) const PROTOCOL_CRATES: &[&str] = &["core", "sdp", "stun", "ice", "dtls", "sctp"];

impl Command {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let mut found = Findings::default();
        sizes::check(&mut found)?;
        sources::check(&mut found)?;
        packages::check(&mut found)?;
        wasm::check(&mut found, self.json)?;
        found.ok = found.faults.is_empty();
        if self.json {
            println!("{}", serde_json::to_string(&found)?);
        } else {
            println!("longest file:     {:>4} lines, {}", found.longest_file.0, found.longest_file.1);
            println!("longest function: {:>4} lines, {}", found.longest_function.0, found.longest_function.1);
            println!("wasm32:           {}", found.wasm32);
            for fault in &found.faults {
                println!("error: {fault}");
            }
        }
        let Findings { files, functions, faults, .. } = &found;
        Ok(Outcome::new(found.ok, format!("{files} files, {functions} functions, {} faults", faults.len())))
    }
}

/// The lines of code of a source before its tests, with their line numbers: no blank lines, no comments.
pub(crate) fn code_lines(text: &str) -> Vec<(usize, &str)> {
    let mut in_comment = false;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let bare = line.trim();
        if bare == "#[cfg(test)]" {
            break;
        }
        let opens = bare.starts_with("/*");
        let comment = in_comment || opens || bare.starts_with("//");
        if (in_comment || opens) && bare.contains("*/") {
            in_comment = false;
        } else if opens {
            in_comment = true;
        }
        if !comment && !bare.is_empty() {
            lines.push((at + 1, line));
        }
    }
    lines
}
