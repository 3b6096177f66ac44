//! Does `weft doctor` call each NAT what it is?

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;
use serde_json::Value;

use super::theory::Nat;
use super::topology::{SECOND_SERVER, SERVER, Side, Topology};
use crate::coturn::{Auth, Coturn, USER};
use crate::namespaces::prefix;

/// What the doctor is to say of a NAT: mapping, filtering, transports with a relay, and a part of its verdict.
struct Expected {
    mapping: Option<&'static str>,
    filtering: Option<&'static str>,
    relays: &'static [&'static str],
    verdict: &'static str,
}

const fn expected(nat: Nat) -> Expected {
    const INDEPENDENT: Option<&str> = Some("endpoint-independent");
    const DEPENDENT: Option<&str> = Some("address-and-port-dependent");
    let (mapping, filtering, verdict) = match nat {
        Nat::FullCone => (INDEPENDENT, INDEPENDENT, "keeps one port for all destinations and lets strangers answer"),
        Nat::AddressRestricted => {
            (INDEPENDENT, Some("address-dependent"), "keeps one port for all destinations and lets strangers answer")
        }
        Nat::PortRestricted => (INDEPENDENT, DEPENDENT, "keeps one port for all destinations: "),
        Nat::Symmetric => (DEPENDENT, DEPENDENT, "is symmetric"),
        Nat::UdpBlocked => (None, None, "UDP does not pass here: connections go through the relay over T"),
    };
    let blocked = matches!(nat, Nat::UdpBlocked);
    Expected { mapping, filtering, relays: if blocked { &["TCP", "TLS"] } else { &["UDP", "TCP", "TLS"] }, verdict }
}

/// What was said of a NAT.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// The NAT.
    pub nat: Nat,
    /// How it was said to map.
    pub mapping: Option<String>,
    /// How it was said to filter.
    pub filtering: Option<String>,
    /// Relays, and until they were there: transport and milliseconds.
    pub relays: Vec<(String, f64)>,
    /// The doctor's sentence.
    pub verdict: String,
    /// What is wrong with all that.
    pub faults: Vec<String>,
}

/// Puts `weft` behind each NAT.
///
/// # Errors
/// Without root, `ip`, `nft`, coturn or `weft`.
pub fn examine(weft: &Path, progress: impl Fn(&Diagnosis)) -> io::Result<Vec<Diagnosis>> {
    let topology = Topology::new(&prefix("d"))?;
    let ip = SERVER.parse().map_err(io::Error::other)?;
    // With a second address it speaks RFC 5780.
    let second = format!("--listening-ip={SECOND_SERVER}");
    let server =
        Coturn::start_in(Some(&topology.server()), ip, Auth::LongTerm, &[&second]).map_err(io::Error::other)?;
    let certificate = server.certificate_file()?;
    let mut all = Vec::new();
    for nat in Nat::ALL {
        topology.set_nat(Side::A, nat)?;
        let diagnosis = ask(weft, &topology.client(Side::A), &certificate, nat)?;
        progress(&diagnosis);
        all.push(diagnosis);
    }
    Ok(all)
}

fn ask(weft: &Path, namespace: &str, certificate: &Path, nat: Nat) -> io::Result<Diagnosis> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(weft).args([
        "doctor",
        "--json",
        "--stun",
        &format!("stun:{SERVER}"),
    ]);
    command.args(["--turn", &format!("turn:{SERVER}"), "--turn", &format!("turns:{SERVER}")]);
    command.args(["--username", USER.0, "--password", USER.1, "--ca"]).arg(certificate);
    let output = command.stdin(Stdio::null()).output()?;
    let report: Value = serde_json::from_slice(&output.stdout).map_err(|_| {
        io::Error::other(format!("{}: {}", weft.display(), String::from_utf8_lossy(&output.stderr).trim()))
    })?;
    Ok(judge(nat, &report, output.status.success()))
}

fn judge(nat: Nat, report: &Value, succeeded: bool) -> Diagnosis {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let first = report.get("nat").and_then(|all| all.get(0));
    let relays = report
        .get("relays")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|relay| Some((text(relay.get("transport"))?, relay.get("ms")?.as_f64()?)));
    let mut diagnosis = Diagnosis {
        nat,
        mapping: text(first.and_then(|nat| nat.get("mapping"))),
        filtering: text(first.and_then(|nat| nat.get("filtering"))),
        relays: relays.collect(),
        verdict: text(report.get("verdict")).unwrap_or_default(),
        faults: Vec::new(),
    };
    let expected = expected(nat);
    let mut faults = Vec::new();
    if diagnosis.mapping.as_deref() != expected.mapping {
        faults.push(format!("mapping {:?}, not {:?}", diagnosis.mapping, expected.mapping));
    }
    if diagnosis.filtering.as_deref() != expected.filtering {
        faults.push(format!("filtering {:?}, not {:?}", diagnosis.filtering, expected.filtering));
    }
    if !diagnosis.relays.iter().map(|(transport, _)| transport.as_str()).eq(expected.relays.iter().copied()) {
        faults.push(format!("relays {:?}, not {:?}: {}", diagnosis.relays, expected.relays, report["relays"]));
    }
    if !diagnosis.verdict.contains(expected.verdict) {
        faults.push(format!("says {:?}, not {:?}", diagnosis.verdict, expected.verdict));
    }
    // Servers that cannot be used are a failure, and only they.
    if succeeded == (nat == Nat::UdpBlocked) {
        faults.push(format!("ended with {}", if succeeded { "success" } else { "failure" }));
    }
    diagnosis.faults = faults;
    diagnosis
}
