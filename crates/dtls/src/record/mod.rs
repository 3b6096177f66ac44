//! The record layer: epochs, protection, replay window. Independent of the handshake that fills it with keys.

mod epoch;
mod layer;
mod protection;
mod replay;

pub(crate) use epoch::{ReadEpoch, WriteEpoch};
pub(crate) use layer::{Incoming, RecordLayer, split};
pub(crate) use protection::{Protection, V12Keys};
