//! The TURN client.

mod allocation;
mod answers;
mod data;
mod third_party;
pub(crate) mod world;
