//! Bad networks for real sockets: a seeded UDP relay ([`relay`]), tests of the TURN client against coturn ([`check`]), and
//! NATs of every kind, each against each ([`nat`]).

pub mod check;
pub mod coturn;
pub mod nat;
pub mod relay;
