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
//! * `set_remote_description` takes an offer in state `New`, and once more whenever an exchange is over, which the engine's
//!   own implementation refuses: without it ICE could not restart, and a player who changes networks would be lost.
//! * Candidates that come before the remote description are kept, not refused.
//! * Text is carried whole, NULs included; empty messages are carried too.
//! * What was queued when [`PeerConnection::close`] was called is still told by the next `poll`;
//!   [`PeerConnection::initialize`] forgets it.
//! * There is no `create_answer`, which no engine calls: the plug-in answers `ERR_UNAVAILABLE` for it.
//!
//! # What is kept of what nobody takes
//! | what | at most | beyond it |
//! |---|---|---|
//! | candidates that came before their description | [`Config::max_remote_candidates`](crate::Config::max_remote_candidates), 100 | ignored, counted in [`Counters`](crate::sans_io::Counters) |
//! | signals not taken with [`PeerConnection::next_signal`] | 1,000 candidates, 1,000 channels, 100 errors, one description | the channel is closed, the candidate or error lost; a later description replaces the one that waits |
//! | messages not read with [`DataChannel::get_packet`] | [`Config::receive_buffer`](crate::Config::receive_buffer), 4 MiB for all channels together | the other side waits; none is lost |
//! | messages not sent yet | [`Config::send_buffer`](crate::Config::send_buffer), 1 MiB for all channels together | [`DataChannel::put_packet`] fails |
//! | channels | 4,096 in each connection | refused |

mod channel;
mod config;
mod error;
mod peer;
mod state;

pub use channel::{ChannelState, DataChannel, UNSET, WriteMode};
pub use config::{ChannelOptions, Configuration, IceServer};
pub use error::{Error, ErrorCode};
pub use peer::{ConnectionState, PeerConnection, Signal};
