//! What a crypto library has to offer.

use core::fmt;

use weft_core::Rng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::wire::{NamedGroup, SignatureScheme};

/// Bytes of a nonce, for every [`AeadAlgorithm`].
pub const NONCE_LEN: usize = 12;
/// Bytes of a tag, for every [`AeadAlgorithm`].
pub const TAG_LEN: usize = 16;
/// Bytes of ciphertext that a [`SequenceMask`] is made of.
pub const SAMPLE_LEN: usize = 16;

/// A primitive failed: of inputs it refuses, for lack of the algorithm, or inside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a cryptographic primitive failed")]
pub struct Failed;

/// A hash function, the weakest first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum HashAlgorithm {
    /// SHA-256, what everybody sends.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// Bytes of a digest.
    #[expect(clippy::len_without_is_empty, reason = "the length of what it makes")]
    pub const fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// What a hash function or HMAC made. Wiped when dropped, because some are secrets.
#[derive(Clone)]
pub struct Digest {
    bytes: Zeroizing<[u8; 64]>,
    len: u8,
}

impl Digest {
    /// Takes at most 64 bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let mut digest = Self { bytes: Zeroizing::new([0; 64]), len: bytes.len().min(64) as u8 };
        digest.bytes.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        digest
    }
}

/// Its bytes are.
impl ZeroizeOnDrop for Digest {}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digest").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Authenticated encryption with associated data.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AeadAlgorithm {
    /// AES-128-GCM.
    Aes128Gcm,
    /// AES-256-GCM.
    Aes256Gcm,
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305,
}

impl AeadAlgorithm {
    /// Bytes of a key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }
}

/// One direction's key for records. It is to be wiped when dropped.
pub trait Aead: Send + Sync {
    /// Encrypts `body` in place and writes the tag of [`TAG_LEN`] bytes.
    fn seal(&self, nonce: [u8; NONCE_LEN], aad: &[u8], body: &mut [u8], tag: &mut [u8]) -> Result<(), Failed>;

    /// Authenticates and decrypts `body`, which ends with the tag, in place; gives the length of the plaintext. On
    /// failure `body` may hold anything but the plaintext.
    fn open(&self, nonce: [u8; NONCE_LEN], aad: &[u8], body: &mut [u8]) -> Result<usize, Failed>;
}

/// One direction's key for the mask that hides sequence numbers (RFC 9147 section 4.2.3): one block of AES, or of
/// ChaCha20's key stream. QUIC's header protection is the same function (RFC 9001 section 5.4).
pub trait SequenceMask: Send + Sync {
    /// The first bytes of the mask for a record whose ciphertext begins with `sample`.
    fn mask(&self, sample: &[u8; SAMPLE_LEN]) -> Result<[u8; 2], Failed>;
}

/// Our half of an ephemeral Diffie-Hellman exchange.
pub trait KeyAgreement: Send + Sync {
    /// What the peer is sent: 32 bytes of X25519, or an uncompressed point.
    fn public(&self) -> &[u8];

    /// The secret shared with the holder of `peer`. Fails for a malformed key, for a point that is off the curve or not
    /// in uncompressed form, and for an all-zero result of X25519 (RFC 8422 sections 5.1.2 and 5.11).
    fn agree(&self, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failed>;
}

/// Our half of a key encapsulation with ML-KEM-768.
pub trait Decapsulation: Send + Sync {
    /// The encapsulation key: 1184 bytes.
    fn public(&self) -> &[u8];

    /// The secret of 32 bytes in a ciphertext of 1088.
    fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failed>;
}

/// What a public key is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyKind {
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// Ed25519.
    Ed25519,
    /// RSA, as PKCS #1 v1.5 or PSS signatures use it.
    Rsa,
}

/// A public key as a certificate holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKey<'a> {
    /// What it is for.
    pub kind: KeyKind,
    /// The content of the certificate's bit string: an uncompressed point, 32 bytes, or an RSAPublicKey in DER.
    pub key: &'a [u8],
}

/// The private key of a certificate of ours: in memory, or in a device that signs when asked.
///
/// A signature's randomness comes from the library or device, not from a connection's generator: no seed can then ever
/// repeat one.
pub trait SigningKey: fmt::Debug + Send + Sync {
    /// The public key.
    fn public(&self) -> PublicKey<'_>;

    /// Signs by `scheme`, which fits the key: an ECDSA key is asked for its curve's scheme, an RSA key for PSS and PKCS #1
    /// with SHA-256, SHA-384 or SHA-512.
    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Failed>;
}

/// A crypto library. It may lack algorithms: then the lists in [`Config`](crate::Config) must, too, or handshakes that
/// choose them end with an internal error.
pub trait CryptoProvider: fmt::Debug + Send + Sync {
    /// The hash of `data`.
    fn digest(&self, hash: HashAlgorithm, data: &[u8]) -> Digest;

    /// The HMAC (RFC 2104) under `key` of `parts`, end to end. Keys may have any length.
    fn hmac(&self, hash: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Digest;

    /// A key for records.
    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn Aead>, Failed>;

    /// A key for masks of sequence numbers, as DTLS 1.3 needs them.
    fn sequence_mask(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn SequenceMask>, Failed>;

    /// A new key pair for X25519, P-256 or P-384, from `rng`.
    fn key_agreement(&self, group: NamedGroup, rng: &mut Rng) -> Result<Box<dyn KeyAgreement>, Failed>;

    /// A new key pair for ML-KEM-768.
    fn decapsulation(&self) -> Result<Box<dyn Decapsulation>, Failed>;

    /// Encapsulates a new secret to a key of ML-KEM-768: the ciphertext, and the secret.
    fn encapsulate(&self, key: &[u8]) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), Failed>;

    /// Verifies a signature. An ECDSA scheme names a hash alone here, as DTLS 1.2 has it; that a key's curve must be the
    /// scheme's in 1.3 is seen to by the caller. RSA keys have 2048 bits at least.
    fn verify(
        &self,
        key: PublicKey<'_>,
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Failed>;
}
