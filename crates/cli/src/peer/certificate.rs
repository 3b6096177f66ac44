//! The command `certificate`.

use serde_json::json;
use weft_rtc::Certificate;
use weft_rtc::dtls::HashAlgorithm;

use super::command;
use super::refusal::Refusal;
use super::session::Outcome;

/// The first moment at which no certificate of ours is valid any more, in milliseconds since 1970: the year 4096.
const EXPIRES_AT_MS: u64 = 67_090_118_400_000;

/// Makes a certificate with a key of its own.
pub(super) fn make(asked: &command::Certificate) -> Result<Outcome, Refusal> {
    match asked.algorithm.as_deref().unwrap_or("ecdsa-p256") {
        "ecdsa-p256" => {}
        known @ ("ecdsa-p384" | "rsa-2048" | "rsa-4096" | "ed25519") => {
            return Err(Refusal::unsupported(format!("not supported: certificates with {known} keys")));
        }
        other => return Err(Refusal::not_supported(format!("unknown algorithm {other:?}"))),
    }
    if asked.expires_ms.is_some() {
        return Err(Refusal::unsupported("not supported yet: choosing when a certificate expires"));
    }
    let certificate = Certificate::generate().map_err(|error| Refusal::operation(error.to_string()))?;
    let fingerprint = certificate.fingerprint(HashAlgorithm::Sha256).to_string();
    let value = fingerprint.split_once(' ').map_or("", |(_, value)| value);
    Ok(Outcome::with(json!({
        "certificate_pem": *certificate.to_pem(),
        "expires_at_ms": EXPIRES_AT_MS,
        "fingerprints": [{"algorithm": HashAlgorithm::Sha256.name(), "value": value}],
    })))
}
