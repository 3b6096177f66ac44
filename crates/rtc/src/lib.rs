//! WebRTC peer connections with data channels.
//!
//! Two faces, one engine:
//! * [`PeerConnection`] and [`DataChannel`]: async handles on tokio (feature `tokio`, on by default).
//! * [`sans_io::PeerConnection`]: datagrams and time in, datagrams and events out, for your own loop.
//!
//! ```
//! use weft_rtc::{Config, DataChannelInit, PeerConnection};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::default().with_loopback(true);
//! let alice = PeerConnection::new(config.clone())?;
//! let bob = PeerConnection::new(config)?;
//!
//! let chat = alice.create_data_channel(DataChannelInit::new("chat"))?;
//! // In real life these two descriptions travel over your signalling.
//! let offer = alice.offer().await?;
//! let answer = bob.answer(&offer).await?;
//! alice.set_remote_description(&answer)?;
//!
//! chat.send_text("hello").await?;
//! let incoming = bob.accept().await.ok_or("closed")?;
//! let message = incoming.recv().await.ok_or("closed")?;
//! assert_eq!(message.as_text(), Some("hello"));
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "tokio")]
mod asynchronous;
mod config;
mod convert;
mod error;
mod event;
#[cfg(feature = "net")]
pub mod io;
#[cfg(feature = "net")]
pub mod polled;
pub mod sans_io;

#[cfg(feature = "tokio")]
pub use asynchronous::{ByteStream, DataChannel, Endpoint, PeerConnection, PeerEvent};
pub use config::Config;
pub use error::Error;
pub use event::{
    ConnectionState, DtlsState, Event, Failure, GatheringState, IceCandidate, IceConnectionState, SctpState,
    SignalingState,
};
pub use sans_io::{Counters, DataChannelInit, Message, MessageKind, OfferOptions, Reliability, Stats, Timeline};
pub use weft_dtls::Certificate;
pub use weft_sctp::{ChannelId, ChannelInfo, ChannelPiece, ChannelState, OpenError, Part, Scheduler, SendError};
pub use weft_sdp::jsep::{Description, NegotiationError, SdpType};
// Types of the layers appear in events and figures.
pub use {weft_dtls as dtls, weft_ice as ice, weft_sctp as sctp, weft_sdp as sdp};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
