//! The key derivation of TLS 1.3 with the label prefix of DTLS (RFC 8446 section 7.1, RFC 9147 section 5.9).

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Digest, Failed, HashAlgorithm, Provider};

const PREFIX: &[u8] = b"dtls13";

/// A secret of the key schedule: as long as the hash. Wiped when dropped.
#[derive(Clone)]
pub(crate) struct Secret {
    provider: Provider,
    hash: HashAlgorithm,
    bytes: Digest,
}

impl Secret {
    /// `HKDF-Extract(salt, input)`, which is one HMAC (RFC 5869 section 2.2).
    pub(crate) fn extract(provider: &Provider, hash: HashAlgorithm, salt: &[u8], input: &[u8]) -> Self {
        Self { bytes: provider.hmac(hash, salt, &[input]), provider: provider.clone(), hash }
    }

    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// `HKDF-Expand-Label(self, label, context, out.len())`: HKDF-Expand (RFC 5869 section 2.3) with an HkdfLabel.
    pub(crate) fn expand_into(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), Failed> {
        let length = u16::try_from(out.len()).map_err(|_| Failed)?.to_be_bytes();
        let label_len = [u8::try_from(PREFIX.len().saturating_add(label.len())).map_err(|_| Failed)?];
        let context_len = [u8::try_from(context.len()).map_err(|_| Failed)?];
        let mut block = Digest::new(&[]);
        for (n, part) in out.chunks_mut(self.hash.len()).enumerate() {
            let counter = [u8::try_from(n.saturating_add(1)).map_err(|_| Failed)?];
            let parts = [block.as_ref(), &length, &label_len, PREFIX, label, &context_len, context, &counter];
            block = self.provider.hmac(self.hash, self.bytes(), &parts);
            part.iter_mut().zip(block.as_ref()).for_each(|(to, from)| *to = *from);
        }
        Ok(())
    }

    /// The same, as bytes.
    pub(crate) fn expand(&self, label: &[u8], context: &[u8], len: usize) -> Result<Zeroizing<Vec<u8>>, Failed> {
        let mut out = Zeroizing::new(vec![0; len]);
        self.expand_into(label, context, &mut out)?;
        Ok(out)
    }

    /// `Derive-Secret`: as long as the hash; `context` is a hash of messages, or empty.
    pub(crate) fn derive(&self, label: &[u8], context: &[u8]) -> Result<Self, Failed> {
        let bytes = Digest::new(&self.expand(label, context, self.hash.len())?);
        Ok(Self { provider: self.provider.clone(), hash: self.hash, bytes })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// The content of a Finished under this secret (RFC 8446 section 4.4.4).
    pub(crate) fn verify_data(&self, transcript_hash: &[u8]) -> Result<Vec<u8>, Failed> {
        let key = self.derive(b"finished", &[])?;
        Ok(self.provider.hmac(self.hash, key.bytes(), &[transcript_hash]).as_ref().to_vec())
    }

    /// Compares a Finished that was received, in constant time.
    pub(crate) fn is_verified(&self, transcript_hash: &[u8], body: &[u8]) -> Result<bool, Failed> {
        Ok(self.verify_data(transcript_hash)?.ct_eq(body).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869 appendix A.1, the extraction; the expansion differs by its label alone.
    #[test]
    fn extract_matches_rfc_5869() {
        let salt: Vec<u8> = (0..=12).collect();
        let secret = Secret::extract(&crate::crypto::default(), HashAlgorithm::Sha256, &salt, &[0x0b; 22]);
        assert_eq!(secret.bytes()[..8], [0x07, 0x77, 0x09, 0x36, 0x2c, 0x2e, 0x32, 0xdf]);
    }

    /// Whoever holds key material holds it in what wipes it: this does not compile otherwise.
    #[test]
    fn what_holds_secrets_wipes_them() {
        fn wipes<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        let secret = Secret::extract(&crate::crypto::default(), HashAlgorithm::Sha256, &[], &[1; 32]);
        let Secret { bytes, .. } = &secret;
        wipes(bytes);
        wipes(&secret.expand(b"key", &[], 16).unwrap());
        let provider = crate::crypto::default();
        wipes(&crate::crypto::prf(&provider, HashAlgorithm::Sha256, &[1; 48], b"label", &[], 48));
        let mut rng = weft_core::Rng::from_test_seed(1);
        let [a, b] = [(); 2].map(|()| provider.key_agreement(crate::NamedGroup::X25519, &mut rng).unwrap());
        wipes(&a.agree(b.public()).unwrap());
        let kem = provider.decapsulation().unwrap();
        let (ciphertext, shared) = provider.encapsulate(kem.public()).unwrap();
        wipes(&shared);
        wipes(&kem.decapsulate(&ciphertext).unwrap());
    }

    #[test]
    fn labels_and_contexts_separate() {
        let secret = Secret::extract(&crate::crypto::default(), HashAlgorithm::Sha384, &[], &[1; 48]);
        let key = secret.expand(b"key", &[], 16).unwrap();
        assert_ne!(key, secret.expand(b"sn", &[], 16).unwrap());
        assert_ne!(key, secret.expand(b"key", &[0], 16).unwrap());
        assert_ne!(key[..], secret.expand(b"key", &[], 32).unwrap()[..16], "the length is part of the label");
        assert!(secret.expand(&[0; 250], &[], 16).is_err());
    }
}
