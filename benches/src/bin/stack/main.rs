//! `cargo xtask bench stack` and `bench setup`: whole stacks over UDP loopback, ours and, with the feature `stack-peers`,
//! others in the same run, each measurement in a process of its own; and Chromium, where it is installed.

mod asynchronous;
mod bare;
mod cases;
mod chromium;
#[cfg(feature = "stack-peers")]
mod other_str0m;
#[cfg(feature = "stack-peers")]
mod other_webrtc;
mod plot;
mod polled;
mod report;
mod section;
mod two_threads;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use weft_benches::cpu_seconds;
use weft_rtc::io::Sockets;
use weft_rtc::{Certificate, Config};

use cases::{CASES, Case, limit};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Whole stacks over UDP loopback.
#[derive(Parser)]
struct Args {
    /// Only cases whose name contains this; may be repeated.
    #[arg(long, value_name = "CASE")]
    only: Vec<String>,
    /// Only this other stack, beside ours (`str0m`, `webrtc`, `datachannel`, `chromium`); may be repeated.
    #[arg(long, value_name = "STACK")]
    peer: Vec<String>,
    /// A program that measures `datachannel` (`benches/datachannel`).
    #[arg(long, value_name = "PROGRAM")]
    datachannel: Option<PathBuf>,
    /// How long each measurement lasts, in seconds, after a second of warming up.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Measure all of it so many times, one round after the other, and take the median of each measurement: for
    /// machines that others disturb for longer than a measurement takes.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Print one JSON object, by stack and case.
    #[arg(long)]
    json: bool,
    /// Put the tables into this BENCHMARKS.md.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// A folder for plots (SVG).
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// Do this one case, and print what was measured.
    #[arg(long, hide = true, requires = "stack")]
    work: Option<String>,
    /// With this stack.
    #[arg(long, hide = true)]
    stack: Option<String>,
}

/// A stack, and how it is driven.
struct Stack {
    name: &'static str,
    /// How its peers were set up.
    note: &'static str,
    measure: fn(&Case, f64) -> Result<Option<Value>>,
}

/// libdatachannel, measured by a program of its own that is given the same arguments.
const DATACHANNEL: Stack = Stack {
    name: "datachannel",
    note: "libdatachannel through the crate datachannel, its own threads, messages queued up to 1 MiB",
    measure: |_, _| Err("measured by a program of its own".into()),
};

/// Our settings, with a certificate of their own: bound on loopback alone, as the others are.
fn on_loopback() -> Result<Config> {
    // Asked for once: what others are told in the source is no part of a set-up.
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let all = weft_net::interfaces().unwrap_or_default().into_iter();
        all.filter(|interface| interface.is_loopback).map(|interface| interface.name).collect()
    });
    let mut config = Config::default().with_loopback(true).with_certificate(Arc::new(Certificate::generate()?));
    config.interfaces = Some(names.clone());
    Ok(config)
}

/// Sockets that stay while others come and go, as there are some in a process with many connections: when the first one of a
/// family comes that coalesces what it receives, and when the last one goes, Linux patches its own code, and all processors wait
/// for that.
fn staying_sockets() -> Result<Sockets<weft_net::UdpSocket>> {
    Ok(Sockets::bind(&on_loopback()?)?)
}

fn stacks() -> Vec<Stack> {
    vec![
        Stack {
            name: "bare-udp",
            note: "no protocol: blocking sockets, a thread for each end",
            measure: bare::measure,
        },
        Stack { name: "weft", note: "async handles, tokio with two threads", measure: asynchronous::measure },
        Stack {
            name: "weft-apart",
            note: "async handles, a runtime of one thread for each end",
            measure: two_threads::asleep,
        },
        Stack { name: "weft-awake", note: "the same with busy_poll of 50 µs", measure: two_threads::awake },
        Stack { name: "weft-polled", note: "poll() of both peers in turn", measure: polled::measure },
        Stack { name: "chromium", note: "two peer connections of one page, headless", measure: chromium::measure },
        #[cfg(feature = "stack-peers")]
        Stack {
            name: "str0m",
            note: "a thread for each peer, blocking sockets, as its chat example",
            measure: other_str0m::measure,
        },
        #[cfg(feature = "stack-peers")]
        Stack {
            name: "webrtc",
            note: "tokio, a dedicated reactor for each peer, as its stress bench",
            measure: other_webrtc::measure,
        },
    ]
}

/// What runs `program` in a network namespace of its own, where one may be made (Linux, root): what this machine filters and
/// translates, as for Docker, does not weigh on those whom it concerns, and all have 127.0.0.1 alone. A route for multicast is
/// what `webrtc` asks for. Browsers need the machine's interfaces.
fn alone(program: &Path, stack: &Stack, case: &Case) -> Command {
    static MAY: OnceLock<bool> = OnceLock::new();
    const SCRIPT: &str = "ip link set lo up && echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && \
                          ip route add 224.0.0.0/4 dev lo && exec \"$0\" \"$@\"";
    let namespace = |program: &Path| {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", SCRIPT]).arg(program);
        command
    };
    let may = || {
        let made = namespace(Path::new("true")).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        if !made {
            eprintln!(
                "no network namespace can be made (Linux, root, `unshare`, `ip`): measured among the machine's own interfaces"
            );
        }
        made
    };
    let browser = stack.name == "chromium" || matches!(case.what, cases::What::Browser(_));
    if !browser && *MAY.get_or_init(may) { namespace(program) } else { Command::new(program) }
}

/// Measures in a process of its own, which is killed if it does not end.
fn apart(args: &Args, stack: &Stack, case: &Case, seconds: f64) -> Result<Option<Value>> {
    let program = match (&args.datachannel, stack.name) {
        (Some(program), "datachannel") => program.clone(),
        _ => std::env::current_exe()?,
    };
    let mut child = alone(&program, stack, case)
        .args(["--stack", stack.name, "--work", case.name, "--seconds", &seconds.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdout = child.stdout.take().ok_or("no pipe")?;
    let output = std::thread::spawn(move || {
        let mut text = Vec::new();
        stdout.read_to_end(&mut text).map(|_| text)
    });
    // What can give up by itself does so before.
    let until = Instant::now() + limit(seconds) + Duration::from_secs(10);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Err(format!("{} {}: failed, it does not end", stack.name, case.name).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    if !status.success() {
        return Err(format!("{} {}: failed", stack.name, case.name).into());
    }
    Ok(serde_json::from_slice(&output.join().map_err(|_| "its output cannot be read")??)?)
}

/// Refuses names that nothing has: nothing would be measured, and that would be called a success.
fn check_names(args: &Args) -> Result<()> {
    if let Some(only) = args.only.iter().find(|only| !CASES.iter().any(|case| case.name.contains(only.as_str()))) {
        let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        return Err(format!("no such case: {only}; {}", names.join(", ")).into());
    }
    let names: Vec<&str> =
        stacks().iter().map(|stack| stack.name).chain(args.datachannel.is_some().then_some(DATACHANNEL.name)).collect();
    match args.peer.iter().find(|peer| !names.contains(&peer.as_str())) {
        Some(peer) => Err(format!("no such stack is built in: {peer}; {}", names.join(", ")).into()),
        None => Ok(()),
    }
}

fn run(args: &Args) -> Result<bool> {
    check_names(args)?;
    let wanted = |case: &&Case| args.only.is_empty() || args.only.iter().any(|only| case.name.contains(only.as_str()));
    let stacks: Vec<Stack> = stacks()
        .into_iter()
        .chain(args.datachannel.is_some().then_some(DATACHANNEL))
        .filter(|s| {
            args.peer.is_empty()
                || s.name.starts_with("weft")
                || s.name == "bare-udp"
                || args.peer.iter().any(|p| p == s.name)
        })
        .collect();
    let mut measured: BTreeMap<(&str, &str), Vec<Value>> = BTreeMap::new();
    let mut failed = BTreeSet::new();
    for round in 1..=args.rounds {
        let round = if args.rounds > 1 { format!("{round} of {}  ", args.rounds) } else { String::new() };
        for case in CASES.iter().filter(wanted) {
            for stack in &stacks {
                match apart(args, stack, case, args.seconds) {
                    Ok(Some(value)) => {
                        eprintln!("{round}{:<16} {:<12} {}", case.name, stack.name, report::line(&value));
                        measured.entry((stack.name, case.name)).or_default().push(value);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        eprintln!("{round}{error}");
                        failed.insert(format!("{} {}", stack.name, case.name));
                        measured.entry((stack.name, case.name)).or_default();
                    }
                }
            }
        }
    }
    let mut all: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
    for ((stack, case), values) in measured {
        let value = report::median(case, values).unwrap_or_else(|| json!(report::FAILED));
        all.entry(stack).or_default().insert(case, value);
    }
    let failed: Vec<String> = failed.into_iter().collect();
    // What another stack cannot do is its own affair.
    let ok = !failed.iter().any(|name| name.starts_with("weft") || name.starts_with("bare"));
    if let Some(folder) = args.plots.as_ref().filter(|_| ok) {
        plot::write(folder, &all)?;
    }
    if let Some(path) = args.write.as_ref().filter(|_| ok) {
        section::write(path, &all, args.seconds, args.rounds)?;
    }
    let notes: BTreeMap<&str, &str> = stacks.iter().map(|s| (s.name, s.note)).collect();
    if args.json {
        println!("{}", json!({ "machine": report::machine(), "notes": notes, "results": all, "failed": failed }));
    } else {
        print!("{}", report::table(&all, &notes));
    }
    if !failed.is_empty() {
        eprintln!("{} failed: {}", failed.len(), failed.join(", "));
    }
    if !ok && (args.write.is_some() || args.plots.is_some()) {
        eprintln!("nothing is written, as some of it is ours");
    }
    Ok(ok)
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = if let (Some(work), Some(name)) = (&args.work, &args.stack) {
        let case = CASES.iter().find(|case| case.name == work);
        let stack = stacks().into_iter().find(|stack| stack.name == name);
        match case.zip(stack) {
            None => Err("no such case or stack".into()),
            Some((case, stack)) => (stack.measure)(case, args.seconds).map(|value| {
                println!("{}", json!(value));
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
