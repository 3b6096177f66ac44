//! Username fragments and passwords: RFC 8445 section 5.3, RFC 8839 section 5.4.

use core::fmt;
use std::sync::Arc;

use weft_core::Rng;

use crate::error::CredentialsError;

/// A username fragment and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The username fragment, 4 to 256 ice-chars, and the password, 22 to 256, shared among clones.
    text: Arc<str>,
    /// Where the password begins.
    pwd_at: usize,
}

/// `ice-char = ALPHA / DIGIT / "+" / "/"`: 64 of them, 6 bits each.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// 48 bits; RFC 8445 section 5.3 asks for 24.
const UFRAG_LEN: usize = 8;
/// 144 bits; RFC 8445 section 5.3 asks for 128.
const PWD_LEN: usize = 24;

impl Credentials {
    /// Checks credentials of the peer.
    pub fn new(ufrag: impl Into<String>, pwd: impl Into<String>) -> Result<Self, CredentialsError> {
        let (ufrag, pwd) = (ufrag.into(), pwd.into());
        let sound = |text: &str, min: usize| {
            (min..=256).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
        };
        if !sound(&ufrag, 4) {
            Err(CredentialsError::UsernameFragment)
        } else if !sound(&pwd, 22) {
            Err(CredentialsError::Password)
        } else {
            Ok(Self::of(&ufrag, &pwd))
        }
    }

    /// Draws new ones from `rng`, which must be seeded from the system's entropy.
    pub fn random(rng: &mut Rng) -> Self {
        let mut text = |len: usize| -> String {
            let mut bytes = [0; PWD_LEN];
            rng.fill(&mut bytes);
            bytes
                .iter()
                .take(len)
                .map(|byte| char::from(ICE_CHARS.get(usize::from(byte & 63)).copied().unwrap_or(b'A')))
                .collect()
        };
        let (ufrag, pwd) = (text(UFRAG_LEN), text(PWD_LEN));
        Self::of(&ufrag, &pwd)
    }

    fn of(ufrag: &str, pwd: &str) -> Self {
        Self { text: [ufrag, pwd].concat().into(), pwd_at: ufrag.len() }
    }

    /// The username fragment.
    #[inline]
    pub fn ufrag(&self) -> &str {
        self.text.get(..self.pwd_at).unwrap_or_default()
    }

    /// The password.
    pub fn pwd(&self) -> &str {
        self.text.get(self.pwd_at..).unwrap_or_default()
    }
}

impl fmt::Debug for Credentials {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.ufrag())
    }
}
