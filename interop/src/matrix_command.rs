//! The command `matrix`: from images to reports.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use clap::Args;
use weft_interop::docker;
use weft_interop::failure::{Failure, Outcome};
use weft_interop::matrix::cases;
use weft_interop::matrix::known::Known;
use weft_interop::matrix::plan::{Unit, Wish, plan};
use weft_interop::matrix::play::play;
use weft_interop::matrix::report::Report;
use weft_interop::stacks::{STACKS, Stack};

use super::CANNOT_RUN;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Weft with Chromium and libwebrtc, the core cases.
    #[arg(long, conflicts_with = "all")]
    quick: bool,
    /// Every case where Weft has a seat, the core cases for all other pairs.
    #[arg(long)]
    all: bool,
    /// Only pairs with this stack; given twice or more, only pairs among these.
    #[arg(long, value_name = "STACK")]
    peer: Vec<String>,
    /// Only cases whose name contains this; may be given more than once.
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// Names stacks and cases, and ends.
    #[arg(long)]
    list: bool,
    /// Pairs side by side, or halves of pairs where there are fewer; as many as there are processors when not given.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// The `weft` command to test; built from this workspace when not given.
    #[arg(long, value_name = "PATH")]
    weft: Option<PathBuf>,
    /// Prints the results as one JSON object.
    #[arg(long)]
    json: bool,
    /// Where `report.html`, `report.json` and `junit.xml` go; `target/interop-report` when not given.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(crate) async fn run(arguments: &Arguments) -> u8 {
    match matrix(arguments).await {
        Ok(passed) => u8::from(!passed),
        Err(failure) => {
            eprintln!("cannot run: {failure}");
            CANNOT_RUN
        }
    }
}

async fn matrix(arguments: &Arguments) -> Outcome<bool> {
    if arguments.list {
        for stack in STACKS {
            println!("stack {}", stack.name);
        }
        for case in cases::all() {
            println!("case {}{}: {}", case.name, if case.core { " (core)" } else { "" }, case.about);
        }
        return Ok(true);
    }
    let units = wanted(arguments)?;
    docker::check()?;
    docker::sweep(true);
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let known = Known::parse(&std::fs::read_to_string(workspace.join("interop/known.toml"))?)?;
    images(&workspace, &units, arguments.weft.as_deref()).await?;

    let (began, started) = (SystemTime::now(), Instant::now());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let results = play(units, &known, arguments.jobs.unwrap_or(processors), |line| eprintln!("{line}")).await?;
    let command: Vec<String> = std::env::args().skip(2).collect();
    let report = Report::new(command.join(" "), began, started.elapsed(), results);

    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let out = arguments.out.clone().unwrap_or_else(|| target.join("interop-report"));
    std::fs::create_dir_all(&out)?;
    let json = serde_json::to_string_pretty(&report)?;
    for (name, text) in [("report.html", report.html()), ("report.json", json.clone()), ("junit.xml", report.junit())] {
        std::fs::write(out.join(name), text)?;
    }
    if arguments.json {
        println!("{json}");
    } else {
        println!("\n{}", report.text());
    }
    eprintln!("the whole of it: {}", out.join("report.html").display());
    Ok(report.passed)
}

/// What to play.
fn wanted(arguments: &Arguments) -> Outcome<Vec<Unit>> {
    for peer in &arguments.peer {
        if !STACKS.iter().any(|stack| stack.name == peer) {
            let names: Vec<&str> = STACKS.iter().map(|stack| stack.name).collect();
            return Err(Failure::new(format!("there is no stack {peer:?}, but {}", names.join(", "))));
        }
    }
    let wish = Wish {
        quick: arguments.quick,
        others: arguments.all,
        peers: arguments.peer.clone(),
        cases: arguments.case.clone(),
    };
    let stacks: Vec<&'static Stack> = STACKS.iter().collect();
    let units = plan(&stacks, &cases::all(), &wish);
    if units.is_empty() {
        Err(Failure::new("nothing is left to play; --list names stacks and cases"))
    } else {
        Ok(units)
    }
}

/// Builds the images that are stale.
async fn images(workspace: &Path, units: &[Unit], weft: Option<&Path>) -> Outcome {
    let images = workspace.join("interop/images");
    docker::base(&images).await?;
    for stack in STACKS.iter().filter(|stack| units.iter().any(|unit| unit.stacks.contains(stack))) {
        let also = stack.program(workspace, &images, weft).await?;
        if let Some(sources) = docker::stale(&images, stack.name, &also).await? {
            let started = Instant::now();
            eprint!("image of {} … ", stack.name);
            docker::build(&images, stack.name, &sources).await?;
            eprintln!("built in {:.0} s", started.elapsed().as_secs_f64());
        }
    }
    Ok(())
}
