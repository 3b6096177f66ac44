//! The long-term credential mechanism, client side: [RFC 8489 section 9.2](https://www.rfc-editor.org/rfc/rfc8489#section-9.2).
//!
//! The first request goes out bare. The server answers with 401, a realm and a nonce; the request is then made again with
//! an integrity, and so is every later one, until a 438 brings another nonce.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use weft_core::Full;

use crate::integrity::{Integrity, IntegrityKey, PasswordAlgorithmId, userhash};
use crate::wire::attribute::{
    AttributeType, ErrorCode, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, Userhash, Username,
};
use crate::wire::{Class, Message, MessageBuilder};

/// What a nonce begins with if its server implements RFC 8489; four characters with the security features follow.
const NONCE_COOKIE: &str = "obMatJos2";
/// "Password algorithms", bit 0 of the 24 (RFC 8489 section 18.1).
const PASSWORD_ALGORITHMS_BIT: u32 = 1 << 23;
/// "Username anonymity", bit 1 of the 24.
const USERNAME_ANONYMITY_BIT: u32 = 1 << 22;
/// The longest list of password algorithms that is taken, in bytes. Two are registered, of four bytes each.
const MAX_ALGORITHMS: usize = 64;

/// Who asks: the username and the password of an account.
///
/// Strings are used as they come: the caller applies the OpaqueString profile (RFC 8265), which changes nothing in
/// printable ASCII.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    username: String,
    password: String,
}

impl Credentials {
    /// The longest username, in bytes (RFC 8489 section 14.3).
    pub const MAX_USERNAME: usize = 508;

    /// These. A username longer than [`MAX_USERNAME`](Self::MAX_USERNAME) is refused by servers.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into() }
    }

    /// The username.
    pub fn username(&self) -> &str {
        &self.username
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// What a response is worth.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// It is authentic, or answers a request that was not authenticated: act on it.
    Accept,
    /// The server asks for credentials or has another nonce: make the request again, in a new transaction.
    Retry,
    /// As if it had never been received: it carries no integrity, or one that does not hold. Over a reliable transport the
    /// transaction ends with it (RFC 8489 section 9.2.5).
    Discard,
    /// The server asks for what cannot be given.
    Refused(CredentialError),
}

/// Why credentials came to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The server asks for credentials, and there are none.
    #[error("the server asks for a username and a password")]
    Required,
    /// The server does not take these.
    #[error("the server does not accept the username or the password")]
    Wrong,
    /// The nonce says that the server has a choice of password algorithms, and the list is missing: somebody on the way took
    /// it out (RFC 8489 section 9.2.1).
    #[error("somebody removed the password algorithms from the server's response")]
    BidDown,
    /// The server has no password algorithm that we have.
    #[error("the server uses no password algorithm that we know")]
    NoCommonAlgorithm,
    /// The server asked for credentials without realm or nonce.
    #[error("the server asked for credentials without realm or nonce")]
    Malformed,
    /// The server sent one new nonce after another.
    #[error("the server sent one new nonce after another")]
    NonceLoop,
}

/// What the server has told and what was made of it.
#[derive(Clone, Debug)]
struct Session {
    realm: String,
    nonce: String,
    /// PASSWORD-ALGORITHMS as it came, and the one chosen of it.
    algorithms: Option<(Vec<u8>, PasswordAlgorithmId)>,
    /// Whether USERHASH stands in for USERNAME.
    anonymous: bool,
    key: IntegrityKey,
}

/// A client's side of the long-term credential mechanism towards one server.
#[derive(Clone, Debug)]
pub struct LongTerm {
    credentials: Option<Credentials>,
    session: Option<Session>,
    /// Responses with 438 since the last that was accepted.
    stale: u32,
}

impl LongTerm {
    /// New nonces in a row that are believed.
    const MAX_STALE: u32 = 5;

    /// Towards a server that is new to us. Without credentials every request goes out bare.
    pub fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, session: None, stale: 0 }
    }

    /// Whether requests carry an integrity by now.
    pub fn is_authenticating(&self) -> bool {
        self.session.is_some()
    }

    /// The realm the server named.
    pub fn realm(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.realm.as_str())
    }

    /// Appends what authenticates a request: nothing before the server has asked for it (RFC 8489 section 9.2.3.1). FINGERPRINT
    /// may follow.
    pub fn write(&self, request: &mut MessageBuilder<'_, '_>) -> Result<(), Full> {
        let (Some(session), Some(credentials)) = (&self.session, &self.credentials) else { return Ok(()) };
        if session.anonymous {
            request.attribute(&Userhash(userhash(&credentials.username, &session.realm)))?;
        } else {
            request.attribute(&Username(&credentials.username))?;
        }
        request.attribute(&Realm(&session.realm))?.attribute(&Nonce(&session.nonce))?;
        if let Some((list, chosen)) = &session.algorithms {
            request.raw(AttributeType::PASSWORD_ALGORITHMS, list)?;
            request.attribute(&PasswordAlgorithm { algorithm: chosen.number(), parameters: &[] })?;
            request.integrity_sha256(&session.key)?;
        } else {
            request.integrity(&session.key)?;
        }
        Ok(())
    }

    /// Judges a response to a request that [`write`](Self::write) has seen last (RFC 8489 section 9.2.5).
    pub fn judge(&mut self, response: &Message<'_>) -> Verdict {
        let code = if response.class() == Class::Error {
            let Ok(Some(ErrorCode { code, .. })) = response.get() else { return Verdict::Discard };
            code
        } else {
            0
        };
        let features = response.get::<Nonce<'_>>().ok().flatten().map_or(0, |nonce| security_features(nonce.0));
        let bid_down = features & PASSWORD_ALGORITHMS_BIT != 0 && !response.has(AttributeType::PASSWORD_ALGORITHMS);
        if matches!(code, 401 | 438) {
            let verdict =
                if bid_down { Err(CredentialError::BidDown) } else { self.challenge(code, features, response) };
            return verdict.map_or_else(Verdict::Refused, |()| Verdict::Retry);
        }
        let Some(session) = self.session.as_ref() else {
            return if bid_down { Verdict::Discard } else { Verdict::Accept };
        };
        let holds = match response.check_integrity(&session.key) {
            Integrity::Sha256 => true,
            // Whoever has a choice of algorithms uses SHA-256 only.
            Integrity::Sha1 => session.algorithms.is_none(),
            // A redirection may come without (RFC 8489 section 10).
            Integrity::Absent => code == ErrorCode::TRY_ALTERNATE.code,
            Integrity::Invalid => false,
        };
        if bid_down || !holds {
            return Verdict::Discard;
        }
        self.stale = 0;
        Verdict::Accept
    }

    /// A 401 or 438: takes realm and nonce.
    fn challenge(&mut self, code: u16, features: u32, response: &Message<'_>) -> Result<(), CredentialError> {
        let credentials = self.credentials.as_ref().ok_or(CredentialError::Required)?;
        let Ok(Some(Nonce(nonce))) = response.get() else { return Err(CredentialError::Malformed) };
        let known = self.session.as_ref();
        let realm = match response.get::<Realm<'_>>() {
            Ok(Some(Realm(realm))) => realm,
            // Only the nonce is required of a 438.
            Ok(None) if code == 438 => known.map(|session| session.realm.as_str()).ok_or(CredentialError::Malformed)?,
            _ => return Err(CredentialError::Malformed),
        };
        if code == 401 && known.is_some_and(|session| session.realm == realm) {
            return Err(CredentialError::Wrong);
        }
        self.stale += 1;
        if self.stale > Self::MAX_STALE {
            return Err(CredentialError::NonceLoop);
        }
        let algorithms = match response.get::<PasswordAlgorithms<'_>>() {
            Ok(Some(list)) => Some(choose(&list)?),
            // A 438 need not repeat the list.
            Ok(None) if code == 438 => known.and_then(|session| session.algorithms.clone()),
            Ok(None) => None,
            Err(_) => return Err(CredentialError::Malformed),
        };
        let algorithm = algorithms.as_ref().map_or(PasswordAlgorithmId::Md5, |(_, chosen)| *chosen);
        self.session = Some(Session {
            key: IntegrityKey::long_term(algorithm, &credentials.username, realm, credentials.password()),
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            algorithms,
            anonymous: features & USERNAME_ANONYMITY_BIT != 0,
        });
        Ok(())
    }
}

/// The first algorithm of the list that is known here, and the list as it came.
fn choose(list: &PasswordAlgorithms<'_>) -> Result<(Vec<u8>, PasswordAlgorithmId), CredentialError> {
    let raw = list.as_bytes();
    if raw.len() > MAX_ALGORITHMS {
        return Err(CredentialError::Malformed);
    }
    let chosen = list.iter().find_map(|algorithm| PasswordAlgorithmId::from_number(algorithm.algorithm));
    Ok((raw.to_vec(), chosen.ok_or(CredentialError::NoCommonAlgorithm)?))
}

/// The security features in a nonce: 24 bits in four characters of base64; none if it has no nonce cookie.
fn security_features(nonce: &str) -> u32 {
    let features = nonce.strip_prefix(NONCE_COOKIE).and_then(|rest| rest.get(..4));
    let Some(Ok(bytes)) = features.map(|text| STANDARD.decode(text)) else { return 0 };
    bytes.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte))
}
