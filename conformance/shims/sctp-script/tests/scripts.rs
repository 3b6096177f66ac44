//! The scripts in `scripts/`, and the contract of the driver.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod replay;

use std::path::PathBuf;

use replay::{Program, play, scripts};

/// All scripts below a directory of `scripts/`, or only those whose path has `WEFT_SCRIPT` in it.
fn all(dir: &str) -> Vec<PathBuf> {
    let only = std::env::var("WEFT_SCRIPT").unwrap_or_default();
    let entries = std::fs::read_dir(scripts().join(dir)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.retain(|p| p.to_string_lossy().contains(&only));
    paths
}

fn play_all(dir: &str) {
    let mut faults = Vec::new();
    let paths = all(dir);
    for path in &paths {
        if let Err(fault) = play(path) {
            eprintln!("{fault}");
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            eprintln!("replay with: WEFT_SCRIPT={name} cargo test -p weft-sctp-script");
            faults.push(name);
        }
    }
    assert!(faults.is_empty(), "{} of {} scripts failed: {}", faults.len(), paths.len(), faults.join(", "));
}

#[test]
fn setup() {
    play_all("setup");
}

#[test]
fn tags() {
    play_all("tags");
}

#[test]
fn unknown() {
    play_all("unknown");
}

#[test]
fn data() {
    play_all("data");
}

#[test]
fn sender() {
    play_all("sender");
}

#[test]
fn heartbeat() {
    play_all("heartbeat");
}

#[test]
fn partial() {
    play_all("partial");
}

#[test]
fn reset() {
    play_all("reset");
}

#[test]
fn shutdown() {
    play_all("shutdown");
}

#[test]
fn driver() {
    play_all("driver");
}

#[test]
fn commands_are_answered_line_by_line() {
    let mut program = Program::start();
    let answer = program.ask(r#"{"do":"status"}"#);
    assert!(answer["error"].is_string() && answer["state"] == "closed", "{answer}");
    for bad in ["{", "[]", r#"{"do":"dance"}"#, r#"{"do":"new","role":"x"}"#, r#"{"do":"advance"}"#] {
        assert!(program.ask(bad)["error"].is_string(), "{bad}");
    }
    // Unknown keys are ignored, null is the default, and `new` starts afresh.
    let answer = program.ask(
        r#"{"do":"new","role":"connect","x":1,"config":{"y":[2],"mtu":null,"rto_initial_ms":250,"seed":5},"z":null}"#,
    );
    assert!(answer.get("error").is_none(), "{answer}");
    assert_eq!((&answer["now_ms"], &answer["state"]), (&0.into(), &"cookie-wait".into()));
    assert_eq!((answer["packets"].as_array().unwrap().len(), &answer["next_timeout_ms"]), (1, &250.into()));
    let first = answer["packets"][0].clone();
    let answer = program.ask(r#"{"do":"advance","ms":750}"#);
    assert_eq!((&answer["now_ms"], &answer["next_timeout_ms"]), (&750.into(), &1750.into()));
    assert_eq!(answer["packets"].as_array().unwrap().len(), 2, "at 250 ms and at 750 ms");
    assert!(program.ask(r#"{"do":"packet","hex":"0"}"#)["error"].is_string());
    // The same seed gives the same packets, another one others.
    let mut again = |seed: u32| {
        let line = format!(r#"{{"do":"new","role":"connect","config":{{"seed":{seed}}}}}"#);
        program.ask(&line)["packets"][0].clone()
    };
    assert_eq!(again(5), first);
    assert_ne!(again(6), first);
    let answer = program.ask(r#"{"do":"status"}"#);
    assert!(answer["status"]["out_streams"].is_u64() && answer["status"]["in_streams"].is_u64(), "{answer}");
    program.stop();
}

/// The text that others work from is the one the driver obeys: every key of its table is a setting.
#[test]
fn the_contract_names_every_setting() {
    let contract = include_str!("../README.md");
    let source = include_str!("../src/command.rs");
    let settings = source.split("pub struct Settings {").nth(1).unwrap();
    for line in settings.lines().filter_map(|l| l.trim().strip_prefix("pub ")) {
        let name = line.split(':').next().unwrap();
        assert!(contract.contains(&format!("`{name}`")), "{name}");
    }
}
