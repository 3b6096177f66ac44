//! Ephemeral key agreement and encapsulation.

use aws_lc_rs::{agreement, kem};
use weft_core::Rng;
use zeroize::Zeroizing;

use crate::crypto::{Decapsulation, Failed, KeyAgreement};
use crate::wire::NamedGroup;

/// Draws of a private scalar before giving up. One in 2^32 draws is out of range for P-256.
const MAX_DRAWS: usize = 8;

struct Group {
    algorithm: &'static agreement::Algorithm,
    private_len: usize,
    public_len: usize,
    /// Whether public keys are points, of which the uncompressed form alone is taken.
    point: bool,
}

fn group(group: NamedGroup) -> Result<Group, Failed> {
    Ok(match group {
        NamedGroup::X25519 => Group { algorithm: &agreement::X25519, private_len: 32, public_len: 32, point: false },
        NamedGroup::SECP256R1 => {
            Group { algorithm: &agreement::ECDH_P256, private_len: 32, public_len: 65, point: true }
        }
        NamedGroup::SECP384R1 => {
            Group { algorithm: &agreement::ECDH_P384, private_len: 48, public_len: 97, point: true }
        }
        _ => return Err(Failed),
    })
}

/// Our half of a key agreement. The library wipes the private key when it is dropped.
pub(super) struct Share {
    group: Group,
    private: agreement::PrivateKey,
    public: Vec<u8>,
}

impl Share {
    pub(super) fn generate(named: NamedGroup, rng: &mut Rng) -> Result<Self, Failed> {
        let group = group(named)?;
        let mut scalar = Zeroizing::new(vec![0; group.private_len]);
        for _ in 0..MAX_DRAWS {
            rng.fill(&mut scalar);
            if let Ok(private) = agreement::PrivateKey::from_private_key(group.algorithm, &scalar) {
                let public = private.compute_public_key()?.as_ref().to_vec();
                return Ok(Self { group, private, public });
            }
        }
        Err(Failed)
    }
}

impl KeyAgreement for Share {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn agree(&self, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failed> {
        // The library would take other forms of points (RFC 8422 section 5.1.2).
        if peer.len() != self.group.public_len || self.group.point && peer.first() != Some(&4) {
            return Err(Failed);
        }
        let peer = agreement::UnparsedPublicKey::new(self.group.algorithm, peer);
        agreement::agree(&self.private, peer, Failed, |secret| Ok(Zeroizing::new(secret.to_vec())))
    }
}

/// Our half of an encapsulation with ML-KEM-768. It draws its randomness from the library, as signatures do.
pub(super) struct Kem {
    key: kem::DecapsulationKey,
    public: Vec<u8>,
}

impl Kem {
    pub(super) fn generate() -> Result<Self, Failed> {
        let key = kem::DecapsulationKey::generate(&kem::ML_KEM_768)?;
        let public = key.encapsulation_key()?.key_bytes()?.as_ref().to_vec();
        Ok(Self { key, public })
    }
}

impl Decapsulation for Kem {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failed> {
        Ok(Zeroizing::new(self.key.decapsulate(ciphertext.into())?.as_ref().to_vec()))
    }
}

pub(super) fn encapsulate(key: &[u8]) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), Failed> {
    let key = kem::EncapsulationKey::new(&kem::ML_KEM_768, key).map_err(|_| Failed)?;
    let (ciphertext, secret) = key.encapsulate()?;
    Ok((ciphertext.as_ref().to_vec(), Zeroizing::new(secret.as_ref().to_vec())))
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_in_every_group() {
        let mut rng = Rng::from_test_seed(1);
        for named in [NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1] {
            let a = Share::generate(named, &mut rng).unwrap();
            let b = Share::generate(named, &mut rng).unwrap();
            assert_eq!(a.agree(b.public()).unwrap(), b.agree(a.public()).unwrap(), "{named}");
            assert_ne!(a.public(), b.public());
        }
        assert!(Share::generate(NamedGroup(0x100), &mut rng).is_err());
    }

    //= rfc8422#5.11
    //# With the NIST curves, each party MUST validate the public key sent by its peer in the ClientKeyExchange and
    //# ServerKeyExchange messages.
    //= rfc8422#5.11
    //# A receiving party MUST check that the x and y parameters from the peer's public value satisfy the curve equation,
    //# y^2 = x^3 + ax + b mod p.
    //= rfc8422#5.1.2
    //# Implementations of this document MUST support the uncompressed format for all of their supported curves and MUST
    //# NOT support other formats for curves defined in this specification.
    #[test]
    fn bad_public_keys_are_refused() {
        let mut rng = Rng::from_test_seed(2);
        let p256 = Share::generate(NamedGroup::SECP256R1, &mut rng).unwrap();
        let mut off_curve = p256.public().to_vec();
        off_curve[64] ^= 1;
        assert!(p256.agree(&off_curve).is_err());
        let mut compressed = p256.public()[..33].to_vec();
        compressed[0] = 2;
        assert!(p256.agree(&compressed).is_err());
        assert!(p256.agree(&[]).is_err());
    }

    //= rfc8422#5.11
    //# With X25519 and X448, a receiving party MUST check whether the computed premaster secret is the all-zero value and
    //# abort the handshake if so, as described in Section 6 of [RFC7748].
    //= rfc8422#5.10
    //# if either party obtains all-zeroes x_S, it MUST abort the handshake (as required by definition of X25519 and X448).
    #[test]
    fn all_zero_shared_secret_is_refused() {
        let x25519 = Share::generate(NamedGroup::X25519, &mut Rng::from_test_seed(3)).unwrap();
        assert!(x25519.agree(&[0; 32]).is_err());
        let mut one = [0; 32];
        one[0] = 1;
        assert!(x25519.agree(&one).is_err());
    }
}
