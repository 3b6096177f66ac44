//! The interop suite's command.

#[path = "matrix_command.rs"]
mod matrix;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use weft_interop::browser::{Flags, find_tools};
use weft_interop::cases;
use weft_interop::engine::Engine;
use weft_interop::failure::Outcome;
use weft_interop::native::build_weft;
use weft_interop::report::Report;
use weft_interop::run::play;
use weft_interop::stage::{Env, Native};

/// Something that is needed is not there: nothing was tested.
const CANNOT_RUN: u8 = 2;
/// As a shell says of a program that an interrupt ended.
const INTERRUPTED: u8 = 130;

#[derive(Parser)]
#[command(name = "weft-interop", about = "Does Weft work with browsers and the other stacks?")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Connects Weft with headless Chromium, by bare offers and answers and by the page of `weft serve`.
    Browser(BrowserArguments),
    /// Runs every stack with every other in containers, and writes a matrix.
    Matrix(matrix::Arguments),
}

#[derive(Args)]
struct BrowserArguments {
    /// Only cases whose name contains this; may be given more than once.
    #[arg(long, value_name = "NAME")]
    filter: Vec<String>,
    /// Names the cases and ends.
    #[arg(long)]
    list: bool,
    /// Prints the results as one JSON object.
    #[arg(long)]
    json: bool,
    /// The `weft` command to test; built from this workspace when not given.
    #[arg(long, value_name = "PATH")]
    weft: Option<PathBuf>,
    /// A test project of the plug-in with its `engine.json`, as `cargo xtask godot` makes it: plays the cases `godot/…`,
    /// which are left out without it.
    #[arg(long, value_name = "FOLDER")]
    godot: Option<PathBuf>,
    /// Who sits opposite the browser.
    #[arg(long, value_enum, default_value_t = Against::Weft)]
    against: Against,
    /// Where the folders with transcripts of failures and pictures of the page go; `target` when not given.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Against {
    /// The `weft` command.
    Weft,
    /// The browser itself: tells faults of this suite from faults of Weft.
    Chromium,
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Cli::parse().command;
    let work = async {
        match &command {
            Command::Browser(arguments) => browser(arguments).await,
            Command::Matrix(arguments) => matrix::run(arguments).await,
        }
    };
    let code = tokio::select! {
        code = work => code,
        () = interrupted() => {
            eprintln!("interrupted");
            INTERRUPTED
        }
    };
    if matches!(command, Command::Matrix(_)) {
        weft_interop::docker::sweep(false);
    }
    ExitCode::from(code)
}

/// Until somebody wants this to end. Dropping what runs then kills what was started.
async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

async fn browser(arguments: &BrowserArguments) -> u8 {
    let wanted = |name: &str| arguments.filter.is_empty() || arguments.filter.iter().any(|part| name.contains(part));
    let mut cases = cases::browser();
    cases.retain(|case| !case.engine || arguments.godot.is_some() || arguments.list);
    cases.retain(|case| wanted(&case.name) && !(case.weft_only && arguments.against == Against::Chromium));
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
    let started = Instant::now();
    let native_wanted = cases.iter().any(|case| !case.engine);
    let env = match prepare(arguments, native_wanted).await {
        Ok(env) => Arc::new(env),
        Err(failure) => {
            eprintln!("cannot run: {failure}");
            return CANNOT_RUN;
        }
    };
    let chromium = match env.browser(Flags { mdns: true }).await {
        Ok(browser) => format!("Chromium {}", browser.version()),
        Err(failure) => {
            eprintln!("cannot run: {failure}");
            return CANNOT_RUN;
        }
    };
    let native = match (&env.engine, &env.native) {
        (Some(engine), _) if !native_wanted => engine.name().to_owned(),
        (_, Native::Weft(path)) => format!("Weft ({})", path.display()),
        (_, Native::Chromium) => "Chromium itself".to_owned(),
    };
    eprintln!("{native} and {chromium}, {} cases", cases.len());
    let results = play(&env, &cases, |line| eprintln!("{line}")).await;
    env.stop().await;
    let report = Report::new(chromium, native, started.elapsed(), results);
    if arguments.json {
        match serde_json::to_string_pretty(&report) {
            Ok(json) => println!("{json}"),
            Err(error) => eprintln!("the results cannot be written: {error}"),
        }
    } else {
        println!("{}", report.table());
    }
    u8::from(!report.passed)
}

async fn prepare(arguments: &BrowserArguments, native_wanted: bool) -> Outcome<Env> {
    let tools = find_tools()?;
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let native = match (arguments.against, &arguments.weft) {
        (Against::Chromium, _) => Native::Chromium,
        _ if !native_wanted => Native::Chromium,
        (Against::Weft, Some(path)) => Native::Weft(path.clone()),
        (Against::Weft, None) => Native::Weft(build_weft(&workspace).await?),
    };
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let out = arguments.out.clone().unwrap_or(target);
    let engine = arguments.godot.as_deref().map(Engine::of).transpose()?;
    Env::start(tools, native, engine, out).await
}
