//! A TURN client (RFC 8656), sans-IO: one allocation on one server, over UDP, TCP or TLS.
//!
//! [`Client`] is a [`Layer`](weft_core::Layer). It takes what comes from the server and yields what peers sent; its requests
//! leave by `poll_transmit`. What goes to a peer is wrapped in place, in the head room of its frame ([`Client::wrap`], or
//! [`Client::relay`] where a [`Wrap`](weft_core::Wrap) is wanted). It refreshes allocation, permissions and channels, takes new
//! nonces, follows redirections, gets a new allocation when the server has forgotten the old one, and gives it back
//! when it is closed.
//!
//! ```
//! use weft_core::{Frame, Instant, Layer, Overhead, Path, Rng};
//! use weft_stun::turn::{Client, Config, Event, MAX_OVERHEAD};
//! use weft_stun::Credentials;
//!
//! # fn send_to_server(_: Path, _: &[u8]) {}
//! let now = Instant::ORIGIN;
//! let path = Path::udp("192.0.2.1:5000".parse()?, "198.51.100.1:3478".parse()?);
//! let config = Config::new(Credentials::new("alice", "secret"));
//! let mut client = Client::new(now, config, path, Rng::from_test_seed(1)); // a program seeds it from the operating system
//! let peer: core::net::SocketAddr = "203.0.113.9:7000".parse()?;
//! client.permit(now, peer.ip())?;
//! client.bind_channel(now, peer)?;
//!
//! let mut buf = [0; 1500];
//! let mut frame = Frame::new(&mut buf, Overhead::NONE);
//! while let Some(path) = client.poll_transmit(now, &mut frame) {
//!     send_to_server(path, frame.content());
//!     frame.truncate(0);
//! }
//! while let Some(event) = client.poll_event() {
//!     if let Event::Allocated(allocation) = event {
//!         println!("peers reach us at {}", allocation.relayed);
//!     }
//! }
//! // Once it is allocated, datagrams are wrapped where they lie.
//! let mut frame = Frame::new(&mut buf, MAX_OVERHEAD);
//! frame.push(b"hello")?;
//! if let Ok(path) = client.wrap(peer, &mut frame) {
//!     send_to_server(path, frame.content());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod config;
mod event;
mod peers;
mod receive;
mod relay;
mod request;

pub use client::{Client, Received, RequestError, State, Stats};
pub use config::{Config, RelayFamily};
pub use event::{Allocation, Event, Failure, LostReason};
pub use relay::{MAX_OVERHEAD, Relay};
