//! Virtual time and seeded networks for testing any [`Layer`](weft_core::Layer).
//!
//! A test puts two hosts at the ends of two [`Link`]s and lets virtual time run: no sockets, no sleeping, and the same
//! seed gives the same run to the bit.
//!
//! ```
//! use std::time::Duration;
//! use weft_testkit::{Host, LinkConfig, Loss, Node, Pair, for_seeds};
//! # use weft_core::{Frame, Instant, Layer};
//! # /// Sends its number until it has heard the other's.
//! # struct Greeter { heard: Option<u8>, number: u8, at: Option<Instant> }
//! # impl Greeter { fn new(number: u8) -> Self { Self { heard: None, number, at: Some(Instant::ORIGIN) } } }
//! # impl Layer for Greeter {
//! #     type Input<'d> = &'d [u8];
//! #     type Yield<'s> = &'s [u8];
//! #     type Route = ();
//! #     type Event = u8;
//! #     type Error = std::convert::Infallible;
//! #     fn handle_input<'s>(&'s mut self, _: Instant, input: &'s [u8]) -> Result<&'s [u8], Self::Error> {
//! #         self.heard = input.first().copied();
//! #         Ok(input)
//! #     }
//! #     fn handle_timeout(&mut self, _: Instant) -> Result<(), Self::Error> { Ok(()) }
//! #     fn poll_transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<()> {
//! #         self.at.filter(|at| *at <= now)?;
//! #         self.at = Some(now + Duration::from_millis(100));
//! #         frame.push_u8(self.number).ok()
//! #     }
//! #     fn poll_event(&mut self) -> Option<u8> { None }
//! #     fn poll_timeout(&self) -> Option<Instant> { self.at }
//! # }
//! for_seeds("greets", 200, |seed| {
//!     let link = LinkConfig { delay: Duration::from_millis(20), loss: Loss::Random(0.1), ..LinkConfig::default() };
//!     // `Greeter` is a `Layer`; the second node keeps what its layer yields.
//!     let a = Node::new(Greeter::new(1));
//!     let b = Node::collecting(Greeter::new(2), Vec::new(), |got: &mut Vec<u8>, _now, yielded: &[u8]| {
//!         got.extend_from_slice(yielded);
//!     });
//!     let mut pair = Pair::new(a, b, link, seed);
//!     pair.run_until(Duration::from_secs(30), |pair| {
//!         pair.a.layer.heard.is_some() && pair.b.layer.heard.is_some()
//!     })
//!     .unwrap();
//!     assert_eq!(pair.b.collected[0], 1);
//! });
//! ```
//!
//! | item | what it is |
//! |---|---|
//! | [`Pair`] | two hosts, two links and the clock: runs them, captures, injects and changes packets in flight |
//! | [`Dumbbell`] | flows that share a bottleneck |
//! | [`Host`] | what stands at an end of a link |
//! | [`Node`] | any [`Layer`](weft_core::Layer) as a host, whether its input is a datagram or bytes, its route a path or `()` |
//! | [`Link`], [`LinkConfig`] | one direction: delay, jitter, loss, reordering, duplication, corruption, MTU, bandwidth, queue |
//! | [`Nat`] | an address translator, with the mapping and filtering behaviours of RFC 4787 |
//! | [`TurnServer`] | a STUN and TURN server |
//! | [`for_seeds`] | runs a test over many seeds and prints the line that replays a failure |
//! | [`Clock`] | virtual time |
//! | [`pcap`] | a captured trace as a file for Wireshark |

mod addresses;
mod clock;
mod dumbbell;
mod host;
mod link;
mod nat;
mod packet;
mod pair;
pub mod pcap;
mod seeds;
mod turn_server;

pub use addresses::{A_V4, A_V6, B_V4, B_V6};
pub use clock::Clock;
pub use dumbbell::Dumbbell;
pub use host::{Host, Node, ToPath};
pub use link::{Fate, Fragments, Link, LinkConfig, LinkStats, Loss};
pub use nat::{Behaviour, Nat, NatConfig};
pub use packet::Packet;
pub use pair::{Pair, Side, Stalled, Traced, Verdict};
pub use seeds::{for_seeds, seeds};
pub use turn_server::{Sent, ThirdParty, TurnServer, TurnServerConfig};
