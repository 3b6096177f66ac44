//! A path that shrinks under what is outstanding (RFC 9260 section 6.9), over real sockets: does `weft-sctp` get it through
//! in fragments, because `weft-net` clears DF for it, and does it say so where fragments vanish?

mod end;
mod topology;

use std::io;
use std::time::{Duration, Instant as Clock};

use bytes::Bytes;
use serde::Serialize;
use weft_sctp::{AssociationError, SendOptions, State};

use end::End;
use topology::{A, B, Topology};

use crate::namespaces::prefix;

/// What a path is and becomes.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    /// MTU of the way after the router, bytes.
    mtu: u32,
    /// Fragments reach the far end.
    fragments: bool,
    /// The router tells of what it drops.
    icmp: bool,
}

const CASES: [Case; 4] = [
    Case { name: "1100 bytes", mtu: 1100, fragments: true, icmp: true },
    Case { name: "1100 bytes, no ICMP", mtu: 1100, fragments: true, icmp: false },
    Case { name: "600 bytes, no ICMP", mtu: 600, fragments: true, icmp: false },
    Case { name: "1000 bytes, fragments vanish", mtu: 1000, fragments: false, icmp: false },
];

/// Size and number of the messages that are under way.
const MESSAGE: usize = 20_000;
const MESSAGES: usize = 50;

/// What came of a path.
#[derive(Clone, Debug, Serialize)]
pub struct Shrunk {
    /// What it became.
    pub path: &'static str,
    /// How many messages arrived, whole.
    pub arrived: usize,
    /// How many datagrams the far end put together out of fragments.
    pub reassembled: u64,
    /// The largest packet in the end, bytes.
    pub packet: usize,
    /// Seconds until everything had arrived, or the association had ended.
    pub seconds: f64,
    /// What is wrong with all that.
    pub faults: Vec<String>,
}

/// Plays all paths.
///
/// # Errors
/// Without root, `ip` or `nft`.
pub fn play(progress: impl Fn(&Shrunk)) -> io::Result<Vec<Shrunk>> {
    let mut all = Vec::new();
    for case in &CASES {
        let shrunk = shrink(case)?;
        progress(&shrunk);
        all.push(shrunk);
    }
    Ok(all)
}

/// Lets both ends run until `done` says so, or the time is over.
fn run_until(ends: &mut [End; 2], at_most: Duration, mut done: impl FnMut(&mut [End; 2]) -> bool) -> io::Result<bool> {
    let start = Clock::now();
    while !done(ends) {
        if start.elapsed() > at_most {
            return Ok(false);
        }
        let mut idle = true;
        for end in ends.iter_mut() {
            idle &= !end.turn()?;
        }
        if idle {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(true)
}

/// Only a network that cannot be made is an error: what goes wrong in it is the case's fault.
fn shrink(case: &Case) -> io::Result<Shrunk> {
    let topology = Topology::new(&prefix("m"))?;
    Ok(shrink_in(&topology, case).unwrap_or_else(|error| Shrunk {
        path: case.name,
        arrived: 0,
        reassembled: 0,
        packet: 0,
        seconds: 0.0,
        faults: vec![error.to_string()],
    }))
}

fn shrink_in(topology: &Topology, case: &Case) -> io::Result<Shrunk> {
    let a = topology.bind(A)?;
    let b = topology.bind(B)?;
    let addresses = (a.local_addr(), b.local_addr());
    let mut ends = [End::new(a, addresses.1, 1), End::new(b, addresses.0, 2)];
    let [sender, _] = &mut ends;
    sender.association.connect(sender.now());
    let mut faults = Vec::new();
    // All that a frame of Ethernet takes, less the headers of UDP and IP.
    let grown = run_until(&mut ends, Duration::from_secs(30), |[a, _]| {
        a.association.state() == State::Established && a.association.stats().mtu == 1432
    })?;
    if !grown {
        faults.push("the packets did not grow before".to_owned());
    }
    topology.shrink(case.mtu, case.fragments, case.icmp)?;
    let [sender, _] = &mut ends;
    let content = |n: usize| Bytes::from(vec![n as u8; MESSAGE]);
    for n in 0..MESSAGES {
        let now = sender.now();
        sender.association.send(now, 0, 53, content(n), SendOptions::default()).map_err(io::Error::other)?;
    }
    let start = Clock::now();
    let (mut arrived, mut altered) = (0, false);
    let ended = run_until(&mut ends, Duration::from_secs(60), |[a, b]| {
        while let Some(message) = b.association.receive() {
            altered |= message.payload != content(arrived);
            arrived += 1;
        }
        arrived == MESSAGES || a.error.is_some()
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let [sender, _] = &ends;
    let (packet, error) = (sender.association.stats().mtu, sender.error.clone());
    let reassembled = topology.reassembled(B)?;
    if !ended {
        faults.push("a stall".to_owned());
    }
    if altered {
        faults.push("messages were altered".to_owned());
    }
    if case.fragments {
        faults.extend(error.map(|error| format!("it ended: {error}")));
        if reassembled == 0 {
            faults.push("nothing went in fragments".to_owned());
        }
        if packet + 28 > case.mtu as usize {
            faults.push(format!("packets of {packet} bytes in the end"));
        }
    } else if !matches!(error, Some(AssociationError::PathTooSmall { .. })) {
        faults.push(format!("{error:?}, not PathTooSmall"));
    }
    Ok(Shrunk { path: case.name, arrived, reassembled, packet, seconds, faults })
}
