//! The key derivation of TLS 1.3 with the label prefix of DTLS (RFC 8446 section 7.1, RFC 9147 section 5.9).

use aws_lc_rs::{hkdf, hmac};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Failed, Hash};

const PREFIX: &[u8] = b"dtls13";
/// The longest HkdfLabel: lengths, a label and a context of at most 255 bytes.
const MAX_INFO: usize = 2 + 1 + 255 + 1 + 255;

/// A secret of the key schedule: as long as the hash. Wiped when dropped.
#[derive(Clone)]
pub(crate) struct Secret {
    hash: Hash,
    bytes: Zeroizing<Vec<u8>>,
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn hmac_key(hash: Hash, key: &[u8]) -> hmac::Key {
    let algorithm = match hash {
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
        Hash::Sha512 => hmac::HMAC_SHA512,
    };
    hmac::Key::new(algorithm, key)
}

impl Secret {
    /// `HKDF-Extract(salt, input)`, which is one HMAC (RFC 5869 section 2.2).
    pub(crate) fn extract(hash: Hash, salt: &[u8], input: &[u8]) -> Self {
        let tag = hmac::sign(&hmac_key(hash, salt), input);
        Self { hash, bytes: Zeroizing::new(tag.as_ref().to_vec()) }
    }

    /// `HKDF-Expand-Label(self, label, context, out.len())`.
    pub(crate) fn expand_into(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), Failed> {
        let length = u16::try_from(out.len()).map_err(|_| Failed)?;
        let label_len = u8::try_from(PREFIX.len().saturating_add(label.len())).map_err(|_| Failed)?;
        let context_len = u8::try_from(context.len()).map_err(|_| Failed)?;
        let mut info = Vec::with_capacity(MAX_INFO);
        info.extend_from_slice(&length.to_be_bytes());
        info.push(label_len);
        info.extend_from_slice(PREFIX);
        info.extend_from_slice(label);
        info.push(context_len);
        info.extend_from_slice(context);
        let algorithm = match self.hash {
            Hash::Sha256 => hkdf::HKDF_SHA256,
            Hash::Sha384 => hkdf::HKDF_SHA384,
            Hash::Sha512 => hkdf::HKDF_SHA512,
        };
        let prk = hkdf::Prk::new_less_safe(algorithm, &self.bytes);
        Ok(prk.expand(&[&info], Length(out.len()))?.fill(out)?)
    }

    /// The same, as bytes.
    pub(crate) fn expand(&self, label: &[u8], context: &[u8], len: usize) -> Result<Zeroizing<Vec<u8>>, Failed> {
        let mut out = Zeroizing::new(vec![0; len]);
        self.expand_into(label, context, &mut out)?;
        Ok(out)
    }

    /// `Derive-Secret`: as long as the hash; `context` is a hash of messages, or empty.
    pub(crate) fn derive(&self, label: &[u8], context: &[u8]) -> Result<Self, Failed> {
        Ok(Self { hash: self.hash, bytes: self.expand(label, context, self.bytes.len())? })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The content of a Finished under this secret (RFC 8446 section 4.4.4).
    pub(crate) fn verify_data(&self, transcript_hash: &[u8]) -> Result<Vec<u8>, Failed> {
        let key = self.derive(b"finished", &[])?;
        Ok(hmac::sign(&hmac_key(self.hash, key.bytes()), transcript_hash).as_ref().to_vec())
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
        let secret = Secret::extract(Hash::Sha256, &salt, &[0x0b; 22]);
        assert_eq!(secret.bytes()[..8], [0x07, 0x77, 0x09, 0x36, 0x2c, 0x2e, 0x32, 0xdf]);
    }

    #[test]
    fn labels_and_contexts_separate() {
        let secret = Secret::extract(Hash::Sha384, &[], &[1; 48]);
        let key = secret.expand(b"key", &[], 16).unwrap();
        assert_ne!(key, secret.expand(b"sn", &[], 16).unwrap());
        assert_ne!(key, secret.expand(b"key", &[0], 16).unwrap());
        assert_ne!(key[..], secret.expand(b"key", &[], 32).unwrap()[..16], "the length is part of the label");
        assert!(secret.expand(&[0; 250], &[], 16).is_err());
    }
}
