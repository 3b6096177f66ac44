//! `cargo xtask examples`: every example there is runs to its end.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Outcome, Result, root, shell};

/// An example has fewer lines: one screen after the other is read, more is not copied.
const MAX_LINES: usize = 150;
/// How long one may run.
const PATIENCE: Duration = Duration::from_secs(60);

/// Those that have to be shorter still.
const SHORT: &[(&str, usize)] = &[("sans_io_loop", 120)];

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
    ("weft-ice", "gather"),
    ("weft-ice", "udp"),
    ("weft-ice", "shared"),
    ("weft-dtls", "sans_io"),
    ("weft-sctp", "pair"),
    ("weft-sctp", "throughput"),
    ("weft-sctp", "over_udp"),
];

/// Package, server and client: both take an address, and the server sends back what the client reads from its input.
const SERVED: &[(&str, &str, &str)] = &[("weft-dtls", "udp_server", "udp_client")];

/// Builds and runs all of them.
pub(crate) fn run(quiet: bool) -> Result<Outcome> {
    // All at once: they are what `cargo test` has built already.
    if !shell::run(shell::cargo().args(["build", "--examples"]), quiet)? {
        return Ok(Outcome::new(false, "the examples do not build".to_owned()));
    }
    let found = found()?;
    let mut failed = faults(&found);
    for fault in &failed {
        eprintln!("{fault}");
    }
    for (_, name) in EXAMPLES {
        if !finishes(name, start(name, &[])?)? {
            failed.push((*name).to_owned());
        }
    }
    for (_, server, client) in SERVED {
        if !is_served(server, client)? {
            failed.push(format!("{server} with {client}"));
        }
    }
    let summary = match failed.as_slice() {
        [] => format!("{} examples ran", found.len()),
        failed => format!("failed: {}", failed.join(", ")),
    };
    Ok(Outcome::new(failed.is_empty(), summary))
}

/// Package, name and lines of every example there is.
fn found() -> Result<Vec<(String, String, usize)>> {
    let mut found = Vec::new();
    for directory in fs::read_dir(root().join("crates"))? {
        let directory = directory?;
        let package = format!("weft-{}", directory.file_name().to_string_lossy());
        let Ok(examples) = fs::read_dir(directory.path().join("examples")) else { continue };
        for example in examples {
            let path = example?.path();
            // A directory has what several of them share.
            if let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|end| end == "rs")) {
                let lines = fs::read_to_string(&path)?.lines().count();
                found.push((package.clone(), name.to_string_lossy().into_owned(), lines));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Examples that are too long, that nobody runs, that are not there, or that cargo builds to the same file.
fn faults(found: &[(String, String, usize)]) -> Vec<String> {
    let served = SERVED.iter().flat_map(|(package, server, client)| [(*package, *server), (*package, *client)]);
    let mut listed: BTreeSet<_> = EXAMPLES.iter().copied().chain(served).collect();
    let mut faults = Vec::new();
    for (package, name, lines) in found {
        let limit = SHORT.iter().find(|(short, _)| short == name).map_or(MAX_LINES, |(_, limit)| *limit);
        if *lines >= limit {
            faults.push(format!("{package} {name}: {lines} lines, not under {limit}"));
        }
        if !listed.remove(&(package.as_str(), name.as_str())) {
            faults.push(format!("{package} {name}: is not run, list it in {}", file!()));
        }
    }
    let mut names = BTreeSet::new();
    let twice = found.iter().filter(|(_, name, _)| !names.insert(name));
    faults.extend(twice.map(|(package, name, _)| format!("{package} {name}: another example has this name")));
    faults.extend(listed.into_iter().map(|(package, name)| format!("{package} {name}: is not there")));
    faults
}

fn binary(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    target.join("debug/examples").join(name)
}

fn start(name: &str, arguments: &[&str]) -> Result<Child> {
    eprintln!("$ {name} {}", arguments.join(" "));
    let mut command = Command::new(binary(name));
    Ok(command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?)
}

fn finishes(name: &str, mut child: Child) -> Result<bool> {
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

/// Whether the client prints what it was given, by way of the server.
fn is_served(server: &str, client: &str) -> Result<bool> {
    let address = format!("127.0.0.1:{}", 20_000 + std::process::id() % 10_000);
    let mut serving = start(server, &[&address])?;
    eprintln!("$ {client} {address}");
    let mut asking = Command::new(binary(client)).arg(&address).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let given = asking.stdin.take().map(|mut input| input.write_all(b"hello\n"));
    let output = asking.stdout.take();
    let finished = finishes(client, asking)?;
    serving.kill()?;
    serving.wait()?;
    let printed = output.map(std::io::read_to_string).transpose()?.unwrap_or_default();
    given.transpose()?;
    Ok(finished && printed.contains("hello"))
}

#[cfg(test)]
mod tests {
    use super::faults;

    #[test]
    fn what_is_long_or_not_run_is_named() {
        let all = super::found().unwrap();
        assert_eq!(faults(&all), Vec::<String>::new());
        let with = |name: &str, lines| {
            let mut all = all.clone();
            all.retain(|(_, known, _)| known != name);
            all.push(("weft-rtc".to_owned(), name.to_owned(), lines));
            faults(&all)
        };
        assert_eq!(with("chat", 149), Vec::<String>::new());
        assert_eq!(with("read", 10).len(), 2, "in another package");
        for (name, lines) in [("chat", 150), ("sans_io_loop", 120), ("new", 10)] {
            assert_eq!(with(name, lines).len(), 1, "{name}");
        }
        assert_eq!(faults(&all[1..]).len(), 1, "one is not there");
    }
}
