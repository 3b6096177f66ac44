//! The TURN client.

mod allocation;
mod data;
mod third_party;
pub(crate) mod world;
