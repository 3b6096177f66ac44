//! SDP and JSEP offer/answer for WebRTC data channels.
//!
//! Two layers, each of use alone. Neither does any I/O, reads a clock or draws random numbers.
//!
//! - **The document.** [`Session`] reads and writes any session description (RFC 8866) exactly and in linear time,
//!   within [`Limits`]; the attributes that data channels give a meaning to have types: [`Candidate`],
//!   [`Fingerprint`], [`Setup`], [`IceOptions`], [`MaxMessageSize`], … An error is a [`ParseError`], which names line,
//!   column and what was expected.
//! - **The negotiation.** [`jsep::Negotiator`] is the state machine of offers and answers (RFC 8829) for one data
//!   section: it makes them, applies them, and says what the peer wants.
//!
//! ```
//! use weft_sdp::{Candidate, Session};
//!
//! let text = "v=0\r\no=- 3432448249181442268 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
//!             m=application 45587 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 192.0.2.2\r\n\
//!             a=candidate:3236076408 1 udp 2113937151 192.0.2.2 45587 typ host generation 0\r\n\
//!             a=mid:0\r\na=sctp-port:5000\r\n";
//! let session = Session::parse(text)?;
//! let data = &session.media[0];
//! assert_eq!(data.mid(), Some("0"));
//! for attribute in data.attributes_named("candidate") {
//!     let candidate: Candidate = attribute.parse()?;
//!     assert_eq!(candidate.port, 45587);
//! }
//! assert_eq!(session.to_string(), text);
//!
//! let error = Session::parse(&text.replace("m=application 45587", "m=application many")).unwrap_err();
//! assert_eq!(error.to_string(), "line 5, column 15: expected a port (0 to 65535)");
//! # Ok::<(), weft_sdp::ParseError>(())
//! ```
//!
//! What a peer sends is never trusted: every size has a limit, nothing panics, and attributes that are not known are
//! kept in the document but never echoed in an answer.

mod config;
mod error;
pub mod jsep;
mod wire;

pub use config::Limits;
pub use error::{Expected, ParseError};
pub use wire::*;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
