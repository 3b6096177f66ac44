//! `cargo xtask bench link`: throughput, fairness and delay over one bottleneck, in virtual time; ours, and with the
//! feature `peers` others' too.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::{Map, Value, json};
use weft_benches::link::{Outcome, Scenario, run, svg};
use weft_benches::stacks::{End, Weft};
use weft_core::Rng;
use weft_sctp::{Config, ControllerKind};

/// SCTP over a bottleneck.
#[derive(Parser)]
struct Args {
    /// Bandwidth, Mbit/s.
    #[arg(long, default_value_t = 100)]
    mbps: u64,
    /// Round-trip time without a queue, ms.
    #[arg(long, default_value_t = 40)]
    rtt: u64,
    /// Random loss, per cent.
    #[arg(long, default_value_t = 0.0)]
    loss: f64,
    /// Bytes of the queue; without it 500 kB, and one bandwidth-delay product from 1 Gbit/s.
    #[arg(long)]
    queue: Option<usize>,
    /// newreno, cubic or bbr; all of them without it.
    #[arg(long)]
    controller: Option<String>,
    /// Only this stack: weft, dcsctp, sctp-proto or rtc-sctp.
    #[arg(long)]
    stack: Option<String>,
    /// How many seeds.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    first_seed: u64,
    /// How long each run takes, virtual seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// From when it is measured, virtual seconds.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Also two flows on the link for 60 s: each of our controllers beside itself and beside the others.
    #[arg(long)]
    fairness: bool,
    /// Where the drawings go: a directory.
    #[arg(long, default_value = "target/bench-link")]
    svg: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

fn ours(kind: ControllerKind, seed: u64) -> (End, End) {
    let config = Config { controller: kind, ..Config::rtc() };
    let end = |seed| End::new(Box::new(Weft::new(config.clone(), seed)));
    (end(seed * 2 + 1), end(seed * 2 + 2))
}

type Maker = Box<dyn Fn(u64) -> (End, End)>;

/// Stack, controller, and how to make a sender and a receiver.
fn makers(args: &Args) -> Result<Vec<(&'static str, &'static str, Maker)>, String> {
    let kinds = match &args.controller {
        None => ControllerKind::ALL.to_vec(),
        Some(name) => {
            vec![
                ControllerKind::from_name(name)
                    .ok_or_else(|| format!("no such controller: {name}; newreno, cubic, bbr"))?,
            ]
        }
    };
    let mut all: Vec<(&'static str, &'static str, Maker)> = Vec::new();
    for kind in kinds {
        all.push(("weft", kind.name(), Box::new(move |seed| ours(kind, seed))));
    }
    #[cfg(feature = "peers")]
    {
        use weft_benches::stacks::{DcSctp, RtcSctp, SctpProto};
        let dcsctp = || End::new(Box::new(DcSctp::default()));
        let proto = || End::new(Box::new(SctpProto::new()));
        let rtc = || End::new(Box::new(RtcSctp::new()));
        all.push(("dcsctp", "default", Box::new(move |_| (dcsctp(), dcsctp()))));
        all.push(("sctp-proto", "default", Box::new(move |_| (proto(), proto()))));
        all.push(("rtc-sctp", "default", Box::new(move |_| (rtc(), rtc()))));
    }
    all.retain(|(stack, ..)| args.stack.as_ref().is_none_or(|only| only == stack));
    if all.is_empty() {
        return Err("no such stack is built in".to_owned());
    }
    Ok(all)
}

fn scenario(args: &Args, seed: u64) -> Scenario {
    let bandwidth = args.mbps * 1_000_000;
    let rtt = Duration::from_millis(args.rtt);
    let product = (bandwidth as f64 / 8.0 * rtt.as_secs_f64()) as usize;
    let queue = args.queue.unwrap_or(if args.mbps >= 1000 { product } else { 500_000 });
    let times = (Duration::from_secs(args.from), Duration::from_secs(args.seconds));
    Scenario { bandwidth, rtt, queue, from: times.0, until: times.1, ..Scenario::standard(args.loss / 100.0, seed) }
}

fn seeds(args: &Args) -> core::ops::Range<u64> {
    args.first_seed..args.first_seed.saturating_add(args.seeds.max(1))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn of(outcomes: &[Outcome], value: impl Fn(&Outcome) -> f64) -> f64 {
    mean(&outcomes.iter().map(value).collect::<Vec<_>>())
}

fn alone(args: &Args, stack: &str, controller: &str, make: &Maker) -> std::io::Result<Value> {
    let outcomes: Vec<Outcome> = seeds(args).map(|seed| run(&scenario(args, seed), vec![make(seed)])).collect();
    let beside = Scenario { small: Some(Duration::from_millis(20)), ..scenario(args, args.first_seed) };
    let small = run(&beside, vec![make(args.first_seed)]);
    std::fs::create_dir_all(&args.svg)?;
    let file = args.svg.join(format!("{stack}-{controller}-{}mbps-{}ms-{}.svg", args.mbps, args.rtt, args.loss));
    if let Some(first) = outcomes.first() {
        let title = format!("{stack}, {controller}: {} Mbit/s, {} ms, {} % loss", args.mbps, args.rtt, args.loss);
        std::fs::write(&file, svg::draw(&title, &[controller], &scenario(args, args.first_seed), first))?;
    }
    let goodput = of(&outcomes, |o| o.goodput.iter().sum::<f64>() * 8.0 / 1e6);
    Ok(json!({
        "goodput_share": of(&outcomes, Outcome::total_share),
        "goodput_mbps": goodput,
        "median_rtt_ms": of(&outcomes, |o| o.median_rtt * 1e3),
        "retransmissions": of(&outcomes, |o| o.retransmissions as f64),
        "timeouts": of(&outcomes, |o| o.timeouts as f64),
        "packet_bytes": of(&outcomes, |o| o.packet as f64),
        "small_channel_p95_ms": small.small_p95() * 1e3,
        "svg": file,
    }))
}

/// How much later the second flow begins.
fn stagger(seed: u64) -> Duration {
    let regular = 50 * (seed + 1);
    let random = Rng::from_test_seed(seed).below(1000);
    Duration::from_millis(if seed < 5 { regular } else { random })
}

/// Two flows that begin a moment apart, each first half of the time: what part `a` gets, and Jain's index.
fn pair(args: &Args, a: ControllerKind, b: ControllerKind) -> std::io::Result<(f64, f64)> {
    let mut outcomes = Vec::new();
    for seed in seeds(args) {
        let (stagger, until) = (stagger(seed), Duration::from_secs(60));
        let (x, y) = if seed % 2 == 0 { (a, b) } else { (b, a) };
        let scenario = Scenario { stagger, until, ..scenario(args, seed) };
        let mut outcome = run(&scenario, vec![ours(x, seed), ours(y, seed + 100)]);
        if seed == args.first_seed {
            let name = format!("{}+{}", a.name(), b.name());
            let title = format!("{name}: {} Mbit/s, {} ms, {} % loss", args.mbps, args.rtt, args.loss);
            let file = args.svg.join(format!("{name}-{}mbps-{}ms-{}.svg", args.mbps, args.rtt, args.loss));
            std::fs::write(file, svg::draw(&title, &[a.name(), b.name()], &scenario, &outcome))?;
        }
        if seed % 2 == 1 {
            outcome.goodput.reverse();
        }
        outcomes.push(outcome);
    }
    let part = of(&outcomes, |o| o.goodput.first().copied().unwrap_or(0.0) / o.goodput.iter().sum::<f64>());
    Ok((part, of(&outcomes, Outcome::jain)))
}

/// Each of our controllers beside itself and beside the others: put under `beside` of those that were measured.
fn fairness(args: &Args, ours: &mut Map<String, Value>) -> std::io::Result<()> {
    for (n, a) in ControllerKind::ALL.into_iter().enumerate() {
        for b in ControllerKind::ALL.into_iter().skip(n) {
            if ![a, b].iter().any(|kind| ours.contains_key(kind.name())) {
                continue;
            }
            let (part, jain) = pair(args, a, b)?;
            eprintln!("{} beside {}: {part:.3}, Jain's index {jain:.3}", a.name(), b.name());
            for (of, beside, part) in [(a, b, part), (b, a, 1.0 - part)] {
                if let Some(Value::Object(one)) = ours.get_mut(of.name())
                    && let Value::Object(all) = one.entry("beside").or_insert_with(|| json!({}))
                {
                    all.entry(beside.name()).or_insert_with(|| json!({ "part": part, "jain": jain }));
                }
            }
        }
    }
    Ok(())
}

fn work(args: &Args) -> Result<(), String> {
    let mut stacks: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for (stack, controller, make) in makers(args)? {
        let value = alone(args, stack, controller, &make).map_err(|e| e.to_string())?;
        let number = |key: &str| value.get(key).and_then(Value::as_f64).unwrap_or(0.0);
        eprintln!(
            "{stack:10} {controller:8} share {:.3}, {:6.2} Mbit/s, median round trip {:6.1} ms, small channel p95 {:6.1} ms",
            number("goodput_share"),
            number("goodput_mbps"),
            number("median_rtt_ms"),
            number("small_channel_p95_ms"),
        );
        stacks.entry(stack).or_default().insert(controller.to_owned(), value);
    }
    if args.fairness {
        fairness(args, stacks.entry("weft").or_default()).map_err(|e| e.to_string())?;
    }
    if args.json {
        println!("{}", json!(stacks));
    }
    Ok(())
}

fn main() -> ExitCode {
    match work(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
