//! Checks and their responses as STUN messages. All that ICE sends is written here.

mod binding;

pub(crate) use binding::{Outcome, Request, Response, Unknown};
