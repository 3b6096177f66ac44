//! How the peer's certificate is judged.

use core::fmt;
use std::sync::Arc;

use crate::chain::ChainVerifier;
use crate::fingerprint::Fingerprint;
use crate::wire::AlertDescription;

/// Decides whether the peer is who it should be. Whatever it decides, the peer must also prove by signature that it
/// holds the private key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verifier {
    /// The certificate has one of these fingerprints, as signalling told them. Of several hash functions the strongest
    /// among them alone counts (RFC 8122 section 5). Compared in constant time. Nothing in the certificate matters but
    /// its public key.
    Fingerprints(Vec<Fingerprint>),
    /// An authority vouches for it.
    Chain(Arc<ChainVerifier>),
    /// The caller's own judgement.
    Custom(Arc<dyn VerifyCertificate>),
}

/// A judgement of certificates.
pub trait VerifyCertificate: fmt::Debug + Send + Sync {
    /// Judges the peer's certificate (DER) with what else it sent of its chain. Called once in a handshake.
    fn verify(&self, certificate: &[u8], intermediates: &[&[u8]]) -> Result<(), Rejection>;
}

/// Why a certificate is not accepted. Each has its alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It is not the certificate that was announced.
    #[error("the certificate matches no fingerprint")]
    FingerprintMismatch,
    /// It is damaged.
    #[error("the certificate is malformed")]
    Malformed,
    /// Its key is of a kind that is not supported, or does not fit the cipher suite.
    #[error("the certificate's key is not supported")]
    Unsupported,
    /// Its time is over, or has not come.
    #[error("the certificate is not valid now")]
    Expired,
    /// Whoever issued it is not trusted.
    #[error("the certificate's issuer is not trusted")]
    UnknownIssuer,
    /// A signature in its chain is wrong, or by an algorithm that is not taken: with MD5, say.
    #[error("a signature of the certificate's chain is not acceptable")]
    Signature,
    /// It is another's: the name is not the one that was asked for.
    #[error("the certificate is for another name")]
    WrongName,
    /// Any other reason.
    #[error("the certificate is not acceptable")]
    Other,
    /// A reason of the caller's own, with the alert that tells the peer.
    #[error("the certificate is not acceptable (sent alert {0})")]
    With(AlertDescription),
}

impl Rejection {
    pub(crate) fn alert(self) -> AlertDescription {
        match self {
            Self::FingerprintMismatch | Self::Malformed | Self::Signature | Self::WrongName => {
                AlertDescription::BAD_CERTIFICATE
            }
            Self::Unsupported => AlertDescription::UNSUPPORTED_CERTIFICATE,
            Self::Expired => AlertDescription::CERTIFICATE_EXPIRED,
            Self::UnknownIssuer => AlertDescription::UNKNOWN_CA,
            Self::Other => AlertDescription::CERTIFICATE_UNKNOWN,
            Self::With(alert) => alert,
        }
    }
}

impl Verifier {
    pub(crate) fn verify(&self, certificate: &[u8], intermediates: &[&[u8]]) -> Result<(), Rejection> {
        match self {
            Self::Fingerprints(all) => {
                let strongest = all.iter().map(Fingerprint::algorithm).max();
                let mut set = all.iter().filter(|f| Some(f.algorithm()) == strongest);
                if set.any(|f| f.matches(certificate)) { Ok(()) } else { Err(Rejection::FingerprintMismatch) }
            }
            Self::Chain(verifier) => verifier.verify(certificate, intermediates),
            Self::Custom(verifier) => verifier.verify(certificate, intermediates),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HashAlgorithm;

    //= rfc8122#5.1
    //# An endpoint MUST select the set of fingerprints that use its most preferred hash function (out of those offered
    //# by the peer) and verify that each certificate used matches one fingerprint out of that set.
    #[test]
    fn only_the_strongest_hash_counts() {
        let of = |algorithm, certificate: &[u8]| Fingerprint::of(algorithm, certificate);
        let (weak, strong) = (of(HashAlgorithm::Sha256, b"a"), of(HashAlgorithm::Sha512, b"b"));
        let other = of(HashAlgorithm::Sha512, b"c");
        let verifier = Verifier::Fingerprints(vec![weak, strong, other]);
        assert_eq!(verifier.verify(b"a", &[]), Err(Rejection::FingerprintMismatch));
        assert_eq!(verifier.verify(b"b", &[]), Ok(()));
        assert_eq!(verifier.verify(b"c", &[]), Ok(()));
        assert_eq!(Verifier::Fingerprints(vec![]).verify(b"a", &[]), Err(Rejection::FingerprintMismatch));
    }
}
