//! Plays cases and notes what comes of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::cases::Case;
use crate::failure::Failure;
use crate::report::{CaseResult, FailureReport};
use crate::stage::{Env, Stage};

/// Lines of each transcript shown with a failure, and bytes of each.
const LAST_LINES: usize = 25;
const LINE: usize = 400;

/// Plays the cases in order; patient ones that follow one another side by side. `progress` is told a line for each.
pub async fn play(env: &Arc<Env>, cases: &[Case], progress: impl Fn(&str)) -> Vec<CaseResult> {
    let mut results: Vec<CaseResult> = Vec::new();
    let total = cases.len();
    let mut rest = cases;
    while let Some(first) = rest.first() {
        let count = if first.patient { rest.iter().take_while(|case| case.patient).count() } else { 1 };
        let (batch, after) = rest.split_at(count);
        rest = after;
        if count > 1 {
            progress(&format!("{count} cases that mostly wait, side by side …"));
        }
        for result in join_all(batch.iter().map(|case| one(env, case))).await {
            let word = if result.passed { "ok" } else { "FAILED" };
            let number = results.len() + 1;
            let mut line = format!("[{number:2}/{total}] {} … {word} {:.1} s", result.name, result.seconds);
            if let Some(failure) = &result.failure {
                line = format!("{line}: {}", failure.message);
            } else if !result.remark.is_empty() {
                line = format!("{line}, {}", result.remark);
            }
            progress(&line);
            results.push(result);
        }
    }
    results
}

async fn one(env: &Arc<Env>, case: &Case) -> CaseResult {
    let started = Instant::now();
    let mut stage = Stage::new(Arc::clone(env), case.setup);
    let played = timeout(case.limit, async {
        let remark = (case.run)(&mut stage).await?;
        stage.finish().await?;
        Ok(remark)
    })
    .await
    .unwrap_or_else(|_| Err(Failure::new(format!("not done within {} s", case.limit.as_secs()))));
    let seconds = started.elapsed().as_secs_f64();
    let state = if played.is_err() { stage.describe() } else { String::new() };
    let descriptions = if played.is_err() { stage.descriptions() } else { Vec::new() };
    stage.clear(played.is_err()).await;
    let (remark, failure) = match played {
        Ok(remark) => (remark, None),
        Err(failure) => {
            let last_lines =
                stage.transcripts().iter().map(|t| (t.name().to_owned(), t.last(LAST_LINES, LINE))).collect();
            let folder = keep(&env.out.join("browser-failures").join(case.name.replace('/', "-")), &stage);
            let message = failure.to_string();
            (String::new(), Some(FailureReport { message, state, descriptions, last_lines, folder }))
        }
    };
    CaseResult { name: case.name.clone(), about: case.about, passed: failure.is_none(), seconds, remark, failure }
}

/// Writes the whole transcripts and tells where.
fn keep(folder: &Path, stage: &Stage) -> Option<String> {
    std::fs::create_dir_all(folder).ok()?;
    for transcript in stage.transcripts() {
        std::fs::write(folder.join(format!("{}.log", transcript.name())), transcript.text()).ok()?;
    }
    Some(folder.display().to_string())
}
