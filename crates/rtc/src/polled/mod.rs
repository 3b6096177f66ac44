//! Peer connections for a loop of your own, in the shape of Godot's `WebRTCPeerConnection`.
//!
//! Nothing here needs a runtime or a thread, and nothing blocks: [`PeerConnection::poll`], called once a frame, moves
//! datagrams, fires timers and collects what happened; [`PeerConnection::next_signal`] hands it out.
//!
//! ```
//! use weft_rtc::polled::{ChannelOptions, ChannelState, PeerConnection, Signal};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (mut alice, mut bob) = (PeerConnection::new(), PeerConnection::new());
//! // Agreed on beforehand; without `negotiated`, the other side learns of it by `Signal::DataChannelReceived`.
//! let options = ChannelOptions { negotiated: true, id: Some(1), ..ChannelOptions::default() };
//! let mut hers = alice.create_data_channel("chat", &options)?;
//! let mut his = bob.create_data_channel("chat", &options)?;
//! alice.create_offer()?;
//!
//! // What a signalling server would carry between two machines.
//! fn relay(from: &mut PeerConnection, to: &mut PeerConnection) -> Result<(), Box<dyn std::error::Error>> {
//!     from.poll()?;
//!     while let Some(signal) = from.next_signal() {
//!         match signal {
//!             Signal::SessionDescriptionCreated { kind, sdp } => {
//!                 from.set_local_description(&kind, &sdp)?;
//!                 to.set_remote_description(&kind, &sdp)?;
//!             }
//!             Signal::IceCandidateCreated { media, index, name } => to.add_ice_candidate(&media, index, &name)?,
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! }
//!
//! while hers.ready_state() != ChannelState::Open || his.ready_state() != ChannelState::Open {
//!     relay(&mut alice, &mut bob)?;
//!     relay(&mut bob, &mut alice)?;
//! }
//! hers.put_packet(b"hello")?;
//! while his.available_packet_count() == 0 {
//!     alice.poll()?;
//!     bob.poll()?;
//! }
//! assert_eq!(his.get_packet()?, &b"hello"[..]);
//! # Ok(())
//! # }
//! ```
//!
//! # Where this differs from what Godot's pages say
//! * `set_local_description` is real: gathering starts there, and only with the description that was created. Native
//!   plug-ins that ignore the call hide mistakes which then appear in browsers alone.
//! * Candidates that come before the remote description are kept (up to 100), not refused.
//! * Text is carried whole, NULs included; empty messages are carried too.
//! * What was queued when [`PeerConnection::close`] was called can still be taken with `next_signal`.
//! * Messages that nobody reads slow their sender down (its buffer fills); none is dropped.

mod channel;
mod config;
mod error;
mod peer;
mod state;

pub use channel::{ChannelState, DataChannel, UNSET, WriteMode};
pub use config::{ChannelOptions, Configuration, IceServer};
pub use error::{Error, ErrorCode};
pub use peer::{ConnectionState, PeerConnection, Signal};
