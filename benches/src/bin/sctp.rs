//! `cargo xtask bench sctp`: what SCTP alone costs in memory, both ends: MiB for each CPU-second, instructions (by
//! callgrind) and allocations for each data packet and message; ours, and with the feature `peers` others' too.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use serde_json::{Map, Value, json};
use weft_benches::stacks::{Stack, Weft};
use weft_core::{Frame, Instant, Overhead};
use weft_sctp::Config;

/// SCTP in memory.
#[derive(Parser)]
struct Args {
    /// Message sizes, bytes.
    #[arg(long, value_delimiter = ',', default_values_t = [65_536, 16_384, 1200, 32])]
    sizes: Vec<usize>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Do not count instructions (valgrind is then not needed).
    #[arg(long)]
    no_instructions: bool,
    /// Only move so many messages with this stack: what callgrind counts.
    #[arg(long, hide = true)]
    count: Option<u64>,
    /// Only this stack: weft, dcsctp, sctp-proto or rtc-sctp.
    #[arg(long)]
    stack: Option<String>,
}

fn stacks() -> Vec<&'static str> {
    let mut all = vec!["weft"];
    if cfg!(feature = "peers") {
        all.extend(["dcsctp", "sctp-proto", "rtc-sctp"]);
    }
    all
}

fn make(stack: &str, seed: u64) -> Box<dyn Stack> {
    match stack {
        #[cfg(feature = "peers")]
        "dcsctp" => Box::new(weft_benches::stacks::DcSctp::default()),
        #[cfg(feature = "peers")]
        "sctp-proto" => Box::new(weft_benches::stacks::SctpProto::new()),
        #[cfg(feature = "peers")]
        "rtc-sctp" => Box::new(weft_benches::stacks::RtcSctp::new()),
        _ => Box::new(Weft::new(Config { path_mtu_discovery: false, ..Config::rtc() }, seed)),
    }
}

/// Two ends and the wire between them, which loses nothing.
struct Wire {
    now: Instant,
    ends: [Box<dyn Stack>; 2],
    buffer: Vec<u8>,
    packets: u64,
}

impl Wire {
    fn connected(stack: &str) -> Result<Self, String> {
        let mut wire =
            Self { now: Instant::ORIGIN, ends: [make(stack, 1), make(stack, 2)], buffer: vec![0; 2048], packets: 0 };
        let [a, _] = &mut wire.ends;
        a.connect(wire.now);
        for _ in 0..10_000 {
            wire.turn();
            if wire.ends.iter().all(|end| end.is_up()) {
                return Ok(wire);
            }
        }
        Err(format!("{stack}: no association after 10,000 turns"))
    }

    fn turn(&mut self) {
        self.now += Duration::from_micros(50);
        let [a, b] = &mut self.ends;
        // As many as one call with segmentation offload carries.
        self.packets += pump(self.now, a.as_mut(), b.as_mut(), &mut self.buffer, 64);
        pump(self.now, b.as_mut(), a.as_mut(), &mut self.buffer, 64);
        for end in [a, b] {
            if end.next_timeout().is_some_and(|at| at <= self.now) {
                end.timeout(self.now);
            }
        }
    }

    fn transfer(&mut self, messages: u64, message: &Bytes) {
        let (mut to_send, mut received) = (messages, 0);
        while received < messages {
            while to_send > 0 {
                let [a, _] = &mut self.ends;
                if !a.send(self.now, 0, message) {
                    break;
                }
                to_send -= 1;
            }
            self.turn();
            let [a, b] = &mut self.ends;
            b.read(self.now, &mut |_, _| received += 1);
            a.read(self.now, &mut |_, _| {});
        }
    }
}

fn pump(now: Instant, from: &mut dyn Stack, to: &mut dyn Stack, buffer: &mut [u8], most: u64) -> u64 {
    for n in 0..most {
        let mut frame = Frame::new(buffer, Overhead::NONE);
        if !from.transmit(now, &mut frame) {
            return n;
        }
        to.receive(now, frame.content());
    }
    most
}

/// How many messages make a steady measurement.
fn enough(stack: &str, size: usize) -> u64 {
    // Others take up to a hundred times as long.
    let total: u64 = if stack == "weft" { 256 << 20 } else { 32 << 20 };
    (total / size as u64).clamp(100, if stack == "weft" { 2_000_000 } else { 30_000 })
}

/// Two numbers of messages whose difference is what is counted: with the first, queues have grown as long as they will.
fn counted(stack: &str, size: usize) -> (u64, u64) {
    let most = if stack == "weft" { 80_000 } else { 2_000 };
    (((3 << 20) / size as u64 + 20).min(most), ((6 << 20) / size as u64 + 60).min(2 * most))
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Instructions of this program when it moves `count` messages, by callgrind.
fn instructions(stack: &str, size: usize, count: u64) -> Result<f64, String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let out = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(own)
        .args(["--stack", stack, "--sizes", &size.to_string(), "--count", &count.to_string()])
        .output()
        .map_err(|e| format!("valgrind: {e} (Debian's package `valgrind`; --no-instructions does without)"))?;
    let text = String::from_utf8_lossy(&out.stderr);
    let total = text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    total.filter(|_| out.status.success()).ok_or_else(|| format!("nothing was counted:\n{text}"))
}

fn measure(args: &Args, stack: &str, size: usize) -> Result<Value, String> {
    let message = Bytes::from(vec![0x5A; size]);
    let mut wire = Wire::connected(stack)?;
    let count = enough(stack, size);
    wire.transfer(count / 4 + 1, &message);
    let (before, packets) = (cpu_seconds(), wire.packets);
    wire.transfer(count, &message);
    let (seconds, packets) = (cpu_seconds() - before, wire.packets - packets);
    let rate = (count as usize * size) as f64 / 1_048_576.0 / seconds;
    let packets_before = wire.packets;
    let few = (count / 8).max(50);
    let allocations = allocation_counter::measure(|| wire.transfer(few, &message)).count_total;
    let few_packets = wire.packets - packets_before;
    let per_packet = packets as f64 / count as f64;
    let mut value = json!({
        "mib_per_cpu_second": rate,
        "packets_per_message": per_packet,
        "allocations_per_packet": (allocations.saturating_sub(few) as f64) / few_packets as f64,
        "allocations_per_message": allocations as f64 / few as f64,
    });
    if !args.no_instructions {
        let (small, large) = counted(stack, size);
        let (a, b) = (instructions(stack, size, small)?, instructions(stack, size, large)?);
        let per_message = (b - a) / (large - small) as f64;
        if let Some(map) = value.as_object_mut() {
            map.insert("instructions_per_message".to_owned(), json!(per_message));
            map.insert("instructions_per_packet".to_owned(), json!(per_message / per_packet));
        }
    }
    Ok(value)
}

/// How many measurements failed.
fn run(args: &Args) -> Result<u32, String> {
    if let Some(stack) = args.stack.as_ref().filter(|stack| !stacks().contains(&stack.as_str())) {
        return Err(format!("no such stack is built in: {stack}; {}", stacks().join(", ")));
    }
    if let (Some(count), Some(stack)) = (args.count, &args.stack) {
        let message = Bytes::from(vec![0x5A; args.sizes.first().copied().unwrap_or(1200)]);
        Wire::connected(stack)?.transfer(count, &message);
        return Ok(0);
    }
    let mut failed = 0;
    let mut all: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for &size in &args.sizes {
        for stack in stacks().into_iter().filter(|stack| args.stack.as_ref().is_none_or(|only| only == stack)) {
            match measure(args, stack, size) {
                Ok(value) => {
                    eprintln!("{size:>6} B {stack:10} {value}");
                    all.entry(stack).or_default().insert(size.to_string(), value);
                }
                Err(error) => {
                    eprintln!("{size:>6} B {stack:10} failed: {error}");
                    failed += 1;
                }
            }
        }
    }
    if args.json {
        println!("{}", json!(all));
    }
    Ok(failed)
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(0) => return ExitCode::SUCCESS,
        Ok(failed) => eprintln!("{failed} measurements failed"),
        Err(error) => eprintln!("error: {error}"),
    }
    ExitCode::FAILURE
}
