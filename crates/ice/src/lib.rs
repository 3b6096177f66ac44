//! An ICE agent (RFC 8445), sans-IO: full or lite, with trickle (RFC 8838), restart, consent freshness (RFC 7675) and
//! patience (RFC 8863); host, reflexive and relayed candidates over UDP, and TCP candidates (RFC 6544). It asks STUN and TURN
//! servers itself ([`Agent::add_server`]).
//!
//! The [`Agent`] is a [`Layer`](weft_core::Layer): it takes datagrams, keeps those that are STUN, and yields the others if
//! an authentic check has come by their path. It tells by which [`Path`](weft_core::Path) to send
//! ([`Agent::selected_path`], [`Agent::wrap`]); sockets, connections, the resolving of names and signalling are the caller's.
//! A [`Demultiplexer`] lets any number of agents share one socket.
//!
//! ```
//! use weft_core::{Datagram, Frame, Instant, Layer, Overhead, Path, Rng};
//! use weft_ice::{Agent, Config, LocalCandidate, Role};
//!
//! let now = Instant::ORIGIN;
//! let mut a = Agent::new(Config::default(), Role::Controlling, Rng::from_test_seed(1));
//! let mut b = Agent::new(Config::default(), Role::Controlled, Rng::from_test_seed(2));
//! let for_b = *a.add_local_candidate(now, LocalCandidate::host("192.0.2.1:5000".parse()?))?.ok_or("redundant")?;
//! b.add_local_candidate(now, LocalCandidate::host("192.0.2.2:6000".parse()?))?;
//!
//! // Signalling. A hears of no candidate of B at all: it will learn one from B's check.
//! a.set_remote_credentials(now, b.local_credentials());
//! b.set_remote_credentials(now, a.local_credentials());
//! b.add_remote_candidate(now, for_b)?;
//!
//! // A network without delay.
//! let mut buf = [0; 1200];
//! while a.selected_path().is_none() || b.selected_path().is_none() {
//!     for turn in 0..2 {
//!         let (from, to) = if turn == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
//!         let mut frame = Frame::new(&mut buf, Overhead::NONE);
//!         while let Some(path) = from.poll_transmit(now, &mut frame) {
//!             to.handle_input(now, Datagram::new(Path::udp(path.remote, path.local), frame.content_mut()))?;
//!             frame.truncate(0);
//!         }
//!     }
//! }
//! assert_eq!(a.selected_path(), Some(Path::udp("192.0.2.1:5000".parse()?, "192.0.2.2:6000".parse()?)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The README lists what is supported by RFC section, and the choices where the RFCs leave some.

mod agent;
mod candidate;
mod checklist;
mod client;
mod conclude;
mod config;
mod consent;
mod credentials;
mod demux;
mod error;
mod event;
mod gather;
mod locals;
mod network;
mod pace;
mod pair;
mod server;
mod session;
mod stats;
mod stream;
mod watch;
mod wire;

pub use agent::Agent;
pub use candidate::{Candidate, CandidateKind, Foundation, LocalCandidate, TcpType};
pub use config::{Config, Policy};
pub use credentials::Credentials;
pub use demux::{Demultiplexer, DemuxStats, Route, Taken};
pub use error::{CandidateError, CredentialsError, Error};
pub use event::{CheckResult, Event, FailureReason, GatheringError, IceState, PairInfo, RestartReason, Role};
pub use gather::{Host, Server, ServerError, ServerId, ServerKind};
pub use stats::{CheckCounts, CheckState, PairStats, Stats};
pub use stream::StreamKind;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
