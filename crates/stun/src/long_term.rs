//! The long-term credential mechanism, client side: [RFC 8489 section 9.2](https://www.rfc-editor.org/rfc/rfc8489#section-9.2).
//!
//! The first request goes out bare. The server answers with 401, a realm and a nonce; the request is then made again with
//! an integrity, and so is every later one, until a 438 brings another nonce. Where the server takes access tokens and there
//! is one, that stands in for the password: [RFC 7635](https://www.rfc-editor.org/rfc/rfc7635).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use weft_core::Full;

use crate::credentials::{Credentials, OAuthToken};
use crate::integrity::{Integrity, IntegrityKey, PasswordAlgorithmId, userhash};
use crate::wire::attribute::{
    AccessToken, AttributeType, ErrorCode, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm,
    ThirdPartyAuthorization, Userhash, Username,
};
use crate::wire::{Class, Message, MessageBuilder, Method};

/// What a nonce begins with if its server implements RFC 8489; four characters with the security features follow.
const NONCE_COOKIE: &str = "obMatJos2";
/// "Password algorithms", bit 0 of the 24 (RFC 8489 section 18.1).
const PASSWORD_ALGORITHMS_BIT: u32 = 1 << 23;
/// "Username anonymity", bit 1 of the 24.
const USERNAME_ANONYMITY_BIT: u32 = 1 << 22;
/// The longest list of password algorithms that is taken, in bytes. Two are registered, of four bytes each.
const MAX_ALGORITHMS: usize = 64;

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
    /// The server takes access tokens, and there is neither one nor a password: [`LongTerm::third_party`] is the name to ask the
    /// authorization server with.
    #[error("the server asks for an access token")]
    TokenRequired,
    /// The server does not take this access token, or does not any more: another is needed.
    #[error("the server does not accept the access token, or it has expired")]
    TokenRefused,
    /// The username is longer than [`Credentials::MAX_USERNAME`].
    #[error("the username is longer than 508 bytes")]
    TooLong,
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
    /// Whether the access token stands in for the password.
    third_party: bool,
    key: IntegrityKey,
}

/// A client's side of the long-term credential mechanism towards one server.
#[derive(Clone, Debug)]
pub struct LongTerm {
    credentials: Option<Credentials>,
    session: Option<Session>,
    /// The server's name in THIRD-PARTY-AUTHORIZATION.
    third_party: Option<String>,
    prefers_sha256: bool,
    /// Responses with 438 since the last that was accepted.
    stale: u32,
}

impl LongTerm {
    /// New nonces in a row that are believed.
    const MAX_STALE: u32 = 5;

    /// Towards a server that is new to us. Without credentials every request goes out bare.
    pub fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, session: None, third_party: None, prefers_sha256: false, stale: 0 }
    }

    /// Takes SHA-256 where the server offers it and MD5, as RFC 8656 section 6 wants it of TURN clients; RFC 8489 section 9.2.5
    /// has the first of the server's list.
    #[must_use]
    pub fn preferring_sha256(mut self) -> Self {
        self.prefers_sha256 = true;
        self
    }

    /// Other credentials, for the requests from now on: a new access token (RFC 7635 section 8). Requests under way have to be
    /// made again.
    pub fn set_credentials(&mut self, credentials: Credentials) {
        self.stale = 0;
        self.session = self.session.take().and_then(|session| {
            let algorithm = session.algorithms.as_ref().map_or(PasswordAlgorithmId::Md5, |(_, chosen)| *chosen);
            let key = key_of(&credentials, session.third_party, algorithm, &session.realm)?;
            Some(Session { key, ..session })
        });
        self.credentials = Some(credentials);
    }

    /// The name to ask an authorization server for a token with, if the server takes tokens (RFC 7635 section 6.1).
    pub fn third_party(&self) -> Option<&str> {
        self.third_party.as_deref()
    }

    /// Whether requests carry an access token.
    pub fn uses_token(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.third_party)
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
        if let Some(token) = credentials.token().filter(|_| session.third_party) {
            return write_token(token, session, request);
        }
        if session.anonymous {
            request.attribute(&Userhash(userhash(credentials.username(), &session.realm)))?;
        } else {
            request.attribute(&Username(credentials.username()))?;
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
            if let Ok(Some(ThirdPartyAuthorization(name))) = response.get() {
                self.third_party = Some(name.to_owned());
            }
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
            // Nor is a redirection believed without (RFC 8489 section 14.8); to a request that was bare it comes bare (section 10).
            Integrity::Absent | Integrity::Invalid => false,
        };
        if bid_down || !holds {
            return Verdict::Discard;
        }
        self.stale = 0;
        Verdict::Accept
    }

    /// A 401 or 438: takes realm and nonce.
    fn challenge(&mut self, code: u16, features: u32, response: &Message<'_>) -> Result<(), CredentialError> {
        let Some(credentials) = self.credentials.as_ref() else {
            let offered = response.has(AttributeType::THIRD_PARTY_AUTHORIZATION);
            return Err(if offered { CredentialError::TokenRequired } else { CredentialError::Required });
        };
        if credentials.username().len() > Credentials::MAX_USERNAME {
            return Err(CredentialError::TooLong);
        }
        let Ok(Some(Nonce(nonce))) = response.get() else { return Err(CredentialError::Malformed) };
        let known = self.session.as_ref();
        let realm = match response.get::<Realm<'_>>() {
            Ok(Some(Realm(realm))) => realm,
            // Only the nonce is required of a 438.
            Ok(None) if code == 438 => known.map(|session| session.realm.as_str()).ok_or(CredentialError::Malformed)?,
            _ => return Err(CredentialError::Malformed),
        };
        let offered = response.has(AttributeType::THIRD_PARTY_AUTHORIZATION)
            || code == 438 && known.is_some_and(|session| session.third_party);
        let third_party = offered && credentials.token().is_some();
        if code == 401 && known.is_some_and(|session| session.realm == realm && session.third_party == third_party) {
            return Err(if third_party { CredentialError::TokenRefused } else { CredentialError::Wrong });
        }
        self.stale += 1;
        if self.stale > Self::MAX_STALE {
            return Err(CredentialError::NonceLoop);
        }
        let algorithms = match response.get::<PasswordAlgorithms<'_>>() {
            // A token is no password: nothing of it is hashed.
            _ if third_party => None,
            Ok(Some(list)) => Some(choose(&list, self.prefers_sha256)?),
            // A 438 need not repeat the list.
            Ok(None) if code == 438 => known.and_then(|session| session.algorithms.clone()),
            Ok(None) => None,
            Err(_) => return Err(CredentialError::Malformed),
        };
        let algorithm = algorithms.as_ref().map_or(PasswordAlgorithmId::Md5, |(_, chosen)| *chosen);
        let lacking = if offered { CredentialError::TokenRequired } else { CredentialError::Required };
        self.session = Some(Session {
            key: key_of(credentials, third_party, algorithm, realm).ok_or(lacking)?,
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            algorithms,
            anonymous: features & USERNAME_ANONYMITY_BIT != 0,
            third_party,
        });
        Ok(())
    }
}

/// The key of these credentials; `None` if they lack what it is made of.
fn key_of(
    credentials: &Credentials,
    third_party: bool,
    algorithm: PasswordAlgorithmId,
    realm: &str,
) -> Option<IntegrityKey> {
    if third_party {
        return credentials.token().map(|token| IntegrityKey::mac_key(token.mac_key()));
    }
    Some(IntegrityKey::long_term(algorithm, credentials.username(), realm, credentials.password()?))
}

/// What authenticates a request with an access token (RFC 7635 section 5). The token itself goes with requests that the server
/// has to look it up for; permissions and channels belong to an allocation already made with it (section 9).
fn write_token(token: &OAuthToken, session: &Session, request: &mut MessageBuilder<'_, '_>) -> Result<(), Full> {
    request.attribute(&Username(token.kid()))?.attribute(&Realm(&session.realm))?.attribute(&Nonce(&session.nonce))?;
    if !matches!(request.method(), Method::CREATE_PERMISSION | Method::CHANNEL_BIND) {
        request.attribute(&AccessToken(token.access_token()))?;
    }
    request.integrity(&session.key).map(|_| ())
}

/// The first algorithm of the list that is known here, or SHA-256 wherever it stands, and the list as it came.
fn choose(
    list: &PasswordAlgorithms<'_>,
    prefers_sha256: bool,
) -> Result<(Vec<u8>, PasswordAlgorithmId), CredentialError> {
    let raw = list.as_bytes();
    if raw.len() > MAX_ALGORITHMS {
        return Err(CredentialError::Malformed);
    }
    let known = || list.iter().filter_map(|algorithm| PasswordAlgorithmId::from_number(algorithm.algorithm));
    let best = known().find(|algorithm| prefers_sha256 && *algorithm == PasswordAlgorithmId::Sha256);
    let chosen = best.or_else(|| known().next());
    Ok((raw.to_vec(), chosen.ok_or(CredentialError::NoCommonAlgorithm)?))
}

/// The security features in a nonce: 24 bits in four characters of base64; none if it has no nonce cookie.
fn security_features(nonce: &str) -> u32 {
    let features = nonce.strip_prefix(NONCE_COOKIE).and_then(|rest| rest.get(..4));
    let Some(Ok(bytes)) = features.map(|text| STANDARD.decode(text)) else { return 0 };
    bytes.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte))
}
