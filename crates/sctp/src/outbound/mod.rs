//! The sending side: what is queued, and what is outstanding.

mod chunk;
mod flight;
mod message;
mod notices;
mod partial;
mod queue;
mod sack;
mod scheduler;

pub(crate) use chunk::Piece;
pub(crate) use flight::{Flight, Limits};
pub(crate) use message::{OutMessage, Pieces};
pub(crate) use queue::SendQueue;
pub(crate) use sack::SackOutcome;
pub use scheduler::Scheduler;
