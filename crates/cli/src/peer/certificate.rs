//! The command `certificate`.

use std::time::{Duration, SystemTime};

use serde_json::json;
use weft_rtc::Certificate;
use weft_rtc::dtls::HashAlgorithm;
use weft_rtc::dtls::crypto::KeyKind;

use super::command;
use super::refusal::Refusal;
use super::session::Outcome;

/// Makes a certificate with a key of its own.
pub(super) fn make(asked: &command::Certificate) -> Result<Outcome, Refusal> {
    let expires = asked.expires_ms.map(expiry).transpose()?;
    let certificate = match asked.algorithm.as_deref().unwrap_or("ecdsa-p256") {
        "ecdsa-p256" => Certificate::generate_until(KeyKind::P256, expires),
        "ecdsa-p384" => Certificate::generate_until(KeyKind::P384, expires),
        "ed25519" => Certificate::generate_until(KeyKind::Ed25519, expires),
        "rsa-2048" => Certificate::generate_rsa(2048, expires),
        "rsa-3072" => Certificate::generate_rsa(3072, expires),
        "rsa-4096" => Certificate::generate_rsa(4096, expires),
        other => return Err(Refusal::not_supported(format!("unknown algorithm {other:?}"))),
    };
    let certificate = certificate.map_err(|error| Refusal::operation(error.to_string()))?;
    let fingerprint = certificate.fingerprint(HashAlgorithm::Sha256).to_string();
    let value = fingerprint.split_once(' ').map_or("", |(_, value)| value);
    Ok(Outcome::with(json!({
        "certificate_pem": *certificate.to_pem(),
        "expires_at_ms": certificate.expires().map(|expires| expires.as_secs() * 1000),
        "fingerprints": [{"algorithm": HashAlgorithm::Sha256.name(), "value": value}],
    })))
}

/// When a certificate made now expires, in time since 1970.
fn expiry(expires_ms: f64) -> Result<Duration, Refusal> {
    let wrong = |_| Refusal::type_error("expires_ms is a number of milliseconds from now, 0 or more");
    let lives = Duration::try_from_secs_f64(expires_ms / 1e3).map_err(wrong)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(now.saturating_add(lives))
}
