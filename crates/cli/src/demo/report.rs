//! What the demonstration found, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use weft_rtc::{PeerConnection, Stats, Timeline};

use super::connect::Pair;
use super::transfer::{Flow, Flows};
use crate::size;

/// The object that `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Payload bytes sent each way.
    bytes: u64,
    /// Whether the BLAKE3 hashes of what was sent and what arrived are equal, both ways.
    pub(super) hash_match: bool,
    /// Milliseconds from the making of the offerer to each step.
    setup_ms: Setup,
    /// Payload of both directions by the time they took, one after the other.
    mib_per_s: f64,
    /// CPU seconds of both peers together for each GiB of payload; null where the system does not tell.
    cpu_s_per_gib: Option<f64>,
    dtls_version: Option<String>,
    dtls_cipher: Option<String>,
    kx_group: Option<String>,
    selected_pair: Option<SelectedPair>,
    #[serde(skip)]
    people: ForPeople,
}

/// When what was there.
#[derive(Clone, Copy, Debug, Serialize)]
struct Setup {
    ice: Option<f64>,
    dtls: Option<f64>,
    sctp: Option<f64>,
    channel_open: Option<f64>,
}

/// The offerer's view of the pair.
#[derive(Clone, Debug, Serialize)]
struct SelectedPair {
    local: String,
    remote: String,
}

/// What only the text tells.
#[derive(Debug)]
struct ForPeople {
    timelines: [Timeline; 2],
    flows: [Row; 2],
    seconds: f64,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    bytes: u64,
    mib_per_s: f64,
    hash: String,
    equal: bool,
}

impl Report {
    pub(super) fn new(bytes: u64, pair: &Pair, flows: &Flows) -> Self {
        let (a, b): (Stats, Stats) = (PeerConnection::stats(&pair.a), pair.b.stats());
        let (to, back) = (&flows.a_to_b, &flows.b_to_a);
        let wall = to.wall + back.wall;
        let moved = to.bytes + back.bytes;
        let cpu = to.cpu.zip(back.cpu).map(|(to, back)| to + back);
        let timeline = &a.timeline;
        Self {
            bytes,
            hash_match: to.hashes_match() && back.hashes_match(),
            setup_ms: Setup {
                ice: since(timeline, timeline.pair_selected),
                dtls: since(timeline, timeline.dtls_connected),
                sctp: since(timeline, timeline.sctp_connected),
                channel_open: since(timeline, timeline.channel_open),
            },
            mib_per_s: rounded(mib_per_s(moved, wall)),
            cpu_s_per_gib: cpu.map(|cpu| rounded(cpu.as_secs_f64() / (moved as f64 / f64::from(1_u32 << 30)))),
            dtls_version: a.dtls.as_ref().map(|dtls| dtls.version.to_string()),
            dtls_cipher: a.dtls.as_ref().map(|dtls| dtls.cipher_suite.to_string()),
            kx_group: a.dtls.as_ref().map(|dtls| dtls.group.to_string()),
            selected_pair: a.selected_pair.as_ref().map(|pair| SelectedPair {
                local: format!("{} udp {}", pair.local.address, pair.local.kind.token()),
                remote: format!("{} udp {}", pair.remote.address, pair.remote.kind.token()),
            }),
            people: ForPeople {
                timelines: [a.timeline, b.timeline],
                flows: [row("A to B", to), row("B to A", back)],
                seconds: wall.as_secs_f64(),
            },
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn row(name: &'static str, flow: &Flow) -> Row {
    let hash = flow.received.finalize().to_hex().chars().take(16).collect();
    let equal = flow.hashes_match();
    Row { name, bytes: flow.bytes, mib_per_s: mib_per_s(flow.bytes, flow.wall), hash, equal }
}

fn mib_per_s(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / f64::from(1 << 20) / time.as_secs_f64().max(1e-9)
}

/// Milliseconds from the making of the peer, to the microsecond.
fn since(timeline: &Timeline, at: Option<weft_core::Instant>) -> Option<f64> {
    at.map(|at| rounded((at - timeline.created).as_secs_f64() * 1e3))
}

fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ForPeople { timelines: [a, b], flows, seconds } = &self.people;
        writeln!(f, "Setup, ms after the peer was made   offerer   answerer")?;
        for (name, ours, theirs) in [
            ("first candidate", a.first_candidate, b.first_candidate),
            ("both descriptions known", a.negotiated, b.negotiated),
            ("candidate pair selected", a.pair_selected, b.pair_selected),
            ("DTLS connected", a.dtls_connected, b.dtls_connected),
            ("SCTP association up", a.sctp_connected, b.sctp_connected),
            ("channel open", a.channel_open, b.channel_open),
        ] {
            let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.2}"));
            writeln!(f, "  {name:<32}{:>9}{:>11}", show(since(a, ours)), show(since(b, theirs)))?;
        }
        writeln!(f, "\nConnection")?;
        if let Some(pair) = &self.selected_pair {
            writeln!(f, "  pair     {} <-> {}", pair.local, pair.remote)?;
        }
        if let (Some(version), Some(cipher), Some(group)) = (&self.dtls_version, &self.dtls_cipher, &self.kx_group) {
            writeln!(f, "  DTLS     {version}, {cipher}, {group}")?;
        }
        writeln!(f, "\nTransfer")?;
        for row in flows {
            let verdict = if row.equal { "equal" } else { "DIFFERENT" };
            let (bytes, rate) = (size::show(row.bytes), row.mib_per_s);
            writeln!(f, "  {}   {bytes:>9}  {rate:>8.1} MiB/s   BLAKE3 {}… {verdict}", row.name, row.hash)?;
        }
        let total = size::show(self.bytes.saturating_mul(2));
        write!(f, "  both     {total:>9}  {:>8.1} MiB/s   in {seconds:.2} s", self.mib_per_s)?;
        match self.cpu_s_per_gib {
            Some(cpu) => writeln!(f, ", {cpu:.2} CPU seconds per GiB (both peers)"),
            None => writeln!(f),
        }
    }
}
