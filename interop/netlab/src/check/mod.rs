//! The TURN client of `weft-stun` on the sockets of `weft-net`, against a real coturn.

mod cases;
mod transport;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Serialize;

pub use cases::{CASES, Case, Outcome};
pub use transport::{BeginError, Driver, PATIENCE};

/// Cases that run at a time: they mostly wait.
const AT_ONCE: usize = 6;

/// What came of a case.
#[derive(Clone, Debug, Serialize)]
pub struct Done {
    /// Its name.
    pub name: &'static str,
    /// What must hold.
    pub about: &'static str,
    /// How long it took.
    pub seconds: f64,
    /// Why it failed.
    pub failure: Option<String>,
}

/// Plays the cases, telling `progress` of each that ends; in their order, what came of them.
pub fn play(cases: &[&Case], progress: impl Fn(&Done) + Sync) -> Vec<Done> {
    let (next, done) = (Mutex::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(cases.len()) {
            scope.spawn(|| {
                loop {
                    let at = {
                        let Ok(mut next) = next.lock() else { return };
                        let at = *next;
                        *next += 1;
                        at
                    };
                    let Some(case) = cases.get(at) else { return };
                    let start = Instant::now();
                    let failure = (case.run)().err().map(|error| error.to_string());
                    let seconds = rounded(start.elapsed());
                    let result = Done { name: case.name, about: case.about, seconds, failure };
                    progress(&result);
                    if let Ok(mut done) = done.lock() {
                        done.push((at, result));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 100.0).round() / 100.0
}
