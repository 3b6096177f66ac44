//! The report for people.

use super::{Behaviour, NatReport, RelayReport, Report};

pub(super) fn print(report: &Report) {
    println!("interfaces");
    for interface in &report.interfaces {
        let used = if interface.used { "" } else { "  (not used)" };
        println!("  {:<12} {}/{}{used}", interface.name, interface.ip, interface.prefix);
    }
    println!("\ncandidates, gathered in {:.0} ms", report.gathering.ms);
    for found in &report.gathering.candidates {
        println!("  {:>7.1} ms  {}", found.ms, found.candidate.trim_start_matches("candidate:"));
    }
    for refused in &report.gathering.errors {
        let (server, local) = (refused.server.as_deref().unwrap_or("?"), refused.local.as_deref().unwrap_or("?"));
        println!("  {:>7.1} ms  no candidate: {server} from {local}: {} {}", refused.ms, refused.code, refused.reason);
    }
    if !report.nat.is_empty() {
        println!("\nNATs");
        report.nat.iter().for_each(nat);
    }
    if !report.relays.is_empty() {
        println!("\nrelays");
        report.relays.iter().for_each(relay);
    }
    println!("\n{}", report.verdict);
}

fn nat(nat: &NatReport) {
    let server = nat.server.map(|server| format!(" ({server})")).unwrap_or_default();
    println!("  {}{server}", nat.url);
    if let (Some(local), Some(mapped), Some(rtt)) = (nat.local, nat.mapped, nat.rtt_ms) {
        println!("    {local} is seen as {mapped}, {rtt:.1} ms there and back");
    }
    let name = |behaviour: Option<Behaviour>| behaviour.map_or("not known", Behaviour::name);
    if nat.mapped.is_some() {
        println!("    mapping {}, filtering {}", name(nat.mapping), name(nat.filtering));
    }
    if let Some(note) = &nat.note {
        println!("    {note}");
    }
}

fn relay(relay: &RelayReport) {
    if let (Some(address), Some(ms)) = (&relay.relayed, relay.ms) {
        println!("  {:<4} {ms:>7.1} ms  {} gives {address}", relay.transport, relay.url);
    } else {
        let why = relay.error.as_deref().unwrap_or("no answer");
        println!("  {:<4}          -  {}: {why}", relay.transport, relay.url);
    }
}
