//! The record layer: epochs, protection, replay window. Independent of the handshake that fills it with keys.

mod connection_id;
mod epoch;
mod layer;
mod open;
mod protection;
mod replay;
mod v13;

pub(crate) use epoch::{ReadEpoch, WriteEpoch};
#[cfg(test)]
pub(crate) use layer::split;
pub(crate) use layer::{Incoming, RecordLayer};
pub(crate) use protection::{Protection, V12Keys};
pub(crate) use v13::V13Keys;
