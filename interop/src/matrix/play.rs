//! Plays a plan on several lanes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Instant;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::capture::Capture;
use super::cases::Case;
use super::known::Known;
use super::lane::Lane;
use super::plan::Unit;
use super::report::{Failed, Lost, Played, Status};
use super::table::Table;
use crate::failure::{Failure, Outcome};
use crate::stacks::Stack;

/// Bytes of each transcript kept with a failure.
const TRANSCRIPT: usize = 60_000;

/// Plays of one case at most, where a stack loses a race each time.
const PLAYS: usize = 3;

/// Plays everything, `jobs` pairs side by side, or halves of pairs where there are fewer pairs. `progress` is told a line for
/// each case.
pub async fn play(units: Vec<Unit>, known: &Known, jobs: usize, progress: impl Fn(&str)) -> Outcome<Vec<Played>> {
    let total: usize = units.iter().map(|unit| unit.halves.len() * unit.cases.len()).sum();
    let units = if jobs > units.len() { units.into_iter().flat_map(Unit::split).collect() } else { units };
    let jobs = jobs.clamp(1, units.len().max(1));
    let queue = RefCell::new(VecDeque::from(units));
    let results = RefCell::new(Vec::new());
    let lanes = join_all((0..jobs).map(async |number| {
        let mut lane = Lane::new(number).await?;
        loop {
            let Some(unit) = queue.borrow_mut().pop_front() else { break };
            for [offerer, answerer] in unit.halves {
                for case in &unit.cases {
                    let played = one(&mut lane, known, offerer, answerer, case).await;
                    let count = results.borrow().len() + 1;
                    progress(&format!("[{count}/{total}] {}", played.line()));
                    results.borrow_mut().push(played);
                }
            }
            lane.clear().await;
        }
        Ok::<_, Failure>(())
    }));
    for lane in lanes.await {
        lane?;
    }
    Ok(results.into_inner())
}

/// One case, again where a stack lost a race of its own.
async fn one(lane: &mut Lane, known: &Known, offerer: &'static Stack, answerer: &'static Stack, case: &Case) -> Played {
    let mut lost = Vec::new();
    loop {
        let mut played = play_once(lane, known, offerer, answerer, case).await;
        let race = played.failure.as_ref().filter(|_| played.status == Status::Failed).and_then(|f| known.race(f));
        match (race, played.failure.take()) {
            (Some(reason), Some(failure)) if lost.len() + 1 < PLAYS => {
                lost.push(Lost { remark: played.remark, reason, failure });
            }
            (_, failure) => return Played { failure, lost, ..played },
        }
    }
}

async fn play_once(
    lane: &mut Lane,
    known: &Known,
    offerer: &'static Stack,
    answerer: &'static Stack,
    case: &Case,
) -> Played {
    let mut played = Played::new(offerer.name, answerer.name, case);
    if let Some(reason) = known.unsupported(offerer.name, answerer.name, case.name) {
        played.status = Status::Unsupported;
        played.remark = reason;
        return played;
    }
    let capture = Capture::start(&lane.network().bridge, &lane.capture_file()).await;
    let started = Instant::now();
    let mut table = Table::new(lane, offerer, answerer);
    let outcome = timeout(case.limit, async {
        let remark = (case.run)(&mut table).await?;
        table.finish().await?;
        Ok(remark)
    })
    .await
    .unwrap_or_else(|_| Err(Failure::new(format!("not done within {} s", case.limit.as_secs()))));
    played.seconds = started.elapsed().as_secs_f64();
    played.versions = table.versions.clone();
    let good = match outcome {
        Ok(remark) => {
            played.remark = remark;
            true
        }
        Err(failure) => {
            let excused = failure.unsupported_by().is_some_and(|by| by != "weft" && !by.ends_with(" weft"));
            played.status = if excused { Status::Unsupported } else { Status::Failed };
            played.remark = failure.to_string();
            excused
        }
    };
    if !good {
        if let Some(reason) = known.failure(offerer.name, answerer.name, case.name) {
            played.status = Status::Known;
            played.reason = Some(reason);
        }
        let transcripts = table.transcripts().iter();
        played.failure = Some(Failed {
            state: table.describe(),
            descriptions: table.descriptions(),
            transcripts: transcripts.map(|t| (t.name().to_owned(), ends(&t.text()))).collect(),
            capture: None,
        });
    }
    drop(table);
    let packets = match capture {
        Some(capture) => capture.finish(!good).await,
        None => None,
    };
    if let Some(failure) = &mut played.failure {
        failure.capture = packets;
    }
    if played.status != Status::Passed {
        // Whatever state the peers are in, the next case is not to suffer from it.
        lane.clear().await;
    }
    played
}

/// The text, or its beginning and its end.
fn ends(text: &str) -> String {
    if text.len() <= TRANSCRIPT {
        return text.to_owned();
    }
    let cut = |at: usize| (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let (head, tail) = (cut(TRANSCRIPT / 2), cut(text.len() - TRANSCRIPT / 2));
    let (head, tail) = (text.get(..head).unwrap_or_default(), text.get(tail..).unwrap_or_default());
    format!("{head}\n… {} bytes left out …\n{tail}", text.len() - head.len() - tail.len())
}
