//! `cargo xtask bench counts`: instructions of the main paths, counted by callgrind and held against the baselines in
//! `benches/counts.toml`. One that grows by more than 2 % fails, unless the same commit brings a new baseline.

mod dtls;
mod ice;
mod sctp;
mod stack;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use serde_json::json;

/// Growth that is let pass, as a share: hash seeds and addresses move counts by less.
const TOLERANCE: f64 = 0.02;

/// A path: its name, what one operation is, how many are counted, and the work.
struct Counted {
    name: &'static str,
    unit: &'static str,
    operations: u64,
    /// Does so many operations, each in [`counted`], and returns how many it did.
    run: fn(u64) -> u64,
}

const PATHS: &[Counted] = &[
    Counted { name: "dtls_seal", unit: "record of 1200 B", operations: 5000, run: dtls::seal },
    Counted { name: "dtls_open", unit: "record of 1200 B", operations: 5000, run: dtls::open },
    Counted { name: "dtls_handshake", unit: "handshake, both sides", operations: 20, run: dtls::handshake },
    Counted { name: "ice_check", unit: "check received and answered", operations: 2000, run: ice::check },
    Counted { name: "sctp_send", unit: "data packet of 64 KiB messages", operations: 20_000, run: sctp::send },
    Counted { name: "sctp_receive", unit: "data packet of 64 KiB messages", operations: 20_000, run: sctp::receive },
    Counted { name: "sctp_message_32", unit: "message of 32 B, both ends", operations: 50_000, run: sctp::small },
    Counted {
        name: "sctp_message_32_in_turn",
        unit: "message of 32 B on one of two streams in turn, both ends",
        operations: 50_000,
        run: sctp::small_in_turn,
    },
    Counted {
        name: "stack_packet",
        unit: "data packet of 64 KiB messages, both ends",
        operations: 20_000,
        run: stack::large,
    },
    Counted { name: "stack_message_100", unit: "message of 100 B, both ends", operations: 50_000, run: stack::small },
];

/// Instruction counts of the main paths.
#[derive(Parser)]
struct Args {
    /// Only paths whose name contains this.
    filter: Option<String>,
    /// Write what is counted as the new baselines.
    #[arg(long)]
    write: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Only do the work of this path: what callgrind counts.
    #[arg(long, hide = true)]
    work: Option<String>,
}

/// What is between the start and the end of this is counted, and nothing else.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    std::hint::black_box(work())
}

fn baseline_file() -> PathBuf {
    // Cargo says it to what it runs. What was built elsewhere with the same target directory is not built anew.
    env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
        .join("counts.toml")
}

fn baselines() -> Result<BTreeMap<String, f64>, String> {
    let path = baseline_file();
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(counts: &BTreeMap<String, f64>) -> Result<(), String> {
    let lines: Vec<String> = counts.iter().map(|(name, count)| format!("{name} = {count:.1}\n")).collect();
    let text = "# Instructions for one operation of each path, x86-64 with AES-NI, Rust 1.95, release build.\n\
                # `cargo xtask bench counts` holds the code to them; `--write` makes them anew.\n";
    fs::write(baseline_file(), text.to_owned() + &lines.concat()).map_err(|e| e.to_string())
}

/// Instructions for one operation of `path`.
fn count(path: &Counted) -> Result<f64, String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let out = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counts*counted*"])
        .arg(own)
        .args(["--work", path.name])
        .output()
        .map_err(|e| format!("valgrind: {e} (Debian's package `valgrind`)"))?;
    let (text, done) = (String::from_utf8_lossy(&out.stderr), String::from_utf8_lossy(&out.stdout));
    let total = text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse::<f64>().ok());
    match (total, done.trim().parse::<f64>()) {
        (Some(total), Ok(done)) if total > 0.0 && done > 0.0 => Ok(total / done),
        _ => Err(format!("{}: nothing was counted:\n{text}", path.name)),
    }
}

fn run(args: &Args) -> Result<bool, String> {
    let paths: Vec<&Counted> =
        PATHS.iter().filter(|p| args.filter.as_ref().is_none_or(|f| p.name.contains(f.as_str()))).collect();
    if paths.is_empty() {
        return Err("no path of that name".to_owned());
    }
    let mut known = if args.write && !baseline_file().exists() { BTreeMap::new() } else { baselines()? };
    let (mut ok, mut report) = (true, BTreeMap::new());
    eprintln!("{:<24} {:>12} {:>12} {:>8}", "path", "baseline", "now", "change");
    for path in paths {
        let now = count(path)?;
        let before = known.get(path.name).copied();
        let change = before.map(|before| now / before - 1.0);
        let verdict = match change {
            None => "no baseline",
            Some(change) if change > TOLERANCE => "GREW",
            Some(change) if change < -TOLERANCE => "shrank: lower the baseline with --write",
            Some(_) => "",
        };
        ok &= change.is_some_and(|change| change <= TOLERANCE);
        eprintln!(
            "{:<24} {:>12.1} {now:>12.1} {:>7.2}%  for a {} {verdict}",
            path.name,
            before.unwrap_or_default(),
            change.unwrap_or_default() * 100.0,
            path.unit
        );
        report.insert(path.name, json!({ "instructions": now, "baseline": before, "for_one": path.unit }));
        if args.write {
            known.insert(path.name.to_owned(), now);
        }
    }
    if args.write {
        write(&known)?;
    }
    if args.json {
        println!("{}", json!(report));
    }
    Ok(ok || args.write)
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(name) = &args.work {
        let Some(path) = PATHS.iter().find(|p| p.name == name) else { return ExitCode::FAILURE };
        println!("{}", (path.run)(path.operations));
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
