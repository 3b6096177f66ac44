//! `cargo xtask bench scale`: many connected peer connections in one process on one port, doing nothing: memory, processor
//! time, and how fast they came. The far ends, always ours, live in processes of their own, each behind a port of its own.
//! With the feature `stack-peers` others do the same.

mod far;
#[cfg(feature = "stack-peers")]
mod other_str0m;
#[cfg(feature = "stack-peers")]
mod other_webrtc;
mod ours;
mod signal;

use std::collections::BTreeMap;
use std::error::Error;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Many idle peer connections.
#[derive(Clone, Parser)]
struct Args {
    /// How many.
    #[arg(long, default_value_t = 10_000)]
    count: usize,
    /// How many of other stacks.
    #[arg(long, default_value_t = 500)]
    others: usize,
    /// How many are set up at a time.
    #[arg(long, default_value_t = 8)]
    parallel: usize,
    /// How long they are watched, in seconds, after all are connected.
    #[arg(long, default_value_t = 15.0)]
    seconds: f64,
    /// Print one JSON object, by stack.
    #[arg(long)]
    json: bool,
    /// Be the far ends.
    #[arg(long, hide = true)]
    far: bool,
    /// Be this stack, and print what was measured.
    #[arg(long, hide = true)]
    stack: Option<String>,
}

type Measure = fn(&Args) -> Result<Value>;

fn stacks() -> Vec<(&'static str, Measure)> {
    vec![
        ("weft", ours::measure),
        #[cfg(feature = "stack-peers")]
        ("str0m", other_str0m::measure),
        #[cfg(feature = "stack-peers")]
        ("webrtc", other_webrtc::measure),
    ]
}

/// When a connection that has not come is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// From the last set-up until watching begins: nothing of it is under way any more.
const REST: Duration = Duration::from_secs(2);

/// Waits for a connection, but not for ever.
async fn in_time<T>(connecting: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(PATIENCE, connecting).await.map_err(|_| "no connection")?
}

/// An error unless so many connections are still there, after they were watched.
fn all_are_there(there: usize, count: usize) -> Result<()> {
    if there < count { Err(format!("{} of {count} connections were lost", count - there).into()) } else { Ok(()) }
}

/// Memory of this process that is in use, in KiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}

/// Each far end has sockets of its own.
fn raise_limits() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    // More than is allowed, where we may allow it ourselves.
    for most in [Some(1 << 20), most] {
        if setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).is_ok() {
            return;
        }
    }
}

/// The settings of either end: loopback alone.
fn config() -> Result<weft_rtc::SharedConfig> {
    let certificate = std::sync::Arc::new(weft_rtc::Certificate::generate()?);
    let mut config = weft_rtc::Config::default().with_loopback(true).with_certificate(certificate);
    let loopback = weft_net::interfaces()?.into_iter().filter(|interface| interface.is_loopback);
    let mut names: Vec<String> = loopback.map(|interface| interface.name).collect();
    names.dedup();
    config.interfaces = Some(names);
    Ok(config.into())
}

/// What came of it. `setups` are the seconds that each set-up took, in their order; `wall` all of them together.
struct Measured {
    setups: Vec<f64>,
    wall: f64,
    setup_cpu: f64,
    memory_before: f64,
    memory: f64,
    idle_cpu: f64,
    idle: f64,
}

impl Measured {
    fn report(&self) -> Value {
        let count = self.setups.len();
        let median = |part: &[f64]| {
            let mut part = part.to_vec();
            part.sort_by(f64::total_cmp);
            part.get(part.len() / 2).copied().unwrap_or_default() * 1e3
        };
        let edge = (count / 10).clamp(1, 500).min(count);
        json!({
            "connections": count,
            "kib_each": (self.memory - self.memory_before) / count as f64,
            "idle_core_share": self.idle_cpu / self.idle,
            "setups_per_second": count as f64 / self.wall,
            "setup_cpu_milliseconds_one_side": self.setup_cpu * 1e3 / count as f64,
            "setup_milliseconds_first": median(self.setups.get(..edge).unwrap_or_default()),
            "setup_milliseconds_last": median(self.setups.get(count - edge..).unwrap_or_default()),
        })
    }
}

fn run(args: &Args) -> Result<bool> {
    let mut all = BTreeMap::new();
    let mut ok = true;
    for (name, _) in stacks() {
        let count = if name == "weft" { args.count } else { args.others };
        eprintln!("{name}: {count} connections");
        let out = Command::new(std::env::current_exe()?)
            .args(["--stack", name, "--count", &count.to_string(), "--parallel", &args.parallel.to_string()])
            .args(["--seconds", &args.seconds.to_string()])
            .stderr(Stdio::inherit())
            .output()?;
        if out.status.success() {
            let value: Value = serde_json::from_slice(&out.stdout)?;
            eprintln!("{name}: {value}");
            all.insert(name, value);
        } else {
            eprintln!("{name}: failed");
            ok &= name != "weft";
        }
    }
    if args.json {
        println!("{}", json!(all));
    } else {
        println!("| stack | connections | KiB each | of a core, idle | set-ups a second | first, ms | last, ms |");
        println!("|---|---|---|---|---|---|---|");
        for (name, value) in &all {
            let of = |key| value.get(key).and_then(Value::as_f64).unwrap_or_default();
            println!(
                "| {name} | {} | {:.1} | {:.2} % | {:.0} | {:.2} | {:.2} |",
                of("connections"),
                of("kib_each"),
                of("idle_core_share") * 100.0,
                of("setups_per_second"),
                of("setup_milliseconds_first"),
                of("setup_milliseconds_last")
            );
        }
    }
    Ok(ok)
}

fn main() -> ExitCode {
    let args = Args::parse();
    raise_limits();
    let result = if args.far {
        far::serve().map(|()| true)
    } else if let Some(name) = &args.stack {
        match stacks().into_iter().find(|(stack, _)| stack == name) {
            None => Err("no such stack".into()),
            Some((_, measure)) => measure(&args).map(|value| {
                println!("{value}");
                true
            }),
        }
    } else {
        run(&args)
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
