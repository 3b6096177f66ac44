//! Protocol crates build for wasm32, or, where that target is not installed, at least name nothing it lacks.

use std::{collections::BTreeSet, fs, path::Path};

use super::{Findings, PROTOCOL_CRATES, code_lines};
use crate::{Result, files, shell};

const TARGET: &str = "wasm32-unknown-unknown";

/// Only scanned: its primitives come from aws-lc-rs, which is C and has no wasm32 build.
const NOT_BUILT: &[&str] = &["dtls"];

/// Paths of the standard library that do I/O, read clocks or start threads. A path covers what lies below it.
const BANNED_PATHS: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
];

/// Crates that do the same.
const BANNED_CRATES: &[&str] =
    &["async-std", "if-addrs", "mio", "nix", "quinn-udp", "rustix", "smol", "socket2", "tokio", "web-time"];

pub(super) fn check(found: &mut Findings, quiet: bool) -> Result<()> {
    for name in PROTOCOL_CRATES {
        let dir = format!("crates/{name}");
        for path in files(&[&format!("{dir}/src")], "rs")? {
            let text = fs::read_to_string(crate::root().join(&path))?;
            found.faults.extend(banned_uses(&text).into_iter().map(|what| format!("{}: uses {what}", path.display())));
        }
        manifest(Path::new(&dir), found)?;
    }
    found.wasm32 = "scanned";
    if installed() {
        found.wasm32 = "built";
        let mut build = shell::cargo();
        build.args(["build", "--target", TARGET, "--lib"]);
        let built = PROTOCOL_CRATES.iter().filter(|name| !NOT_BUILT.contains(name));
        build.args(built.flat_map(|name| ["--package".to_owned(), format!("weft-{name}")]));
        if !shell::run(&mut build, quiet)? {
            found.faults.push(format!("the protocol crates do not build for {TARGET}"));
        }
    }
    Ok(())
}

fn installed() -> bool {
    let libdir =
        shell::output(std::process::Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    libdir.is_ok_and(|dir| Path::new(dir.trim()).exists())
}

fn manifest(dir: &Path, found: &mut Findings) -> Result<()> {
    let path = dir.join("Cargo.toml");
    let text = fs::read_to_string(crate::root().join(&path))?;
    let manifest: toml::Table = text.parse()?;
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    for name in dependencies.into_iter().flat_map(toml::Table::keys) {
        if BANNED_CRATES.contains(&name.as_str()) {
            found.faults.push(format!("{}: depends on {name}", path.display()));
        }
    }
    Ok(())
}

/// The banned paths that a source names, in `use` trees or in full.
fn banned_uses(text: &str) -> BTreeSet<&'static str> {
    let code: String = code_lines(text).iter().flat_map(|(_, line)| [line.trim(), " "]).collect();
    let mut named = Vec::new();
    for root in ["std", "tokio"] {
        for (at, _) in code.match_indices(root) {
            let before = code.get(..at).and_then(|c| c.chars().next_back());
            let after = code.get(at + root.len()..).unwrap_or_default();
            let in_path = !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '"' | ':'));
            if in_path && after.starts_with("::") {
                expand(root, after, &mut named);
            }
        }
    }
    let banned = |path: &&&str| {
        named.iter().any(|n: &String| {
            let below = n.strip_prefix(**path).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
            // `use std::time::*` and `use std::time` reach what is banned below.
            let above = n.strip_suffix("::*").or(n.strip_suffix("::self")).unwrap_or(n);
            let above = above != "std" && path.strip_prefix(above).is_some_and(|rest| rest.starts_with("::"));
            below || above
        })
    };
    BANNED_PATHS.iter().filter(banned).copied().collect()
}

/// Writes out a path or `use` tree: `std` and `::{net::{A, B}, time}` are `std::net::A`, `std::net::B`, `std::time`.
fn expand(prefix: &str, rest: &str, out: &mut Vec<String>) {
    let Some(rest) = rest.strip_prefix("::") else {
        out.push(prefix.to_owned());
        return;
    };
    let rest = rest.trim_start();
    if let Some(inner) = rest.strip_prefix('{') {
        let mut depth = 0;
        let mut start = 0;
        for (at, c) in inner.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    let part = inner.get(start..at).unwrap_or_default().trim();
                    if !part.is_empty() {
                        expand(prefix, &format!("::{part}"), out);
                    }
                    start = at + 1;
                    if c == '}' {
                        return;
                    }
                }
                _ => {}
            }
        }
        return;
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*').unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    expand(&format!("{prefix}::{name}"), after, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(text: &str) -> Vec<&'static str> {
        banned_uses(text).into_iter().collect()
    }

    #[test]
    fn clocks_sockets_and_threads_are_found() {
        assert_eq!(uses("let now = std::time::Instant::now();"), ["std::time::Instant"]);
        assert_eq!(uses("use std::{net::{SocketAddr, UdpSocket}, time::Duration};"), ["std::net::UdpSocket"]);
        assert_eq!(uses("use std::{\n    thread,\n    sync::Arc,\n};"), ["std::thread"]);
        assert_eq!(uses("use std::time::*;"), ["std::time::Instant", "std::time::SystemTime"]);
        assert_eq!(uses("async fn f() { tokio::spawn(g()); }"), ["tokio"]);
    }

    #[test]
    fn what_is_allowed_is_not_found() {
        assert!(uses("use std::{net::SocketAddr, time::Duration, collections::{HashMap, VecDeque}};").is_empty());
        assert!(uses("// std::thread::spawn\nuse weft_core::Instant;\nuse crate::time::Instant;").is_empty());
        assert!(uses("#[cfg(test)]\nmod tests { use std::time::Instant; }").is_empty());
    }
}
