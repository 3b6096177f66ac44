//! Runs the impairment matrix: every cell with many seeds. `cargo xtask conformance --soak` starts it.
//!
//! Arguments: `--seeds N` (default 20), `--cell TEXT` (only cells whose name holds it), `--seed N` (only this one),
//! `--json`.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use weft_conformance::impairment::{Cell, Outcome, cells, run};

#[derive(Default)]
struct Options {
    seeds: u64,
    only: Option<u64>,
    cell: String,
    json: bool,
}

/// What all runs of a cell came to.
#[derive(Default)]
struct Tally {
    runs: u32,
    failures: Vec<(u64, String)>,
    worst: Outcome,
    seconds: f64,
    sent: u32,
    received: u32,
}

fn options() -> Result<Options, String> {
    let mut options = Options { seeds: 20, ..Options::default() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("{text} is no number"));
        match argument.as_str() {
            "--json" => options.json = true,
            "--cell" => options.cell = value()?,
            "--seeds" => options.seeds = number(value()?)?,
            "--seed" => options.only = Some(number(value()?)?),
            _ => return Err(format!("unknown argument {argument}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("impairment: {error}");
            return ExitCode::from(2);
        }
    };
    let start = Instant::now();
    let chosen: Vec<Cell> = cells().into_iter().filter(|cell| cell.to_string().contains(&options.cell)).collect();
    let tallies = play(&chosen, &options);
    let failures: usize = tallies.iter().map(|(_, tally)| tally.failures.len()).sum();
    let runs: u32 = tallies.iter().map(|(_, tally)| tally.runs).sum();
    report(&tallies, options.json, runs, failures, start.elapsed().as_secs_f64());
    for (cell, tally) in &tallies {
        for (seed, what) in &tally.failures {
            eprintln!("{cell}, seed {seed}: {what}");
            eprintln!("replay with: cargo xtask conformance --soak --cell {cell} --seed {seed}");
        }
    }
    if failures == 0 && runs > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All cells, on as many threads as there are processors.
fn play(chosen: &[Cell], options: &Options) -> Vec<(Cell, Tally)> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(cell) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tally = tally(cell, options);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((*cell, tally));
                    progress(done.len(), chosen.len(), cell);
                }
            });
        }
    });
    let mut tallies = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    tallies.sort_by_key(|(cell, _)| chosen.iter().position(|c| c == cell));
    tallies
}

fn progress(done: usize, all: usize, cell: &Cell) {
    if std::io::stderr().is_terminal() {
        eprint!("\r{done} of {all} cells, {cell}          ");
    } else if done.is_multiple_of(48) || done == all {
        eprintln!("{done} of {all} cells");
    }
}

fn tally(cell: &Cell, options: &Options) -> Tally {
    let mut tally = Tally::default();
    let seeds = options.only.map_or(0..options.seeds, |seed| seed..seed + 1);
    for seed in seeds {
        tally.runs += 1;
        match run(cell, seed) {
            Ok(outcome) => {
                tally.seconds += outcome.seconds;
                tally.worst.longest_stall = tally.worst.longest_stall.max(outcome.longest_stall);
                tally.worst.seconds = tally.worst.seconds.max(outcome.seconds);
                tally.sent += outcome.unreliable_sent;
                tally.received += outcome.unreliable_received;
            }
            Err(what) => tally.failures.push((seed, what)),
        }
    }
    tally
}

fn report(tallies: &[(Cell, Tally)], json: bool, runs: u32, failures: usize, seconds: f64) {
    if json {
        let cells: Vec<_> = tallies.iter().map(|(cell, tally)| as_json(cell, tally)).collect();
        let ok = failures == 0 && runs > 0;
        println!("{}", serde_json::json!({ "ok": ok, "runs": runs, "failures": failures, "cells": cells }));
        return;
    }
    println!(
        "\n{:>6} {:>7} {:>9} {:>14} {:>14} {:>12}",
        "loss", "runs", "failures", "longest stall", "slowest run", "unreliable"
    );
    let mut losses: Vec<u32> = tallies.iter().map(|(cell, _)| cell.loss).collect();
    losses.dedup();
    for loss in losses {
        let of_loss = || tallies.iter().filter(move |(cell, _)| cell.loss == loss).map(|(_, tally)| tally);
        let most = |value: fn(&Tally) -> f64| of_loss().map(value).fold(0.0, f64::max);
        let sum = |value: fn(&Tally) -> u32| of_loss().map(value).sum::<u32>();
        println!(
            "{:>4} % {:>7} {:>9} {:>12.2} s {:>12.1} s {:>10.1} %",
            loss,
            sum(|t| t.runs),
            sum(|t| t.failures.len() as u32),
            most(|t| t.worst.longest_stall),
            most(|t| t.worst.seconds),
            100.0 * f64::from(sum(|t| t.received)) / f64::from(sum(|t| t.sent).max(1)),
        );
    }
    println!("{} cells, {runs} runs, {failures} failures, {seconds:.0} s", tallies.len());
}

fn as_json(cell: &Cell, tally: &Tally) -> serde_json::Value {
    serde_json::json!({
        "loss": cell.loss, "reorder": cell.reorder, "duplicate": cell.duplicate, "corrupt": cell.corrupt,
        "rtt_ms": cell.rtt_ms, "mtu": cell.mtu, "runs": tally.runs,
        "longest_stall_s": tally.worst.longest_stall, "slowest_s": tally.worst.seconds,
        "unreliable_sent": tally.sent, "unreliable_received": tally.received,
        "failures": tally.failures.iter().map(|(seed, what)| serde_json::json!({ "seed": seed, "what": what })).collect::<Vec<_>>(),
    })
}
