//! The cases, one file for each family.

mod channels;
mod close;
mod connect;
mod death;
mod godot;
mod page;
mod transfer;

use std::pin::Pin;
use std::time::Duration;

use crate::failure::Outcome;
use crate::stage::{Setup, Stage};

/// What a case comes to: a short remark for the table, or why it failed.
pub type Run<'s> = Pin<Box<dyn Future<Output = Outcome<String>> + 's>>;

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// `family/what/variant`: what `--filter` looks in.
    pub name: String,
    /// What must hold, in one sentence.
    pub about: &'static str,
    /// How the stage is set up.
    pub setup: Setup,
    /// After this it has failed.
    pub limit: Duration,
    /// Whether it mostly waits: such cases of one family run side by side.
    pub patient: bool,
    /// Whether only Weft can play it.
    pub weft_only: bool,
    /// Whether a Godot engine sits in the native seat.
    pub engine: bool,
    /// Plays it.
    pub run: for<'s> fn(&'s mut Stage) -> Run<'s>,
}

impl Case {
    fn new(
        name: impl Into<String>,
        about: &'static str,
        setup: Setup,
        run: for<'s> fn(&'s mut Stage) -> Run<'s>,
    ) -> Self {
        let limit = Duration::from_secs(60);
        Self { name: name.into(), about, setup, limit, patient: false, weft_only: false, engine: false, run }
    }
}

/// All cases with a browser, in the order in which they run.
pub fn browser() -> Vec<Case> {
    [
        connect::cases(),
        channels::cases(),
        transfer::cases(),
        close::cases(),
        page::cases(),
        death::cases(),
        godot::cases(),
    ]
    .concat()
}
