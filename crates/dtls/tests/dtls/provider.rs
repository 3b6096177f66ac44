//! Another crypto library behind a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hmac::{KeyInit, Mac};
use sha2::Digest as _;
use weft_core::Rng;
use weft_dtls::crypto::{
    Aead, AeadAlgorithm, AwsLc, Decapsulation, Digest, Failed, KeyAgreement, PublicKey, SequenceMask,
};
use weft_dtls::wire::SignatureScheme;
use weft_dtls::{CryptoProvider, HashAlgorithm, NamedGroup, ProtocolVersion, Role};

use crate::link::{PERFECT, Pair, config_any};

/// RustCrypto's hashes, so that every key is derived by another library, and a count of the keys made of them.
#[derive(Debug, Default)]
struct Mixed {
    hashed: AtomicUsize,
    keys: AtomicUsize,
}

impl CryptoProvider for Mixed {
    fn digest(&self, hash: HashAlgorithm, data: &[u8]) -> Digest {
        self.hashed.fetch_add(1, Ordering::Relaxed);
        match hash {
            HashAlgorithm::Sha256 => Digest::new(&sha2::Sha256::digest(data)),
            HashAlgorithm::Sha384 => Digest::new(&sha2::Sha384::digest(data)),
            HashAlgorithm::Sha512 => Digest::new(&sha2::Sha512::digest(data)),
        }
    }

    fn hmac(&self, hash: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Digest {
        fn tag<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Digest {
            let mut mac = <M as KeyInit>::new_from_slice(key).unwrap();
            for part in parts {
                mac.update(part);
            }
            Digest::new(&mac.finalize().into_bytes())
        }
        self.hashed.fetch_add(1, Ordering::Relaxed);
        match hash {
            HashAlgorithm::Sha256 => tag::<hmac::Hmac<sha2::Sha256>>(key, parts),
            HashAlgorithm::Sha384 => tag::<hmac::Hmac<sha2::Sha384>>(key, parts),
            HashAlgorithm::Sha512 => tag::<hmac::Hmac<sha2::Sha512>>(key, parts),
        }
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn Aead>, Failed> {
        self.keys.fetch_add(1, Ordering::Relaxed);
        AwsLc.aead(algorithm, key)
    }

    fn sequence_mask(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn SequenceMask>, Failed> {
        AwsLc.sequence_mask(algorithm, key)
    }

    fn key_agreement(&self, group: NamedGroup, rng: &mut Rng) -> Result<Box<dyn KeyAgreement>, Failed> {
        AwsLc.key_agreement(group, rng)
    }

    fn decapsulation(&self) -> Result<Box<dyn Decapsulation>, Failed> {
        AwsLc.decapsulation()
    }

    fn encapsulate(&self, key: &[u8]) -> Result<(Vec<u8>, zeroize::Zeroizing<Vec<u8>>), Failed> {
        AwsLc.encapsulate(key)
    }

    fn verify(
        &self,
        key: PublicKey<'_>,
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Failed> {
        AwsLc.verify(key, scheme, message, signature)
    }
}

/// One side's keys are derived by one library, the other's by another.
#[test]
fn a_side_with_another_provider_agrees_on_every_key() {
    for (version, keys) in [(ProtocolVersion::DTLS_1_2, 2), (ProtocolVersion::DTLS_1_3, 4)] {
        let provider = Arc::new(Mixed::default());
        let mut client = config_any(Role::Client);
        client.versions = vec![version];
        client.provider = provider.clone();
        let mut pair = Pair::new(client, config_any(Role::Server), PERFECT, 1);
        pair.connect(Duration::from_secs(5));
        assert!(pair.both_connected(), "{:?}", pair.errors);
        pair.send_data(0, b"ping");
        pair.send_data(1, b"pong");
        pair.run_for(Duration::from_secs(1));
        assert_eq!(pair.received, [vec![b"pong".to_vec()], vec![b"ping".to_vec()]]);
        assert_eq!(provider.keys.load(Ordering::Relaxed), keys);
        assert!(provider.hashed.load(Ordering::Relaxed) > 10);
    }
}
