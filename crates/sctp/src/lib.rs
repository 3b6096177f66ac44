//! Sans-IO SCTP for WebRTC: associations, streams, and DCEP data channels.
//!
//! [`Association`] is SCTP (RFC 9260) on one path, with partial reliability (RFC 3758), stream reset (RFC 6525) and
//! zero checksums (RFC 9653). [`DataChannels`] puts WebRTC's data channels on it (RFC 8831, RFC 8832). Both are values
//! that take packets and time in and give packets and events out ([`weft_core::Layer`]): no sockets, no clock, no
//! threads.
//!
//! ```
//! use bytes::Bytes;
//! use weft_core::{Frame, Instant, Layer, Overhead, Rng};
//! use weft_sctp::{ChannelEvent, ChannelInit, Config, DataChannels, MessageKind, Role};
//!
//! let mut a = DataChannels::new(Config::rtc(), Rng::from_test_seed(1));
//! let mut b = DataChannels::new(Config::rtc(), Rng::from_test_seed(2));
//! let now = Instant::ORIGIN;
//! a.set_role(now, Role::Client);
//! b.set_role(now, Role::Server);
//! a.connect(now);
//! let chat = a.open(now, ChannelInit { label: "chat".into(), ..ChannelInit::default() })?;
//! a.send(now, chat, MessageKind::Text, Bytes::from_static(b"hello"))?;
//!
//! // What one sends, the other receives: here without a network between them.
//! fn deliver(now: Instant, from: &mut DataChannels, to: &mut DataChannels) {
//!     let mut buffer = [0; 1200];
//!     let mut frame = Frame::new(&mut buffer, Overhead::NONE);
//!     while from.poll_transmit(now, &mut frame).is_some() {
//!         to.handle_input(now, frame.content()).expect("the association lives");
//!         frame = Frame::new(&mut buffer, Overhead::NONE);
//!     }
//! }
//! let mut received = None;
//! for _ in 0..5 {
//!     deliver(now, &mut a, &mut b);
//!     deliver(now, &mut b, &mut a);
//!     while let Some(event) = b.poll_event() {
//!         if let ChannelEvent::Readable(id) = event {
//!             received = b.receive(id);
//!         }
//!     }
//! }
//! assert_eq!(&received.unwrap().data[..], b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod association;
mod channels;
mod config;
pub mod congestion;
mod error;
mod event;
mod inbound;
mod message;
mod outbound;
mod pacing;
mod path_mtu;
mod ranges;
mod recovery;
mod rto;
mod streams;
pub mod wire;

pub use association::Association;
pub use channels::{
    ChannelEvent, ChannelId, ChannelInfo, ChannelInit, ChannelMessage, ChannelPiece, ChannelState, CloseReason,
    DataChannels, MessageKind, Role,
};
pub use config::Config;
pub use congestion::ControllerKind;
pub use error::{AssociationError, InitError, OpenError, SendError};
pub use event::{Event, State, Stats};
pub use message::{Message, Part, Reliability, SendOptions};
pub use outbound::Scheduler;

/// Keeps the README's example working.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
