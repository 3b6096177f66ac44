//! Which of what was sent is lost, how fast it is delivered, and what was wrongly taken for lost.
//!
//! * [`transmissions`] keeps when each chunk left, in the order of leaving.
//! * [`rack`] detects loss by time ([RFC 8985](https://www.rfc-editor.org/rfc/rfc8985), adapted to TSNs), with a
//!   reordering window and tail loss probes.
//! * [`rate`] measures the delivery rate.
//! * [`undo`] finds losses that were none.

mod rack;
mod rate;
mod transmissions;
mod undo;

pub(crate) use rack::Rack;
pub(crate) use rate::{Delivery, Newest};
pub(crate) use transmissions::{Transmission, Transmissions};
pub(crate) use undo::Undo;
