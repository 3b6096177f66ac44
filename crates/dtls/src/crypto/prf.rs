//! The pseudorandom function of TLS 1.2 (RFC 5246 section 5).

use zeroize::Zeroizing;

use super::{HashAlgorithm, Provider};

/// `PRF(secret, label, seed)`, `len` bytes of it: P_hash over label and seed.
pub(crate) fn prf(
    provider: &Provider,
    hash: HashAlgorithm,
    secret: &[u8],
    label: &[u8],
    seed: &[u8],
    len: usize,
) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(len.saturating_add(hash.len())));
    let mut a = provider.hmac(hash, secret, &[label, seed]);
    while out.len() < len {
        out.extend_from_slice(provider.hmac(hash, secret, &[a.as_ref(), label, seed]).as_ref());
        a = provider.hmac(hash, secret, &[a.as_ref()]);
    }
    out.truncate(len);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The widely used test vector for the SHA-256 PRF (TLS working group mailing list, "TLS 1.2 PRF test vectors").
    #[test]
    fn prf_matches_published_vector() {
        let secret = [0x9b, 0xbe, 0x43, 0x6b, 0xa9, 0x40, 0xf0, 0x17, 0xb1, 0x76, 0x52, 0x84, 0x9a, 0x71, 0xdb, 0x35];
        let seed = [0xa0, 0xba, 0x9f, 0x93, 0x6c, 0xda, 0x31, 0x18, 0x27, 0xa6, 0xf7, 0x96, 0xff, 0xd5, 0x19, 0x8c];
        let out = prf(&crate::crypto::default(), HashAlgorithm::Sha256, &secret, b"test label", &seed, 100);
        assert_eq!(out[..8], [0xe3, 0xf2, 0x29, 0xba, 0x72, 0x7b, 0xe1, 0x7b]);
        assert_eq!(out[92..], [0x10, 0xff, 0xf7, 0x01, 0x87, 0x34, 0x7b, 0x66]);
    }
}
