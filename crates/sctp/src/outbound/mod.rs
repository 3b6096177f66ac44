//! The sending side: what is queued, and what is outstanding.

mod flight;
mod partial;
mod queue;
mod sack;

pub(crate) use flight::{Flight, Piece};
pub(crate) use queue::{OutMessage, SendQueue};
pub(crate) use sack::SackOutcome;
