//! Bad networks for real sockets: a seeded UDP relay ([`relay`]), tests of the TURN client against coturn ([`check`]),
//! NATs of every kind, each against each ([`nat`]), and a path whose MTU shrinks ([`mtu`]).

pub mod check;
pub mod coturn;
pub mod mtu;
pub mod namespaces;
pub mod nat;
pub mod relay;
