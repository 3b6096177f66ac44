//! What is refused.

/// Why a candidate was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateError {
    /// There are as many as [`Config`](crate::Config) allows.
    #[error("too many candidates")]
    TooMany,
    /// Nothing can be sent to or from such an address: port 0, unspecified, multicast, broadcast.
    #[error("not an address to send to or from")]
    Address,
    /// The priority is 0 or more than 2^31 - 1 (RFC 8445 section 5.1.2).
    #[error("priority out of range")]
    Priority,
    /// A TCP candidate without a direction, or a UDP candidate with one (RFC 6544 section 4.5); or a peer-reflexive one, which
    /// nobody but the agent can know.
    #[error("transport, direction and kind do not fit")]
    Kind,
    /// The agent is closed.
    #[error("the agent is closed")]
    Closed,
}

/// Why credentials were not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The username fragment has not 4 to 256 ice-chars (RFC 8839 section 5.4).
    #[error("the username fragment is malformed")]
    UsernameFragment,
    /// The password has not 22 to 256 ice-chars (RFC 8839 section 5.4).
    #[error("the password is malformed")]
    Password,
}

/// Why an agent is dead. There is no reason yet: whatever the network does can be mended by a restart, so this type has no
/// value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {}
