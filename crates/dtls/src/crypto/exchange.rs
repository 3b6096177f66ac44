//! Key exchange as TLS 1.3 does it: the client offers a share, the server answers with one, both know the secret.
//! X25519MLKEM768 is both of its parts end to end, ML-KEM first.

use weft_core::Rng;
use zeroize::Zeroizing;

use super::{Decapsulation, Failed, KeyAgreement, Provider};
use crate::wire::NamedGroup;

/// Bytes of an ML-KEM-768 encapsulation key (FIPS 203 table 3).
const ENCAPSULATION_KEY: usize = 1184;
/// Bytes of an ML-KEM-768 ciphertext.
const CIPHERTEXT: usize = 1088;

/// A client's half of a key exchange.
pub(crate) struct KeyOffer {
    group: NamedGroup,
    curve: Box<dyn KeyAgreement>,
    kem: Option<Box<dyn Decapsulation>>,
    public: Vec<u8>,
}

/// The curve that a group holds.
fn curve(group: NamedGroup) -> NamedGroup {
    if group == NamedGroup::X25519MLKEM768 { NamedGroup::X25519 } else { group }
}

impl KeyOffer {
    pub(crate) fn generate(provider: &Provider, group: NamedGroup, rng: &mut Rng) -> Result<Self, Failed> {
        let share = provider.key_agreement(curve(group), rng)?;
        if group != NamedGroup::X25519MLKEM768 {
            return Ok(Self { group, public: share.public().to_vec(), curve: share, kem: None });
        }
        let kem = provider.decapsulation()?;
        let public = [kem.public(), share.public()].concat();
        Ok(Self { group, curve: share, kem: Some(kem), public })
    }

    pub(crate) fn group(&self) -> NamedGroup {
        self.group
    }

    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The secret shared with the server that answered `peer`.
    pub(crate) fn finish(&self, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failed> {
        let Some(kem) = &self.kem else { return self.curve.agree(peer) };
        let (ciphertext, point) = peer.split_at_checked(CIPHERTEXT).ok_or(Failed)?;
        Ok(hybrid(&kem.decapsulate(ciphertext)?, &self.curve.agree(point)?))
    }
}

/// A server's answer to the client's share: its own share, and the secret.
pub(crate) fn answer(
    provider: &Provider,
    group: NamedGroup,
    peer: &[u8],
    rng: &mut Rng,
) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), Failed> {
    let share = provider.key_agreement(curve(group), rng)?;
    if group != NamedGroup::X25519MLKEM768 {
        let secret = share.agree(peer)?;
        return Ok((share.public().to_vec(), secret));
    }
    let (key, point) = peer.split_at_checked(ENCAPSULATION_KEY).ok_or(Failed)?;
    let (mut public, shared) = provider.encapsulate(key)?;
    public.extend_from_slice(share.public());
    Ok((public, hybrid(&shared, &share.agree(point)?)))
}

fn hybrid(kem: &[u8], curve: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([kem, curve].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: [NamedGroup; 4] =
        [NamedGroup::X25519MLKEM768, NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1];

    #[test]
    fn both_sides_agree_in_every_group() {
        let mut rng = Rng::from_test_seed(1);
        for group in GROUPS {
            let offer = KeyOffer::generate(&crate::crypto::default(), group, &mut rng).unwrap();
            let (public, secret) = answer(&crate::crypto::default(), group, offer.public(), &mut rng).unwrap();
            assert_eq!(offer.finish(&public).unwrap(), secret, "{group}");
        }
        let offer = KeyOffer::generate(&crate::crypto::default(), NamedGroup::X25519MLKEM768, &mut rng).unwrap();
        let (public, secret) = answer(&crate::crypto::default(), offer.group(), offer.public(), &mut rng).unwrap();
        assert_eq!((offer.public().len(), public.len(), secret.len()), (1216, 1120, 64));
    }

    //= rfc8446#4.2.8.2
    //# For the curves secp256r1, secp384r1, and secp521r1, peers MUST validate each other's public value Q by ensuring that
    //# the point is a valid point on the elliptic curve.
    #[test]
    fn damaged_shares_are_refused() {
        let mut rng = Rng::from_test_seed(2);
        for group in GROUPS {
            let offer = KeyOffer::generate(&crate::crypto::default(), group, &mut rng).unwrap();
            assert!(answer(&crate::crypto::default(), group, &offer.public()[1..], &mut rng).is_err());
            assert!(offer.finish(&[]).is_err());
            assert!(offer.finish(&[4; 2000]).is_err());
        }
        let mut off_curve =
            KeyOffer::generate(&crate::crypto::default(), NamedGroup::SECP256R1, &mut rng).unwrap().public().to_vec();
        off_curve[64] ^= 1;
        assert!(answer(&crate::crypto::default(), NamedGroup::SECP256R1, &off_curve, &mut rng).is_err());
    }
}
