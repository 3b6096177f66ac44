//! STUN (RFC 8489): messages as checked views and plain structs, message integrity, fingerprints, and transactions with
//! their retransmission timers. No sockets, no clock, no threads, and no allocation: a message is read where it lies
//! and written into a [`Frame`](weft_core::Frame).
//!
//! ```
//! use weft_core::{Frame, Overhead, Rng};
//! use weft_stun::{Class, Integrity, IntegrityKey, Message, MessageBuilder, Method, TransactionId, Username};
//!
//! let mut rng = Rng::from_test_seed(1);
//! let key = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt");
//!
//! // Write a request.
//! let mut buf = [0; 548];
//! let mut frame = Frame::new(&mut buf, Overhead::NONE);
//! let id = TransactionId::random(&mut rng);
//! let mut request = MessageBuilder::new(&mut frame, Class::Request, Method::BINDING, id)?;
//! request.attribute(&Username("evtj:h6vY"))?.integrity(&key)?.fingerprint()?;
//!
//! // Read it.
//! let message = Message::parse(frame.content())?;
//! assert_eq!((message.class(), message.transaction_id()), (Class::Request, id));
//! assert!(message.has_valid_fingerprint());
//! assert_eq!(message.check_integrity(&key), Integrity::Sha1);
//! assert_eq!(message.get::<Username>()?, Some(Username("evtj:h6vY")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | item | what it is |
//! |---|---|
//! | [`Message`] | a checked view of a message that arrived |
//! | [`MessageBuilder`] | writes a message into a frame |
//! | [`Attribute`] and its kinds, such as [`XorMappedAddress`] | attributes as plain values |
//! | [`IntegrityKey`] | the key of MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256, short- or long-term |
//! | [`Transaction`], [`RtoEstimator`] | when to send a request again and when to give it up |

mod crc;
mod credentials;
mod error;
mod integrity;
mod long_term;
mod rest;
mod transaction;
pub mod turn;
mod url;
mod wire;

pub use credentials::{Credentials, NotBase64, OAuthToken};
pub use error::{Malformed, ParseError};
pub use integrity::{Integrity, IntegrityKey, PasswordAlgorithmId, userhash};
pub use long_term::{CredentialError, LongTerm, Verdict};
pub use transaction::{RtoEstimator, Step, Timing, Transaction};
pub use url::{Host, Scheme, ServerUrl, UrlError};
pub use wire::attribute::{
    AccessToken, AdditionalAddressFamily, AddressErrorCode, AddressFamily, AlternateDomain, AlternateServer, Attribute,
    AttributeType, ChangeRequest, ChannelNumber, Crc32s, Data, DontFragment, DtlsInStun, DtlsInStunAck, ErrorCode,
    EvenPort, IceControlled, IceControlling, Icmp, Lifetime, MappedAddress, Nonce, OtherAddress, PasswordAlgorithm,
    PasswordAlgorithms, Priority, Realm, RequestedAddressFamily, RequestedTransport, ReservationToken, ResponseOrigin,
    Software, ThirdPartyAuthorization, UnknownAttributes, UseCandidate, Userhash, Username, XorMappedAddress,
    XorPeerAddress, XorRelayedAddress,
};
pub use wire::{
    Attributes, ChannelData, Class, HEADER_LEN, MAGIC_COOKIE, Message, MessageBuilder, Method, NotTurn, RawAttribute,
    TransactionId, stream_message_len,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
