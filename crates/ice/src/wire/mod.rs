//! Checks and their responses as STUN messages. All that ICE sends is written here.

mod binding;

pub(crate) use binding::{NOMINATION, Outcome, Request, Response, Unknown};
