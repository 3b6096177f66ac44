//! What was measured, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

/// What was measured, by stack and case.
pub(crate) type All<'a> = BTreeMap<&'a str, BTreeMap<&'a str, Value>>;

/// The machine that was measured on.
pub(crate) fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("?", |m| m.1);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let buffer = fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    // What follows a dash is the distributor's.
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    format!("{cores} × {model}, Linux {kernel}, net.core.rmem_max {}", buffer.trim())
}

pub(crate) fn number(value: &Value, key: &str) -> Option<f64> {
    value.get(key)?.as_f64()
}

/// Stands for what a stack should have given.
pub(crate) const FAILED: &str = "failed";

/// One measurement in a line.
pub(crate) fn line(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(rate) = number(value, "mib_per_second") {
        if number(value, "cpu_seconds_per_gib").is_none() {
            return format!("{rate:8.1} MiB/s");
        }
        let of = |key| number(value, key).unwrap_or_default();
        return format!(
            "{rate:8.1} MiB/s {:7.2} CPU-s/GiB {:10.0} messages/s {:8.2} µs CPU each",
            of("cpu_seconds_per_gib"),
            of("messages_per_second"),
            of("cpu_microseconds_per_message")
        );
    }
    let unit = value.get("unit").and_then(Value::as_str).unwrap_or_default();
    let of = |key| number(value, key).unwrap_or_default();
    let figures = format!("p50 {:.2} {unit}, p99 {:.2} {unit}, CPU {:.2} {unit}", of("p50"), of("p99"), of("cpu"));
    match (number(value, "times_bare"), value.get("bare")) {
        (Some(times), Some(bare)) => format!("{figures}: {times:.2} × bare UDP by turns with it ({})", line(bare)),
        _ => figures,
    }
}

/// The figure by which stacks are compared, the smaller the better: CPU for what was moved, a time, or how long a byte
/// takes where a browser is at one end.
fn cost(case: &str, value: &Value) -> Option<f64> {
    if case.starts_with("chromium") {
        return number(value, "mib_per_second").map(f64::recip);
    }
    number(value, "cpu_seconds_per_gib").or_else(|| number(value, "p50"))
}

/// Of what several rounds gave, the one in the middle, or the lower of the two there: by what it is judged by.
pub(crate) fn median(case: &str, mut rounds: Vec<Value>) -> Option<Value> {
    let key = |value: &Value| number(value, "times_bare").or_else(|| cost(case, value)).unwrap_or(f64::INFINITY);
    rounds.sort_by(|a, b| key(a).total_cmp(&key(b)));
    let middle = rounds.len().saturating_sub(1) / 2;
    rounds.into_iter().nth(middle)
}

/// A table in Markdown, with the ratio of each stack's cost to ours.
pub(crate) fn table(all: &All<'_>, notes: &BTreeMap<&str, &str>) -> String {
    let mut out = format!("{}\n\n| case | stack | measured | cost, of ours |\n|---|---|---|---|\n", machine());
    let mut cases: Vec<&str> = Vec::new();
    for case in super::CASES {
        if all.values().any(|by_case| by_case.contains_key(case.name)) {
            cases.push(case.name);
        }
    }
    for case in cases {
        let ours = all.get("weft").and_then(|of| of.get(case)).and_then(|value| cost(case, value));
        for (stack, of) in all {
            let Some(value) = of.get(case) else { continue };
            // What is ours by turns with it says more than another process.
            let theirs = cost(case, value).filter(|_| *stack != "bare-udp");
            let ratio = ours.zip(theirs).map_or(String::new(), |(ours, theirs)| format!("{:.2} ×", theirs / ours));
            let _ = writeln!(out, "| {case} | {stack} | {} | {ratio} |", line(value).trim());
        }
    }
    let _ = writeln!(out);
    for (stack, note) in notes {
        let _ = writeln!(out, "- {stack}: {note}");
    }
    out
}
