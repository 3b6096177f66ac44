//! Hashes and the pseudorandom function over them.

use aws_lc_rs::{digest, tls_prf};
use zeroize::Zeroizing;

use super::Failed;

/// A hash function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// Bytes of a digest.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    pub(crate) fn digest(self, data: &[u8]) -> impl AsRef<[u8]> + use<> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, data)
    }
}

/// `PRF(secret, label, seed)` of RFC 5246 section 5, `len` bytes of it.
pub(crate) fn prf(
    hash: Hash,
    secret: &[u8],
    label: &[u8],
    seed: &[u8],
    len: usize,
) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let algorithm = match hash {
        Hash::Sha256 => &tls_prf::P_SHA256,
        Hash::Sha384 => &tls_prf::P_SHA384,
        Hash::Sha512 => &tls_prf::P_SHA512,
    };
    let secret = tls_prf::Secret::new(algorithm, secret)?;
    Ok(Zeroizing::new(secret.derive(label, seed, len)?.as_ref().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The widely used test vector for the SHA-256 PRF (TLS working group mailing list, "TLS 1.2 PRF test vectors").
    #[test]
    fn prf_matches_published_vector() {
        let secret = [0x9b, 0xbe, 0x43, 0x6b, 0xa9, 0x40, 0xf0, 0x17, 0xb1, 0x76, 0x52, 0x84, 0x9a, 0x71, 0xdb, 0x35];
        let seed = [0xa0, 0xba, 0x9f, 0x93, 0x6c, 0xda, 0x31, 0x18, 0x27, 0xa6, 0xf7, 0x96, 0xff, 0xd5, 0x19, 0x8c];
        let out = prf(Hash::Sha256, &secret, b"test label", &seed, 100).unwrap();
        assert_eq!(out[..8], [0xe3, 0xf2, 0x29, 0xba, 0x72, 0x7b, 0xe1, 0x7b]);
        assert_eq!(out[92..], [0x10, 0xff, 0xf7, 0x01, 0x87, 0x34, 0x7b, 0x66]);
    }
}
