//! Errors with the numbers that Godot gives them.

use weft_sctp::SendError;

/// Godot's `Error` values, as far as these classes answer them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i32)]
pub enum ErrorCode {
    /// `OK`.
    Ok = 0,
    /// `FAILED`: the state does not allow it, or it could not be done.
    Failed = 1,
    /// `ERR_UNAVAILABLE`: nothing there, or not offered.
    Unavailable = 2,
    /// `ERR_UNCONFIGURED`: nothing stands behind the object.
    Unconfigured = 3,
    /// `ERR_UNAUTHORIZED`.
    Unauthorized = 4,
    /// `ERR_INVALID_PARAMETER`: what was passed is malformed.
    InvalidParameter = 31,
    /// `ERR_BUG`: a defect of this library.
    Bug = 47,
}

/// Why a call was refused. The connection is then as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The call is not for this state; the text says what it needs.
    #[error("{0}")]
    State(&'static str),
    /// What was passed is malformed or contradicts itself; the text says what is expected.
    #[error("{0}")]
    Parameter(String),
    /// A description or candidate was refused, or something could not be set up.
    #[error(transparent)]
    Connection(#[from] crate::Error),
    /// No message waits on the channel.
    #[error("no packet is waiting")]
    NoPacket,
    /// The message could not be queued.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl Error {
    /// The number that Godot's classes answer.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Parameter(_) => ErrorCode::InvalidParameter,
            Self::NoPacket => ErrorCode::Unavailable,
            Self::Connection(crate::Error::Negotiation(error)) if is_malformed(error) => ErrorCode::InvalidParameter,
            Self::State(_) | Self::Connection(_) | Self::Send(_) => ErrorCode::Failed,
        }
    }
}

/// Whether the text itself is at fault, rather than the moment it came.
fn is_malformed(error: &weft_sdp::jsep::NegotiationError) -> bool {
    !matches!(
        error,
        weft_sdp::jsep::NegotiationError::WrongState { .. } | weft_sdp::jsep::NegotiationError::NotCreated(_)
    )
}
