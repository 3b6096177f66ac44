//! Why a connection died.

use crate::verifier::Rejection;
use crate::wire::{AlertDescription, DecodeError};

/// Who is to blame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// This library or the machine it runs on.
    Us,
    /// The peer, or whoever speaks in its name.
    Peer,
    /// The program that uses this library.
    Application,
}

/// Why a connection died. Final: the connection answers every further call with the same error. A fatal alert for the
/// peer may still wait to be taken out by `poll_transmit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer did what it must not, or shares nothing with us; it was sent `alert`.
    #[error("{reason} (sent alert {alert})")]
    Refused {
        /// What was wrong.
        reason: &'static str,
        /// What the peer was told.
        alert: AlertDescription,
    },
    /// The peer's certificate was not accepted.
    #[error("{0}")]
    CertificateRejected(Rejection),
    /// The peer ended the connection with a fatal alert.
    #[error("the peer sent alert {0}")]
    AlertReceived(AlertDescription),
    /// The handshake did not end in time.
    #[error("the handshake timed out")]
    TimedOut,
    /// Fingerprints were to be compared, but none was given.
    #[error("no fingerprint to verify the peer with")]
    NoFingerprint,
    /// Every epoch has had its keys and the last ones may protect no more (RFC 9147 section 6.1). The peer was sent
    /// close_notify.
    #[error("every key of the connection is used up")]
    KeysUsedUp,
    /// Something failed that cannot: the peer was sent `internal_error`.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl Error {
    /// A message of a handshake that is over.
    pub(crate) const AFTER_HANDSHAKE: Self = Self::Refused {
        reason: "a handshake message after the handshake",
        alert: AlertDescription::UNEXPECTED_MESSAGE,
    };

    /// Who is to blame.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Internal(_) | Self::KeysUsedUp => Blame::Us,
            Self::NoFingerprint => Blame::Application,
            Self::Refused { .. } | Self::CertificateRejected(_) | Self::AlertReceived(_) | Self::TimedOut => {
                Blame::Peer
            }
        }
    }

    /// The alert that the peer is told this with.
    pub fn alert_sent(&self) -> Option<AlertDescription> {
        match self {
            Self::Refused { alert, .. } => Some(*alert),
            Self::CertificateRejected(rejection) => Some(rejection.alert()),
            Self::NoFingerprint | Self::Internal(_) => Some(AlertDescription::INTERNAL_ERROR),
            Self::AlertReceived(_) | Self::TimedOut | Self::KeysUsedUp => None,
        }
    }

    /// The alert that the peer ended the connection with.
    pub fn alert_received(&self) -> Option<AlertDescription> {
        match self {
            Self::AlertReceived(alert) => Some(*alert),
            _ => None,
        }
    }
}

/// What a handshake message led to instead of progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Its syntax is wrong. Unauthenticated, it is dropped as if it had never come; authenticated, it is fatal.
    Malformed,
    /// The connection is over.
    Fatal(Error),
}

impl Fault {
    pub(crate) const fn refused(alert: AlertDescription, reason: &'static str) -> Self {
        Self::Fatal(Error::Refused { reason, alert })
    }

    pub(crate) const fn internal(reason: &'static str) -> Self {
        Self::Fatal(Error::Internal(reason))
    }
}

impl From<DecodeError> for Fault {
    fn from(_: DecodeError) -> Self {
        Self::Malformed
    }
}

/// Why no keying material was exported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// There are no keys yet.
    #[error("the handshake has not ended")]
    NotConnected,
    /// The label belongs to the protocol itself (RFC 5705 section 4), the context is longer than 65,535 bytes, or no
    /// output was asked for.
    #[error("the label, the context or the length is not allowed")]
    NotAllowed,
    /// The derivation failed inside.
    #[error("the derivation failed")]
    Failed,
}
