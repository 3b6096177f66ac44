//! `weft-netlab`: bad networks for real sockets.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use weft_netlab::check::{CASES, play};
use weft_netlab::nat::Servers;
use weft_netlab::relay::{Bad, Direction, Relay, Settings};
use weft_netlab::{mtu, namespaces, nat};

/// Somebody wanted it to end.
const INTERRUPTED: i32 = 130;

/// Something that is needed is not there: nothing was tested.
const CANNOT_RUN: u8 = 2;

#[derive(Parser)]
#[command(name = "weft-netlab", about = "Bad networks for real sockets")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Relays UDP as a bad network would. Prints where it listens, then statistics, one JSON object a line. Ends when its
    /// input ends (unless that is a terminal).
    Relay(RelayArguments),
    /// Tests the TURN client against coturn (Debian: `coturn`).
    Turn(TurnArguments),
    /// NATs of every kind, each against each, in network namespaces (root; Debian: `coturn`, `nftables`, `iproute2`, `procps`).
    Nat(NatArguments),
    /// Puts `weft doctor` behind NATs of every kind: does it call each what it is? Needs what `nat` needs, and `weft`.
    Doctor(DoctorArguments),
    /// A path that shrinks under what is outstanding, in network namespaces (root; Debian: `nftables`, `iproute2`, `procps`).
    Mtu(MtuArguments),
    /// A client of `nat`.
    #[command(hide = true)]
    NatPeer(NatPeerArguments),
}

#[derive(Args)]
struct RelayArguments {
    /// Where to listen; port 0 lets the system choose.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where everything goes on to.
    #[arg(long, value_name = "ADDRESS")]
    to: SocketAddr,
    /// What all misfortunes are drawn from: the same seed does the same to the nth datagram of a direction.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this direction is bad.
    #[arg(long, value_enum)]
    only: Option<Direction>,
    /// Seconds between lines of statistics; 0 prints only the last.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    every: f64,
    #[command(flatten)]
    bad: Bad,
}

#[derive(Args)]
struct TurnArguments {
    /// Only cases whose name contains this; may be given more than once.
    #[arg(long, value_name = "NAME")]
    filter: Vec<String>,
    /// Names the cases and ends.
    #[arg(long)]
    list: bool,
    /// Prints the results as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct NatArguments {
    /// Only with these servers; may be given more than once.
    #[arg(long, value_enum)]
    servers: Vec<Servers>,
    /// Prints the results as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct DoctorArguments {
    /// The `weft` command; the one beside this program by default.
    #[arg(long, value_name = "FILE")]
    weft: Option<std::path::PathBuf>,
    /// Prints the results as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct MtuArguments {
    /// Prints the results as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct NatPeerArguments {
    #[arg(long, value_enum)]
    servers: Servers,
    #[arg(long)]
    certificate: std::path::PathBuf,
    #[arg(long)]
    offers: bool,
}

/// Removes the namespaces of runs that were killed, and those of this one if somebody ends it.
fn keep_clean() {
    namespaces::sweep(true);
    std::thread::spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return std::future::pending().await;
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        eprintln!("interrupted");
        namespaces::sweep(false);
        std::process::exit(INTERRUPTED);
    });
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    if matches!(command, Command::Nat(_) | Command::Doctor(_) | Command::Mtu(_)) {
        keep_clean();
    }
    match command {
        Command::Relay(arguments) => match relay(&arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(CANNOT_RUN)
            }
        },
        Command::Turn(arguments) => ExitCode::from(turn(&arguments)),
        Command::Nat(arguments) => ExitCode::from(nat(&arguments)),
        Command::Doctor(arguments) => ExitCode::from(doctor(&arguments)),
        Command::Mtu(arguments) => ExitCode::from(mtu(&arguments)),
        Command::NatPeer(arguments) => ExitCode::from(nat_peer(&arguments)),
    }
}

fn relay(arguments: &RelayArguments) -> std::io::Result<()> {
    let settings = Settings { both: arguments.bad, only: arguments.only };
    let mut relay = Relay::bind(arguments.listen, arguments.to, &settings, arguments.seed)?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::json!({ "listening": relay.local_addr()?, "to": arguments.to }))?;
    out.flush()?;
    let ended = Arc::new(AtomicBool::new(false));
    if !std::io::stdin().is_terminal() {
        let ended = ended.clone();
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            ended.store(true, Ordering::Relaxed);
        });
    }
    let every = Duration::try_from_secs_f64(arguments.every).unwrap_or_default();
    let turn = Duration::from_millis(50);
    let mut next = every;
    while !ended.load(Ordering::Relaxed) {
        relay.run(turn)?;
        let stats = relay.stats();
        if !every.is_zero() && Duration::from_millis(stats.ms) >= next {
            next += every;
            writeln!(out, "{}", serde_json::to_string(&stats)?)?;
            out.flush()?;
        }
    }
    writeln!(out, "{}", serde_json::to_string(&relay.stats())?)
}

fn turn(arguments: &TurnArguments) -> u8 {
    let wanted = |name: &str| arguments.filter.is_empty() || arguments.filter.iter().any(|part| name.contains(part));
    let cases: Vec<_> = CASES.iter().filter(|case| wanted(case.name)).collect();
    if arguments.list {
        for case in &cases {
            println!("{}: {}", case.name, case.about);
        }
        return 0;
    }
    if cases.is_empty() {
        eprintln!("no case has such a name; --list names them");
        return CANNOT_RUN;
    }
    if let Err(error) = std::process::Command::new("turnserver").arg("--help").output() {
        eprintln!("cannot run: turnserver is not installed (Debian: apt-get install coturn): {error}");
        return CANNOT_RUN;
    }
    let done = play(&cases, |done| {
        let state = if done.failure.is_none() { "passed" } else { "FAILED" };
        eprintln!("{:<20} {state} in {:.2} s", done.name, done.seconds);
    });
    let failed = done.iter().filter(|done| done.failure.is_some()).count();
    if arguments.json {
        println!("{}", serde_json::json!({ "ok": failed == 0, "cases": done }));
    } else {
        println!();
        for done in &done {
            let state = if done.failure.is_some() { "FAILED" } else { "passed" };
            println!("{:<20} {state:<7} {:>6.2} s  {}", done.name, done.seconds, done.about);
            if let Some(failure) = &done.failure {
                println!("    {failure}");
            }
        }
        println!("{} passed, {failed} failed", done.len() - failed);
    }
    u8::from(failed > 0)
}

fn nat(arguments: &NatArguments) -> u8 {
    let lanes = if arguments.servers.is_empty() { Servers::ALL.to_vec() } else { arguments.servers.clone() };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            eprintln!("cannot run: {error}");
            return CANNOT_RUN;
        }
    };
    let played = nat::play(&program, &lanes, |met| {
        let time = met.ms.map(|ms| format!(" in {ms} ms")).unwrap_or_default();
        let state = if met.is_good() { "" } else { "  WORSE than theory" };
        let (a, b, servers) = (met.a.name(), met.b.name(), met.servers.name());
        eprintln!("{servers:<9} {a} with {b}: {}{time}{state}", met.way.name());
    });
    let met = match played {
        Ok(met) => met,
        Err(error) => {
            eprintln!("cannot run: {error} (this needs root, ip, nft, sysctl and turnserver)");
            return CANNOT_RUN;
        }
    };
    let worse: Vec<_> = met.iter().filter(|met| !met.is_good()).collect();
    if arguments.json {
        println!("{}", serde_json::json!({ "ok": worse.is_empty(), "pairs": met }));
    } else {
        println!("\n{}", nat::table(&met));
        for met in &worse {
            let (a, b, servers) = (met.a.name(), met.b.name(), met.servers.name());
            println!("{servers}: {a} with {b} should be {}; what they told:", met.expected.name());
            met.log.iter().for_each(|line| println!("    {line}"));
        }
        println!("{} pairs as good as theory, {} worse", met.len() - worse.len(), worse.len());
    }
    u8::from(!worse.is_empty())
}

fn doctor(arguments: &DoctorArguments) -> u8 {
    let beside = || std::env::current_exe().map(|program| program.with_file_name("weft"));
    let weft = arguments.weft.clone().map_or_else(beside, Ok);
    let examined = weft.and_then(|weft| {
        nat::doctor::examine(&weft, |diagnosis| eprintln!("{}: {}", diagnosis.nat.name(), diagnosis.verdict))
    });
    let all = match examined {
        Ok(all) => all,
        Err(error) => {
            eprintln!("cannot run: {error} (this needs root, ip, nft, sysctl, turnserver and weft)");
            return CANNOT_RUN;
        }
    };
    let wrong = all.iter().filter(|diagnosis| !diagnosis.faults.is_empty()).count();
    if arguments.json {
        println!("{}", serde_json::json!({ "ok": wrong == 0, "diagnoses": all }));
    } else {
        println!("\n{:<20} {:<28} {:<28} relays, ms", "", "mapping", "filtering");
        for diagnosis in &all {
            let (mapping, filtering) = (diagnosis.mapping.as_deref(), diagnosis.filtering.as_deref());
            let relays: Vec<_> = diagnosis.relays.iter().map(|(by, ms)| format!("{by} {ms:.0}")).collect();
            let (name, relays) = (diagnosis.nat.name(), relays.join(", "));
            println!("{name:<20} {:<28} {:<28} {relays}", mapping.unwrap_or("-"), filtering.unwrap_or("-"));
            diagnosis.faults.iter().for_each(|fault| println!("    WRONG: {fault}"));
        }
        println!("{} called what they are, {wrong} not", all.len() - wrong);
    }
    u8::from(wrong > 0)
}

fn mtu(arguments: &MtuArguments) -> u8 {
    let played = mtu::play(|one| {
        let state = if one.faults.is_empty() { "passed" } else { "FAILED" };
        eprintln!(
            "{:<30} {state}: {} messages in {:.2} s, {} datagrams put together, packets of {} bytes",
            one.path, one.arrived, one.seconds, one.reassembled, one.packet
        );
        one.faults.iter().for_each(|fault| eprintln!("    {fault}"));
    });
    match played {
        Ok(all) => {
            let ok = all.iter().all(|one| one.faults.is_empty());
            if arguments.json {
                println!("{}", serde_json::json!({ "ok": ok, "paths": all }));
            }
            u8::from(!ok)
        }
        Err(error) => {
            eprintln!("cannot run: {error} (this needs root, ip, nft and sysctl)");
            CANNOT_RUN
        }
    }
}

fn nat_peer(arguments: &NatPeerArguments) -> u8 {
    let task = nat::peer::Task {
        offers: arguments.offers,
        servers: arguments.servers,
        certificate: arguments.certificate.clone(),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{error}");
            return CANNOT_RUN;
        }
    };
    match runtime.block_on(nat::peer::run(&task)) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error}");
            1
        }
    }
}
