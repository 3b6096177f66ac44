//! The command `certificate`.

use std::time::{Duration, SystemTime};

use serde_json::json;
use weft_rtc::Certificate;
use weft_rtc::dtls::HashAlgorithm;
use weft_rtc::dtls::crypto::KeyKind;

use super::command;
use super::refusal::Refusal;
use super::session::Outcome;

/// The first moment at which no certificate of ours is valid any more, in milliseconds since 1970: the year 4096.
const EXPIRES_AT_MS: u64 = 67_090_118_400_000;

/// Makes a certificate with a key of its own.
pub(super) fn make(asked: &command::Certificate) -> Result<Outcome, Refusal> {
    let kind = match asked.algorithm.as_deref().unwrap_or("ecdsa-p256") {
        "ecdsa-p256" => KeyKind::P256,
        "ecdsa-p384" => KeyKind::P384,
        "ed25519" => KeyKind::Ed25519,
        "rsa-2048" => KeyKind::Rsa,
        known @ ("rsa-3072" | "rsa-4096") => {
            return Err(Refusal::unsupported(format!("not supported: certificates with {known} keys")));
        }
        other => return Err(Refusal::not_supported(format!("unknown algorithm {other:?}"))),
    };
    let expires = asked.expires_ms.map(expiry).transpose()?;
    let certificate =
        Certificate::generate_until(kind, expires).map_err(|error| Refusal::operation(error.to_string()))?;
    let fingerprint = certificate.fingerprint(HashAlgorithm::Sha256).to_string();
    let value = fingerprint.split_once(' ').map_or("", |(_, value)| value);
    Ok(Outcome::with(json!({
        "certificate_pem": *certificate.to_pem(),
        "expires_at_ms": expires.map_or(EXPIRES_AT_MS, |expires| expires.as_secs() * 1000),
        "fingerprints": [{"algorithm": HashAlgorithm::Sha256.name(), "value": value}],
    })))
}

/// When a certificate made now expires, in time since 1970.
fn expiry(expires_ms: f64) -> Result<Duration, Refusal> {
    let wrong = |_| Refusal::type_error("expires_ms is a number of milliseconds from now, 0 or more");
    let lives = Duration::try_from_secs_f64(expires_ms / 1e3).map_err(wrong)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(now.saturating_add(lives).min(Duration::from_millis(EXPIRES_AT_MS - 1000)))
}
