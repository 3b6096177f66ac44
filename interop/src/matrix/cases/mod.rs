//! The cases: a table in each group's file, and under it what its rows do. Each is played with either stack in either seat.

mod bad;
mod channels;
mod close;
mod connect;
mod death;
mod dtls;
mod messages;
mod restart;
mod transfer;
mod turn;

use std::pin::Pin;
use std::time::Duration;

use super::table::Table;
use crate::failure::Outcome;

/// What a case comes to: a short remark for the results, or why it failed.
pub type Run<'t> = Pin<Box<dyn Future<Output = Outcome<String>> + 't>>;

/// One case.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// `group/what/variant`: what `--case` looks in.
    pub name: &'static str,
    /// What must hold, in one sentence.
    pub about: &'static str,
    /// Whether it is played in `--quick`, and in `--all` also where Weft has no seat.
    pub core: bool,
    /// After this it has failed.
    pub limit: Duration,
    /// Plays it.
    pub run: for<'t> fn(&'t mut Table<'_>) -> Run<'t>,
}

impl Case {
    const fn new(name: &'static str, about: &'static str, run: for<'t> fn(&'t mut Table<'_>) -> Run<'t>) -> Self {
        Self { name, about, core: false, limit: Duration::from_secs(90), run }
    }

    const fn core(self) -> Self {
        Self { core: true, ..self }
    }

    const fn limit(self, seconds: u64) -> Self {
        Self { limit: Duration::from_secs(seconds), ..self }
    }
}

/// All of them, in the order in which they are played: those that need other containers than the one before stand last.
pub fn all() -> Vec<Case> {
    [
        connect::CASES,
        dtls::CASES,
        channels::CASES,
        messages::CASES,
        transfer::CASES,
        close::CASES,
        restart::CASES,
        bad::CASES,
        death::CASES,
        connect::HIDDEN,
        turn::CASES,
    ]
    .concat()
}
