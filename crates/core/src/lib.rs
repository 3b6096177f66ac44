//! The foundation every Weft layer stands on. No protocol lives here.
//!
//! | item | what it is |
//! |---|---|
//! | [`Instant`] | a point in time that a test can invent and wasm32 can make |
//! | [`Layer`], [`Wrap`] | the one interface of all layers |
//! | [`Frame`] | one datagram being built, with room at its head and tail for the layers around |
//! | [`Batch`] | the caller's send buffer: datagrams end to end, grouped into runs that leave in one call |
//! | [`Path`], [`Datagram`], [`Ecn`] | where datagrams come from and go to |
//! | [`Timers`] | a small table of deadlines |
//! | [`Serial16`], [`Serial32`] | numbers that wrap (RFC 1982), with no `<` to get wrong |
//! | [`Rng`] | randomness from a seed |
//!
//! Nothing here does I/O, reads a clock or starts a thread.

mod batch;
mod frame;
mod layer;
mod path;
mod rng;
mod serial;
mod time;
mod timer;

pub use batch::{Batch, Limits, Run};
pub use frame::{Committable, Frame, Full, Overhead};
pub use layer::{Layer, Spent, Wrap};
pub use path::{Datagram, Ecn, Path, Transport};
pub use rng::{Rng, Seed};
pub use serial::{Serial16, Serial32};
pub use time::Instant;
pub use timer::{TimerKey, Timers};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
