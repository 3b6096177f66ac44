//! What a server chooses of a ClientHello.

use std::sync::Arc;

use super::suite::{Parts, SCHEMES, groups, parts};
use crate::certificate::Certificate;
use crate::config::Config;
use crate::cookie::Retry;
use crate::crypto::Provider;
use crate::error::Fault;
use crate::transcript::Transcript;
use crate::wire::{
    AlertDescription, CipherSuite, ClientHello, DecodeError, ExtensionType, HandshakeType, KeyShares, NamedGroup,
    Reader, SignatureScheme,
};

/// What is chosen of a ClientHello.
pub(crate) struct Choice<'a> {
    pub(super) suite: CipherSuite,
    pub(super) parts: Parts,
    pub(super) group: NamedGroup,
    /// The certificate of ours that the client can verify.
    pub(super) own: Arc<Certificate>,
    /// How to sign with it.
    pub(super) scheme: SignatureScheme,
    /// The client's share; without one it is asked for.
    pub(super) share: Option<&'a [u8]>,
}

impl Choice<'_> {
    pub(crate) fn suite(&self) -> CipherSuite {
        self.suite
    }

    /// The group of which a share is missing.
    pub(crate) fn group_to_ask_for(&self) -> Option<NamedGroup> {
        if self.share.is_some() { None } else { Some(self.group) }
    }

    /// The hash that stands for the first ClientHello after a HelloRetryRequest (RFC 8446 section 4.4.1).
    pub(crate) fn hello_hash(&self, provider: &Provider, hello: &[u8]) -> Vec<u8> {
        let mut transcript = Transcript::default();
        transcript.add_v13(HandshakeType::CLIENT_HELLO, hello);
        transcript.hash(provider, self.parts.hash).as_ref().to_vec()
    }
}

/// A HelloRetryRequest that was sent statelessly: what its cookie holds, and its body.
pub(crate) struct Retried {
    pub(crate) retry: Retry,
    pub(crate) request: Vec<u8>,
}

/// Reads the extension [cookie](https://www.rfc-editor.org/rfc/rfc8446#section-4.2.2): `cookie <1..2^16-1>`.
pub(crate) fn cookie(data: &[u8]) -> Result<&[u8], DecodeError> {
    let mut r = Reader::new(data);
    let cookie = r.u16_vector()?;
    r.finish()?;
    if cookie.is_empty() { Err(DecodeError) } else { Ok(cookie) }
}

fn illegal(reason: &'static str) -> Fault {
    Fault::refused(AlertDescription::ILLEGAL_PARAMETER, reason)
}

/// Chooses of what the client offers. Numbers that are not known, GREASE among them, are passed over.
pub(crate) fn choose<'a>(config: &Config, hello: &ClientHello<'a>) -> Result<Choice<'a>, Fault> {
    let failure = |reason| Fault::refused(AlertDescription::HANDSHAKE_FAILURE, reason);
    let missing = |reason| Fault::refused(AlertDescription::MISSING_EXTENSION, reason);
    if hello.compression_methods != [0] || !hello.cookie.is_empty() {
        return Err(illegal("the client's compression or cookie is not as 1.3 has it"));
    }
    let schemes = hello.extensions.numbers(ExtensionType::SIGNATURE_ALGORITHMS)?;
    let schemes = schemes.ok_or(missing("the client tells no signature schemes"))?;
    let own = config.certificates().find_map(|own| Some((own.clone(), own.scheme(SCHEMES, schemes)?)));
    let (own, scheme) = own.ok_or(failure("the client cannot verify our signature"))?;
    let offered = hello.extensions.numbers(ExtensionType::SUPPORTED_GROUPS)?;
    let offered = offered.ok_or(missing("the client tells no groups"))?;
    let shares = hello.extensions.get(ExtensionType::KEY_SHARE).ok_or(missing("the client has no key_share"))?;
    let shares = KeyShares::parse(shares)?;
    if shares.iter().any(|(group, _)| !offered.contains(group.0)) {
        return Err(illegal("a share of a group that the client does not offer"));
    }
    let (suite, parts) = config
        .cipher_suites
        .iter()
        .filter(|suite| hello.cipher_suites.contains(suite.0))
        .find_map(|suite| Some((*suite, parts(*suite)?)))
        .ok_or(failure("no cipher suite in common"))?;
    // A share that is there saves a round trip.
    let at_hand = groups(config).find_map(|group| Some((group, shares.get(group)?)));
    let (group, share) = match at_hand {
        Some((group, share)) => (group, Some(share)),
        None => (groups(config).find(|group| offered.contains(group.0)).ok_or(failure("no group in common"))?, None),
    };
    Ok(Choice { suite, parts, group, own, scheme, share })
}
