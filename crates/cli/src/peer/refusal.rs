//! What a command that was not carried out is answered with.

use serde::Serialize;
use weft_rtc::{Error, NegotiationError, OpenError, SendError};

/// Answer to a command that was refused. The connection is as it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Refusal {
    /// The name of a W3C exception, or `Unsupported`.
    pub(super) kind: &'static str,
    /// What is wrong.
    pub(super) message: String,
    /// `RTCErrorDetailType` of an `RTCError`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<&'static str>,
    /// The line of the description that is wrong, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sdp_line: Option<usize>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $function:ident = $kind:literal,)*) => {
        impl Refusal {
            $($(#[$doc])* pub(super) fn $function(message: impl Into<String>) -> Self {
                Self { kind: $kind, message: message.into(), detail: None, sdp_line: None }
            })*
        }
    };
}

kinds!(
    /// An argument has the wrong type or contradicts another.
    type_error = "TypeError",
    /// Text that cannot be parsed.
    syntax = "SyntaxError",
    /// The call does not fit the state.
    invalid_state = "InvalidStateError",
    /// Access that is not allowed.
    invalid_access = "InvalidAccessError",
    /// A change that is not allowed.
    invalid_modification = "InvalidModificationError",
    /// An algorithm or value that nobody supports.
    not_supported = "NotSupportedError",
    /// It could not be done.
    operation = "OperationError",
    /// It belongs to the protocol, but not to this stack (yet).
    unsupported = "Unsupported",
);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Config(_) => Self::type_error(message),
            Error::InvalidModification(_) => Self::invalid_modification(message),
            Error::Closed => Self::invalid_state(message),
            Error::Unsupported(_) => Self::unsupported(message),
            Error::Io(_) => Self::operation(message),
            Error::Certificate(_) => Self::invalid_access(message),
            Error::Open(error) => error.into(),
            Error::Send(error) => error.into(),
            Error::Negotiation(error) => error.into(),
            _ => Self { kind: "Error", message, detail: None, sdp_line: None },
        }
    }
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        let message = error.to_string();
        match error {
            OpenError::TextTooLong => Self::type_error(message),
            OpenError::Closed => Self::invalid_state(message),
            OpenError::IdTaken | OpenError::TooMany => Self::operation(message),
        }
    }
}

impl From<SendError> for Refusal {
    fn from(error: SendError) -> Self {
        let message = error.to_string();
        match error {
            SendError::TooLarge { .. } | SendError::Empty => Self::type_error(message),
            SendError::NotOpen | SendError::Closed => Self::invalid_state(message),
            SendError::Full | SendError::Unfinished | SendError::NotBegun => Self::operation(message),
        }
    }
}

impl From<NegotiationError> for Refusal {
    /// By webrtc-pc section 4.4.1.5 (set a session description) and `addIceCandidate`.
    fn from(error: NegotiationError) -> Self {
        let message = error.to_string();
        match error {
            NegotiationError::Parse(error) => {
                Self { kind: "RTCError", message, detail: Some("sdp-syntax-error"), sdp_line: Some(error.line) }
            }
            NegotiationError::WrongState { .. } | NegotiationError::NoRemoteDescription => Self::invalid_state(message),
            NegotiationError::NotCreated(_) => Self::invalid_modification(message),
            NegotiationError::UnknownSection
            | NegotiationError::UnknownGeneration(_)
            | NegotiationError::TooManyCandidates(_)
            | NegotiationError::LocalParameters(_) => Self::operation(message),
            _ => Self::invalid_access(message),
        }
    }
}
