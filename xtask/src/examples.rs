//! `cargo xtask examples`: every example runs to its end by itself.

use std::time::{Duration, Instant};

use crate::{Outcome, Result, root, shell};

/// Lines of an example at most: one screen after the other is read, more is not copied.
const MAX_LINES: usize = 150;
/// How long one may run.
const PATIENCE: Duration = Duration::from_secs(60);

/// Package and example. Each runs without arguments and fails when it did not work.
const EXAMPLES: &[(&str, &str)] = &[
    ("weft-rtc", "two_peers"),
    ("weft-rtc", "chat"),
    ("weft-rtc", "file_transfer"),
    ("weft-rtc", "echo_server"),
    ("weft-rtc", "sans_io_loop"),
    ("weft-rtc", "game_loop"),
    ("weft-sdp", "read"),
    ("weft-stun", "binding"),
    ("weft-stun", "relay"),
    ("weft-ice", "udp"),
    ("weft-ice", "shared"),
    ("weft-dtls", "sans_io"),
    ("weft-sctp", "pair"),
    ("weft-sctp", "throughput"),
];

/// Builds and runs all of them.
pub(crate) fn run(quiet: bool) -> Result<Outcome> {
    // All at once: they are what `cargo test` has built already.
    if !shell::run(shell::cargo().args(["build", "--examples"]), quiet)? {
        return Ok(Outcome::new(false, "the examples do not build".to_owned()));
    }
    let mut failed = Vec::new();
    for (package, name) in EXAMPLES {
        let directory = package.strip_prefix("weft-").unwrap_or(package);
        let source = std::fs::read_to_string(root().join(format!("crates/{directory}/examples/{name}.rs")))?;
        let lines = source.lines().count();
        if lines > MAX_LINES {
            eprintln!("{package} {name}: {lines} lines, more than {MAX_LINES}");
            failed.push(*name);
            continue;
        }
        if !finishes(name)? {
            failed.push(*name);
        }
    }
    let summary = match failed.as_slice() {
        [] => format!("{} examples ran", EXAMPLES.len()),
        failed => format!("failed: {}", failed.join(", ")),
    };
    Ok(Outcome::new(failed.is_empty(), summary))
}

fn finishes(name: &str) -> Result<bool> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    let binary = target.join("debug/examples").join(name);
    eprintln!("$ {name}");
    let quiet = std::process::Stdio::null;
    let mut child = std::process::Command::new(&binary).stdin(quiet()).stdout(quiet()).spawn()?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if start.elapsed() > PATIENCE {
            eprintln!("{name}: not done within {PATIENCE:?}");
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
