//! The TURN client.

mod allocation;
mod data;
mod world;
