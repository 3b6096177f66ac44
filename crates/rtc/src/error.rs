//! Errors of calls. The connection is as it was before a call that failed.

use weft_sctp::{InitError, OpenError, SendError};
use weft_sdp::jsep::NegotiationError;

/// Why a call on a peer connection was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer connection is closed.
    #[error("the peer connection is closed")]
    Closed,
    /// A setting is out of its range.
    #[error("configuration: {0}")]
    Config(&'static str),
    /// A setting that cannot change once there is a connection (W3C `InvalidModificationError`).
    #[error("configuration: {0} cannot change any more")]
    InvalidModification(&'static str),
    /// What was asked for is not offered by this version.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// A description or a candidate was refused.
    #[error(transparent)]
    Negotiation(#[from] NegotiationError),
    /// The peer's `a=sctp-init` cannot be used (draft-hancke-tsvwg-snap-00).
    #[error("a=sctp-init: {0}")]
    SctpInit(#[from] InitError),
    /// A channel could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A message could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A message was given up before it was acknowledged: its reliability ran out, or its channel or the connection ended.
    #[error("the message was given up")]
    NotDelivered,
    /// The certificate could not be made or read.
    #[error("certificate: {0}")]
    Certificate(String),
    /// Sockets could not be opened.
    #[error("sockets: {0}")]
    Io(#[from] std::io::Error),
}
