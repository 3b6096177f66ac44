//! No file names a place that exists only on one machine, and every dependency comes from crates.io.

use std::{fs, process::Command};

use super::Findings;
use crate::{Result, root, shell};

/// Written in two halves, so that this file passes its own lint.
const PRIVATE_PLACES: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp/tar", "get")];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn check(found: &mut Findings) -> Result<()> {
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    for name in shell::output(&mut list)?.split('\0').filter(|n| !n.is_empty()) {
        // Binary files, and files deleted but still in the index, have no text to check.
        let Ok(text) = fs::read_to_string(root().join(name)) else { continue };
        if name.ends_with("Cargo.lock") {
            lock_file(name, &text, found);
        }
        if name.starts_with(".cargo/config") && (text.contains("[source") || text.contains("[registr")) {
            found.faults.push(format!("{name}: replaces the registry"));
        }
        for (at, line) in text.lines().enumerate() {
            if let Some(place) = PRIVATE_PLACES.iter().find(|p| line.contains(*p)) {
                found.faults.push(format!("{name}:{}: names {place}", at + 1));
            }
        }
    }
    Ok(())
}

fn lock_file(name: &str, text: &str, found: &mut Findings) {
    for line in text.lines() {
        let source = line.strip_prefix("source = ").map(|s| s.trim_matches('"'));
        if let Some(source) = source.filter(|s| *s != CRATES_IO) {
            found.faults.push(format!("{name}: a package comes from {source}"));
        }
    }
}
