//! The section of BENCHMARKS.md: what was measured beside what is wanted.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Result;
use super::report::{All, FAILED, machine, number};

const BEGIN: &str = "<!-- cargo xtask bench stack writes from here -->";
const END: &str = "<!-- to here -->";

/// Stacks that are columns, in this order.
const STACKS: [&str; 5] = ["weft", "weft-polled", "str0m", "webrtc", "datachannel"];

/// A row about throughput: the case, what it is called, and what is wanted of it.
struct Row {
    case: &'static str,
    name: &'static str,
    wanted: &'static str,
    /// Whether `stack` reaches that, and what it comes to.
    judge: fn(&All<'_>, &str) -> Option<(bool, String)>,
}

const ROWS: &[Row] = &[
    Row {
        case: "64KiB",
        name: "64 KiB messages",
        wanted: "≤ 2.5 (≥ 500), ≤ 1/5 of the best other",
        judge: |all, stack| bulk(all, stack, "64KiB", 2.5, 500.0),
    },
    Row {
        case: "1200B",
        name: "1200 B messages",
        wanted: "≤ 4 (≥ 300), ≤ 1/5 of the best other",
        judge: |all, stack| bulk(all, stack, "1200B", 4.0, 300.0),
    },
    Row {
        case: "100B",
        name: "100 B messages",
        wanted: "≥ 1.2 million a second, ≤ 1.5 µs each, ≤ 1/4 of the best other",
        judge: |all, stack| {
            let each = figure(all, stack, "100B", "cpu_microseconds_per_message")?;
            let rate = figure(all, stack, "100B", "messages_per_second")? / 1e6;
            let best = best_other(all, "100B", "cpu_microseconds_per_message");
            let met = each <= 1.5 && rate >= 1.2 && best.is_none_or(|best| each <= best / 4.0);
            Some((met, format!("{rate:.2} million at {each:.2} µs{}", share(each, best))))
        },
    },
    Row {
        case: "channels-8",
        name: "8 channels at once, 64 KiB",
        wanted: "within 10 % of one channel",
        judge: |all, stack| beside(all, stack, "channels-8", 0.9),
    },
    Row {
        case: "channels-100",
        name: "100 channels at once, 64 KiB",
        wanted: "within 10 % of one channel",
        judge: |all, stack| beside(all, stack, "channels-100", 0.9),
    },
    Row {
        case: "connections-100",
        name: "100 connections at once, 64 KiB",
        wanted: "within 20 % of one",
        judge: |all, stack| beside(all, stack, "connections-100", 0.8),
    },
    Row { case: "no-offload", name: "64 KiB, segmentation offload off", wanted: "", judge: |_, _| None },
    Row {
        case: "relayed",
        name: "the same through coturn on this machine (our CPU)",
        wanted: "≤ 1.25 × the row above",
        judge: |all, stack| {
            let direct = figure(all, stack, "no-offload", "cpu_seconds_per_gib")?;
            let ratio = figure(all, stack, "relayed", "cpu_seconds_per_gib")? / direct;
            Some((ratio <= 1.25, format!("{ratio:.2} ×")))
        },
    },
];

fn figure(all: &All<'_>, stack: &str, case: &str, key: &str) -> Option<f64> {
    number(all.get(stack)?.get(case)?, key)
}

/// Whether `stack` was asked for that, and could not.
fn has_failed(all: &All<'_>, stack: &str, case: &str) -> bool {
    all.get(stack).and_then(|of| of.get(case)).and_then(Value::as_str) == Some(FAILED)
}

/// A cell, bold where the stack failed; empty where it does not take part.
fn cell(all: &All<'_>, stack: &str, case: &str, text: Option<String>) -> String {
    text.unwrap_or_else(|| if has_failed(all, stack, case) { marked(false, FAILED) } else { String::new() })
}

/// The least of other stacks.
fn best_other(all: &All<'_>, case: &str, key: &str) -> Option<f64> {
    let others = STACKS.iter().filter(|stack| !stack.starts_with("weft"));
    others.filter_map(|stack| figure(all, stack, case, key)).min_by(f64::total_cmp)
}

fn share(ours: f64, best: Option<f64>) -> String {
    best.map_or(String::new(), |best| format!(", 1/{:.1}", best / ours))
}

fn bulk(all: &All<'_>, stack: &str, case: &str, most_cpu: f64, least_rate: f64) -> Option<(bool, String)> {
    let cpu = figure(all, stack, case, "cpu_seconds_per_gib")?;
    let rate = figure(all, stack, case, "mib_per_second")?;
    let best = best_other(all, case, "cpu_seconds_per_gib");
    let met = cpu <= most_cpu && rate >= least_rate && best.is_none_or(|best| cpu <= best / 5.0);
    Some((met, share(cpu, best).trim_start_matches(", ").to_owned()))
}

fn beside(all: &All<'_>, stack: &str, case: &str, least: f64) -> Option<(bool, String)> {
    let ratio = figure(all, stack, case, "mib_per_second")? / figure(all, stack, "64KiB", "mib_per_second")?;
    Some((ratio >= least, format!("{:+.0} %", (ratio - 1.0) * 100.0)))
}

/// Bold where a target is missed.
fn marked(met: bool, text: &str) -> String {
    if met { text.to_owned() } else { format!("**{text}**") }
}

fn throughput(all: &All<'_>, stacks: &[&str]) -> String {
    let mut out = format!("| CPU-s/GiB (MiB/s) | {} | wanted | what that came to |\n", stacks.join(" | "));
    let _ = writeln!(out, "|{}", "---|".repeat(stacks.len() + 3));
    for row in ROWS {
        let _ = write!(out, "| {} |", row.name);
        for stack in stacks {
            let cpu = figure(all, stack, row.case, "cpu_seconds_per_gib");
            let rate = figure(all, stack, row.case, "mib_per_second");
            let text = cpu.zip(rate).map(|(cpu, rate)| format!("{cpu:.2} ({rate:.0})"));
            let _ = write!(out, " {} |", cell(all, stack, row.case, text));
        }
        let came: Vec<String> = ["weft", "weft-polled"]
            .iter()
            .filter_map(|stack| (row.judge)(all, stack).map(|(met, text)| (stack, met, text)))
            .map(|(stack, met, text)| marked(met, &format!("{stack}: {}", if text.is_empty() { "met" } else { &text })))
            .collect();
        let _ = writeln!(out, " {} | {} |", row.wanted, came.join("; "));
    }
    out
}

/// One line of the table of round trips, and how many times as long as bare UDP it took where there is that to compare with.
fn trip(out: &mut String, name: &str, value: Option<&Value>, times_bare: Option<f64>) {
    let Some(value) = value else { return };
    let figures = number(value, "p50").zip(number(value, "p99")).zip(number(value, "cpu"));
    let Some(((p50, p99), cpu)) = figures else {
        let _ = writeln!(out, "| {name} | {} | | |", marked(false, FAILED));
        return;
    };
    let ratio =
        times_bare.map_or(String::new(), |times| format!(" = {}", marked(times <= 1.6, &format!("{times:.2} ×"))));
    let _ = writeln!(out, "| {name} | {p50:.1} µs{ratio} | {p99:.1} µs | {cpu:.1} µs |");
}

/// What was measured by turns with bare UDP, and that first, if it is `named`.
fn by_turns(out: &mut String, named: Option<&str>, name: &str, value: Option<&Value>) {
    if let Some(named) = named {
        trip(out, named, value.and_then(|value| value.get("bare")), None);
    }
    trip(out, name, value, value.and_then(|value| number(value, "times_bare")));
}

fn round_trips(all: &All<'_>) -> String {
    let case = |stack: &str| all.get(stack).and_then(|of| of.get("round-trip"));
    let mut out = "| 100 B round trip | p50 (wanted: 1.6 × bare) | p99 | CPU |\n|---|---|---|---|\n".to_owned();
    by_turns(&mut out, Some("bare UDP, tokio, by turns of 20 ms with the next row"), "weft", case("weft"));
    by_turns(
        &mut out,
        Some("bare UDP, tokio, a runtime of one thread for each end, by turns with the next row"),
        "weft, a runtime of one thread for each end",
        case("weft-apart"),
    );
    by_turns(&mut out, None, "the same with `busy_poll` of 50 µs, to bare UDP that sleeps", case("weft-awake"));
    trip(&mut out, "bare UDP, blocking sockets, a thread for each end", case("bare-udp"), None);
    let polled = case("weft-polled");
    let p50 = |value: Option<&Value>| value.and_then(|value| number(value, "p50"));
    let to_bare = p50(polled).zip(p50(case("bare-udp"))).map(|(ours, bare)| ours / bare);
    trip(&mut out, "weft-polled, a thread for each end that polls without rest", polled, to_bare);
    for stack in STACKS.iter().filter(|stack| !stack.starts_with("weft")) {
        trip(&mut out, &format!("`{stack}`"), case(stack), None);
    }
    out
}

fn setups(all: &All<'_>) -> String {
    let case = |stack: &str| all.get(stack).and_then(|of| of.get("setup"));
    let mut out =
        "| new to channel open on both sides, certificates included | p50 (wanted: 3 ms) | p99 | CPU for a pair (wanted: half \
         of the best other) |\n|---|---|---|---|\n"
            .to_owned();
    let best = best_other(all, "setup", "cpu");
    for stack in STACKS {
        let Some(value) = case(stack) else { continue };
        let figures = number(value, "p50").zip(number(value, "p99")).zip(number(value, "cpu"));
        let Some(((p50, p99), cpu)) = figures else {
            let _ = writeln!(out, "| {stack} | {} | | |", marked(false, FAILED));
            continue;
        };
        let ours = stack.starts_with("weft");
        let p50 = marked(!ours || p50 <= 3.0, &format!("{p50:.2} ms"));
        let cpu = marked(!ours || best.is_none_or(|best| cpu <= best / 2.0), &format!("{cpu:.2} ms"));
        let _ = writeln!(out, "| {stack} | {p50} | {p99:.2} ms | {cpu} |");
    }
    out
}

fn browsers(all: &All<'_>) -> String {
    let rate = |stack: &str, case: &str| figure(all, stack, case, "mib_per_second");
    let mut out = String::new();
    for (case, name) in
        [("chromium-receives", "Chromium receives, 64 KiB"), ("chromium-sends", "Chromium sends, 64 KiB")]
    {
        let Some(with_us) = rate("weft", case) else { continue };
        let alone = rate("chromium", case);
        if out.is_empty() {
            out.push_str("| MiB/s | Chromium with weft | Chromium with itself (wanted: no more) |\n|---|---|---|\n");
        }
        let with_us = marked(alone.is_none_or(|alone| with_us >= alone), &format!("{with_us:.0}"));
        let alone = cell(all, "chromium", case, alone.map(|rate| format!("{rate:.0}")));
        let _ = writeln!(out, "| {name} | {with_us} | {alone} |");
    }
    out
}

fn stdout_of(program: &str, args: &[&str]) -> Option<String> {
    let out = Command::new(program).args(args).output().ok().filter(|out| out.status.success())?;
    Some(String::from_utf8(out.stdout).ok()?.trim().to_owned())
}

/// The tree that was measured.
fn commit() -> String {
    let head = stdout_of("git", &["rev-parse", "--short", "HEAD"]);
    // What is written by a measurement is no change of what was measured.
    let status = ["status", "--porcelain", "--untracked-files=no", ":/", ":!/BENCHMARKS.md", ":!/benches/plots"];
    let changed = stdout_of("git", &status).is_some_and(|out| !out.is_empty());
    head.map_or("?".to_owned(), |head| if changed { format!("{head}, with changes") } else { head })
}

/// What measures all columns there are.
fn command(all: &All<'_>) -> String {
    let every = ["str0m", "webrtc", "datachannel", "chromium"].map(|stack| format!(" --peer {stack}")).concat();
    format!("cargo xtask bench stack{}", if all.contains_key("datachannel") { every } else { String::new() })
}

/// The section, without its heading.
fn section(all: &All<'_>, seconds: f64, rounds: u32) -> String {
    let stacks: Vec<&str> = STACKS.into_iter().filter(|stack| all.contains_key(stack)).collect();
    let date = stdout_of("date", &["+%Y-%m-%d"]).unwrap_or_default();
    let parts = [
        format!(
            "Written by `{}{}` on {date} at commit {}: {}; each measurement in a process of its own, {seconds} s \
             after one of warming up{}. In bold what misses what is wanted.",
            command(all),
            if rounds > 1 { format!(" --rounds {rounds}") } else { String::new() },
            commit(),
            machine(),
            if rounds > 1 { format!(", the median of {rounds} rounds") } else { String::new() },
        ),
        throughput(all, &stacks),
        round_trips(all),
        setups(all),
        browsers(all),
    ];
    parts.iter().map(|part| part.trim_end()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Puts the section between its marks.
pub(crate) fn write(path: &Path, all: &All<'_>, seconds: f64, rounds: u32) -> Result<()> {
    let text = fs::read_to_string(path)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("BENCHMARKS.md has no mark where the section begins")?;
    let (_, after) = rest.split_once(END).ok_or("BENCHMARKS.md has no mark where the section ends")?;
    Ok(fs::write(path, format!("{before}{BEGIN}\n{}\n{END}{after}", section(all, seconds, rounds)))?)
}
