//! `cargo xtask layers`: which crate may use which (ARCHITECTURE.md).

use serde::{Deserialize, Serialize};

use crate::{Outcome, Result, shell};

/// The arrows: a crate of `crates/` and the crates of ours that it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("weft-core", &[]),
    ("weft-sdp", &["weft-core"]),
    ("weft-stun", &["weft-core"]),
    ("weft-ice", &["weft-core", "weft-stun"]),
    ("weft-dtls", &["weft-core"]),
    ("weft-sctp", &["weft-core"]),
    ("weft-net", &["weft-core"]),
    ("weft-rtc", &["weft-core", "weft-sdp", "weft-stun", "weft-ice", "weft-dtls", "weft-sctp", "weft-net"]),
    ("weft-cli", &["weft-core", "weft-net", "weft-rtc"]),
    ("weft-godot", &["weft-core", "weft-rtc"]),
    ("weft-testkit", &["weft-core", "weft-stun"]),
];

/// Only tests use it.
const TEST_KIT: &str = "weft-testkit";

/// Other stacks are measured and tested against, outside `crates/`, and are never a part of ours.
const FOREIGN: &[&str] = &[
    "datachannel",
    "dcsctp",
    "dimpl",
    "interceptor",
    "librice",
    "openssl",
    "rtc",
    "rtp",
    "sctp-proto",
    "sdp",
    "str0m",
];
const FOREIGN_FAMILIES: &[&str] =
    &["webrtc", "rtc-", "datachannel-", "dcsctp-", "str0m-", "stun", "turn", "libdatachannel"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: std::path::PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[derive(clap::Args)]
pub(crate) struct Command {
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    crates: usize,
    arrows: usize,
    faults: Vec<String>,
}

impl Command {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let text = shell::output(shell::cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
        let metadata: Metadata = serde_json::from_str(&text)?;
        let mut report = Report { ok: true, crates: 0, arrows: 0, faults: Vec::new() };
        for package in &metadata.packages {
            let in_crates = package.manifest_path.starts_with(crate::root().join("crates"));
            if in_crates {
                report.crates += 1;
                report.arrows += check(package, &mut report.faults);
            } else if package.name == "xtask" {
                let ours = package.dependencies.iter().filter(|d| d.name.starts_with("weft-"));
                report.faults.extend(ours.map(|d| format!("xtask uses {}: it only runs commands", d.name)));
            }
        }
        report.ok = report.faults.is_empty();
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            for fault in &report.faults {
                println!("error: {fault}");
            }
        }
        Ok(Outcome::new(report.ok, format!("{} crates, {} arrows between them", report.crates, report.arrows)))
    }
}

/// Checks one crate's dependencies; how many of them are ours.
fn check(package: &Package, faults: &mut Vec<String>) -> usize {
    let name = package.name.as_str();
    let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
        faults.push(format!("{name} has no row in xtask/src/layers.rs"));
        return 0;
    };
    let mut arrows = 0;
    for dependency in &package.dependencies {
        let to = dependency.name.as_str();
        let only_tests = dependency.kind.as_deref() == Some("dev");
        if is_foreign(to) {
            faults.push(format!("{name} -> {to}: another stack, which only interop, conformance and benches may use"));
        }
        if !to.starts_with("weft-") {
            continue;
        }
        arrows += 1;
        let tests_itself = only_tests && (to == TEST_KIT || to == name);
        if !allowed.contains(&to) && !tests_itself {
            let kind = dependency.kind.as_deref().unwrap_or("normal");
            faults.push(format!("{name} -> {to} ({kind} dependency): not one of {}", allowed.join(", ")));
        }
    }
    arrows
}

fn is_foreign(name: &str) -> bool {
    FOREIGN.contains(&name) || FOREIGN_FAMILIES.iter().any(|family| name.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(name: &str, to: &str, kind: Option<&str>) -> Vec<String> {
        let dependency = Dependency { name: to.to_owned(), kind: kind.map(str::to_owned) };
        let package = Package { name: name.to_owned(), manifest_path: "".into(), dependencies: vec![dependency] };
        let mut faults = Vec::new();
        check(&package, &mut faults);
        faults
    }

    #[test]
    fn arrows_point_down() {
        assert!(faults("weft-ice", "weft-stun", None).is_empty());
        assert!(faults("weft-rtc", "weft-sctp", None).is_empty());
        assert_eq!(faults("weft-stun", "weft-ice", None).len(), 1);
        assert_eq!(faults("weft-sctp", "weft-dtls", Some("dev")).len(), 1);
        assert_eq!(faults("weft-unheard-of", "weft-core", None).len(), 1);
    }

    #[test]
    fn the_test_kit_is_for_tests() {
        assert!(faults("weft-sctp", "weft-testkit", Some("dev")).is_empty());
        assert_eq!(faults("weft-sctp", "weft-testkit", None).len(), 1);
    }

    #[test]
    fn other_stacks_stay_outside() {
        for foreign in ["webrtc-sctp", "str0m", "stun", "sdp", "rtc-ice", "dcsctp"] {
            assert_eq!(faults("weft-rtc", foreign, Some("dev")).len(), 1, "{foreign}");
        }
        assert!(faults("weft-rtc", "bytes", None).is_empty());
    }
}
