//! Who asks: an account, or whoever an authorization server has given a token.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What a client authenticates itself with: username and password of an account, an access token, or both.
///
/// Strings are used as they come: the caller applies the OpaqueString profile (RFC 8265), which changes nothing in
/// printable ASCII.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    username: String,
    /// `None` for who has a token alone.
    password: Option<String>,
    token: Option<OAuthToken>,
}

impl Credentials {
    /// The longest username, in bytes (RFC 8489 section 14.3).
    pub const MAX_USERNAME: usize = 508;

    /// These. A username longer than [`MAX_USERNAME`](Self::MAX_USERNAME) is refused by servers.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: Some(password.into()), token: None }
    }

    /// An access token alone (RFC 7635), for a server that takes such.
    pub fn third_party(token: OAuthToken) -> Self {
        Self { username: token.kid.clone(), password: None, token: Some(token) }
    }

    /// With an access token, which goes before the password where the server takes both (RFC 7635 section 6.1).
    #[must_use]
    pub fn with_token(mut self, token: OAuthToken) -> Self {
        self.token = Some(token);
        self
    }

    /// The username; the token's `kid` for who has a token alone.
    pub fn username(&self) -> &str {
        &self.username
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    pub(crate) fn token(&self) -> Option<&OAuthToken> {
        self.token.as_ref()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// An access token of an OAuth 2.0 authorization server and what came with it (RFC 7635 section 4). Getting one is the
/// application's business, and so is getting the next one before it expires.
#[derive(Clone, PartialEq, Eq)]
pub struct OAuthToken {
    kid: String,
    access_token: Vec<u8>,
    mac_key: Vec<u8>,
}

impl OAuthToken {
    /// `kid` names the key that the two servers share. `access_token` is sent as it is; with the server's other attributes it
    /// has to fit into one datagram, so that some 300 bytes are the most that passes everywhere. `mac_key` protects the
    /// messages: 20 bytes for HMAC-SHA1, the one that RFC 7635 names.
    pub fn new(kid: impl Into<String>, access_token: impl Into<Vec<u8>>, mac_key: impl Into<Vec<u8>>) -> Self {
        Self { kid: kid.into(), access_token: access_token.into(), mac_key: mac_key.into() }
    }

    /// As authorization servers write it in JSON (RFC 7635 appendix B): both in base64, padded or not, of either alphabet.
    ///
    /// # Errors
    /// [`NotBase64`] if one of them is not.
    pub fn from_base64(kid: impl Into<String>, access_token: &str, mac_key: &str) -> Result<Self, NotBase64> {
        Ok(Self::new(kid, decode(access_token)?, decode(mac_key)?))
    }

    /// Which key the two servers share.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) fn access_token(&self) -> &[u8] {
        &self.access_token
    }

    pub(crate) fn mac_key(&self) -> &[u8] {
        &self.mac_key
    }
}

impl fmt::Debug for OAuthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthToken").field("kid", &self.kid).finish_non_exhaustive()
    }
}

fn decode(text: &str) -> Result<Vec<u8>, NotBase64> {
    let standard: String = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    STANDARD_NO_PAD.decode(standard).map_err(|_| NotBase64)
}

/// The text is not base64.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not base64")]
pub struct NotBase64;
