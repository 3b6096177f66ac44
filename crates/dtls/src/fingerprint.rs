//! Certificate fingerprints as SDP writes them (RFC 8122 section 5).

use core::fmt;
use core::str::FromStr;

use subtle::ConstantTimeEq as _;

use crate::crypto::{AwsLc, CryptoProvider as _, HashAlgorithm};

impl HashAlgorithm {
    /// Its name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }
}

/// The hash of a certificate's DER encoding.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    algorithm: HashAlgorithm,
    /// The hash, then zeros.
    bytes: [u8; 64],
}

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(algorithm: HashAlgorithm, certificate_der: &[u8]) -> Self {
        let digest = AwsLc.digest(algorithm, certificate_der);
        let mut bytes = [0; 64];
        bytes.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self { algorithm, bytes }
    }

    /// The hash function.
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The hash.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.algorithm.len()).unwrap_or_default()
    }

    /// Whether this is the fingerprint of the certificate, compared in constant time.
    pub fn matches(&self, certificate_der: &[u8]) -> bool {
        Self::of(self.algorithm, certificate_der).bytes.ct_eq(&self.bytes).into()
    }
}

/// Not a fingerprint, or one of a hash function that is unknown or too weak.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FingerprintError {
    /// The hash function is unknown or weaker than SHA-256 (RFC 8122 section 5.1).
    #[error("unknown or too weak hash function")]
    Algorithm,
    /// Not as many hexadecimal pairs with colons between as the hash function has bytes.
    #[error("malformed fingerprint")]
    Malformed,
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Reads `sha-256 AA:BB:...`, in either case.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (name, hex) = s.trim().split_once(' ').ok_or(FingerprintError::Malformed)?;
        let algorithm = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512]
            .into_iter()
            .find(|a| a.name().eq_ignore_ascii_case(name))
            .ok_or(FingerprintError::Algorithm)?;
        let mut bytes = [0; 64];
        let mut slots = bytes.iter_mut().take(algorithm.len());
        for pair in hex.trim().split(':') {
            let (slot, [high, low]) =
                slots.next().zip(pair.as_bytes().try_into().ok()).ok_or(FingerprintError::Malformed)?;
            *slot = hex_digit(high)? << 4 | hex_digit(low)?;
        }
        if slots.next().is_some() { Err(FingerprintError::Malformed) } else { Ok(Self { algorithm, bytes }) }
    }
}

fn hex_digit(digit: u8) -> Result<u8, FingerprintError> {
    char::from(digit).to_digit(16).map(|d| d as u8).ok_or(FingerprintError::Malformed)
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm.name())?;
        for (i, byte) in self.bytes().iter().enumerate() {
            write!(f, "{}{byte:02X}", if i == 0 { ' ' } else { ':' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_for_every_hash() {
        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
            let fingerprint = Fingerprint::of(algorithm, b"certificate");
            let text = fingerprint.to_string();
            assert_eq!(text.parse(), Ok(fingerprint));
            assert_eq!(text.to_lowercase().parse(), Ok(fingerprint));
            assert!(fingerprint.matches(b"certificate") && !fingerprint.matches(b"Certificate"));
        }
    }

    #[test]
    fn weak_and_malformed_ones_are_refused() {
        let good = Fingerprint::of(HashAlgorithm::Sha256, b"x").to_string();
        assert_eq!(good.replace("256", "1").parse::<Fingerprint>(), Err(FingerprintError::Algorithm));
        for bad in ["", "sha-256", "sha-256 ", "sha-256 AA", &good[..good.len() - 1], &format!("{good}:00")] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(FingerprintError::Malformed), "{bad:?}");
        }
    }
}
