//! WebRTC peer connections with data channels.
//!
//! Three faces, one engine:
//! * [`Endpoint`], [`PeerConnection`] and [`DataChannel`]: async handles on tokio (feature `tokio`, on by default).
//! * [`polled::PeerConnection`]: no runtime, no thread, one call a frame, in the shape of Godot's class.
//! * [`sans_io::PeerConnection`]: datagrams and time in, datagrams and events out, for your own loop.
//!
//! # Connect
//! Two peers exchange a description each over whatever signalling they have: a web server, a chat, a QR code. Then they
//! find each other, agree on keys, and channels open.
//! ```
//! use weft_rtc::{Config, DataChannelInit, PeerConnection};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::default().with_loopback(true); // both are on this machine here
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
//! [`offer`](PeerConnection::offer) and [`answer`](PeerConnection::answer) wait until all candidates are in the
//! description. It is faster to send it at once and the candidates as they are found, as browsers do:
//! [`create_offer`](PeerConnection::create_offer), [`set_local_description`](PeerConnection::set_local_description),
//! [`next_event`](PeerConnection::next_event), [`add_ice_candidate`](PeerConnection::add_ice_candidate). States, steps and
//! their names are those of the W3C's `RTCPeerConnection`.
//!
//! A server that has many peers binds one [`Endpoint`] and makes its connections with that.
//!
//! # Channels
//! A channel carries messages, text or bytes, whole and in both directions. How reliable it is, is chosen when it is made:
//!
//! | for | [`DataChannelInit`] |
//! |---|---|
//! | files, chat, commands | the default: ordered, [`Reliability::Reliable`] |
//! | things that do not depend on each other | `ordered: false`: a lost one holds up no other |
//! | positions in a game: only the newest counts | `ordered: false`, [`Reliability::MaxRetransmits(0)`](Reliability) |
//! | speech, or what is stale after a while | [`Reliability::MaxLifetime`], in milliseconds |
//!
//! ```
//! use weft_rtc::{DataChannelInit, Reliability};
//!
//! let positions = DataChannelInit {
//!     ordered: false,
//!     reliability: Reliability::MaxRetransmits(0),
//!     ..DataChannelInit::new("positions")
//! };
//! # let _ = positions;
//! ```
//! The other side learns of a channel by [`accept`](PeerConnection::accept), unless both made it with the same
//! `negotiated` stream. A channel is also a `Stream` and a `Sink` of messages, and
//! [`into_byte_stream`](DataChannel::into_byte_stream) makes it `AsyncRead` and `AsyncWrite`.
//!
//! # Backpressure
//! [`send`](DataChannel::send) waits while the send buffer is full ([`Config::send_buffer`], of all channels together).
//! Messages that nobody reads fill the receive buffer ([`Config::receive_buffer`]), and then the other side waits. Nothing
//! is dropped, and nothing grows without bound. [`buffered_amount_low`](DataChannel::buffered_amount_low) waits for less.
//!
//! # Errors
//! A call that is refused says why in its [`Error`] and changes nothing. What the network sends wrongly is no error: it is
//! dropped and counted in [`Stats`]. A connection that fails says so once ([`PeerEvent::Failed`]), in its
//! [`ConnectionState`], and when its channels are closed by ending what waits for them: [`recv`](DataChannel::recv) and
//! `accept` return `None`.
//!
//! A peer that falls silent makes the connection `Disconnected` after some seconds and `Failed` after thirty (RFC 7675).
//! [`restart_ice`](PeerConnection::restart_ice) and a new exchange of descriptions bring it back with its channels within
//! [`Config::restart_timeout`]; after that they are closed.
//!
//! # Closing
//! | | |
//! |---|---|
//! | [`DataChannel::close`] | what is queued is delivered, then the channel closes on both sides |
//! | [`DataChannel::finish`] | the same, and waits until it is done |
//! | [`PeerConnection::finish`] | finishes all channels, then closes |
//! | [`PeerConnection::close`] | at once: what is queued is lost, the other side is told |
//! | dropping the last handle of either kind | as `close` |
//!
//! # Defaults
//! | | | why |
//! |---|---|---|
//! | DTLS | 1.3, or 1.2 with a peer that has no more; X25519MLKEM768, X25519, P-256, P-384 | what is recorded today stays secret |
//! | certificate | a new one for each connection, ECDSA P-256 | peers cannot be told again by it |
//! | largest message we take | 256 KiB | as browsers |
//! | datagrams | 1,200 bytes; up to 1,472 once a probe of that size has come through | what every path carries, and more where it does |
//! | congestion control | BBR | keeps its rate where packets are lost at random, and leaves no standing queue |
//! | interleaving | where the peer has it | a large message holds up no other channel |
//! | ICE servers | none | only those you name learn of your connections |
//! | TCP candidates | active ones, after all that works by UDP | where UDP does not pass; as browsers |
//! | `.local` names | the peer's are resolved, our addresses are shown | browsers hide theirs; [`MdnsPolicy::Hide`] does here |
//! | loopback candidates | none | no other machine can use them |
//! | buffers | 1 MiB out, 4 MiB in | 100 Mbit/s over 250 ms and more |
//!
//! [`migrating`] has a page for those who come from webrtc-rs, str0m, or Godot.

#[cfg(feature = "tokio")]
mod asynchronous;
mod capture;
mod config;
mod convert;
mod error;
mod event;
#[cfg(feature = "net")]
pub mod io;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "net")]
pub mod polled;
pub mod sans_io;
mod shared_config;

#[cfg(feature = "tokio")]
pub use asynchronous::{ByteStream, DataChannel, Endpoint, PeerConnection, PeerEvent};
pub use capture::Capture;
pub use config::{Config, IceServer, MdnsPolicy, TcpCandidates};
pub use error::Error;
pub use event::{
    ConnectionState, DtlsState, Event, Failure, GatheringState, IceCandidate, IceConnectionState, Request, SctpState,
    SignalingState,
};
pub use sans_io::{
    CandidateStats, CertificateStats, Counters, DataChannelInit, DataChannelStats, Message, MessageKind, OfferOptions,
    PairTraffic, Reliability, SctpTransportStats, Stats, StatsReport, Timeline, Traffic, TransportStats,
};
pub use shared_config::SharedConfig;
pub use weft_dtls::Certificate;
pub use weft_sctp::{ChannelId, ChannelInfo, ChannelPiece, ChannelState, OpenError, Part, Scheduler, SendError};
pub use weft_sdp::jsep::{Description, NegotiationError, SdpType};
// Types of the layers appear in calls, events and figures.
pub use {
    weft_core as core, weft_dtls as dtls, weft_ice as ice, weft_sctp as sctp, weft_sdp as sdp, weft_stun as stun,
};

#[cfg(feature = "tokio")]
#[doc = include_str!("../docs/migrating.md")]
pub mod migrating {}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
