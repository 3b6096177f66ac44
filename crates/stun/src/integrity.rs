//! Message integrity: RFC 8489 sections 9.1.1, 9.2.2, 14.5 and 14.6.

use core::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

use crate::wire::IntegrityInput;

/// What a look at a message's integrity found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Integrity {
    /// Neither MESSAGE-INTEGRITY nor MESSAGE-INTEGRITY-SHA256 is there.
    Absent,
    /// One is there and does not hold.
    Invalid,
    /// MESSAGE-INTEGRITY holds.
    Sha1,
    /// MESSAGE-INTEGRITY-SHA256 holds.
    Sha256,
}

impl Integrity {
    /// Whether one of them holds.
    pub const fn holds(self) -> bool {
        matches!(self, Self::Sha1 | Self::Sha256)
    }
}

/// How a long-term password becomes a key (RFC 8489 section 18.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PasswordAlgorithmId {
    /// 0x0001, what servers use that offer no choice.
    Md5,
    /// 0x0002.
    Sha256,
}

impl PasswordAlgorithmId {
    /// Its number.
    pub const fn number(self) -> u16 {
        match self {
            Self::Md5 => 1,
            Self::Sha256 => 2,
        }
    }

    /// The algorithm with this number, if it is known here.
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Md5),
            2 => Some(Self::Sha256),
            _ => None,
        }
    }
}

/// The key of both integrity attributes. The hash states of MESSAGE-INTEGRITY are made once, so a message costs no key
/// schedule; so are those of MESSAGE-INTEGRITY-SHA256, but for a short-term credential's key: two of those are in every
/// ICE agent, and hardly any peer uses them so.
///
/// Strings are used as they come: the caller applies the OpaqueString profile (RFC 8265), which changes nothing in
/// printable ASCII, and so in everything ICE uses.
#[derive(Clone)]
pub struct IntegrityKey {
    sha1: Hmac<Sha1>,
    sha256: Sha256Key,
}

#[derive(Clone)]
enum Sha256Key {
    Made(Box<Hmac<Sha256>>),
    Password(Box<str>),
}

impl Sha256Key {
    fn make(key: &[u8]) -> Hmac<Sha256> {
        Hmac::new(&block::<Sha256>(key).into())
    }

    fn state(&self) -> Hmac<Sha256> {
        match self {
            Self::Made(state) => Hmac::clone(state),
            Self::Password(password) => Self::make(password.as_bytes()),
        }
    }
}

impl IntegrityKey {
    /// A short-term credential's key (RFC 8489 section 9.1.1).
    pub fn short_term(password: &str) -> Self {
        Self { sha1: sha1_state(password.as_bytes()), sha256: Sha256Key::Password(password.into()) }
    }

    /// A long-term credential's key (RFC 8489 section 9.2.2).
    pub fn long_term(algorithm: PasswordAlgorithmId, username: &str, realm: &str, password: &str) -> Self {
        let parts = [username, ":", realm, ":", password];
        match algorithm {
            PasswordAlgorithmId::Md5 => Self::raw(&parts.iter().fold(Md5::new(), Digest::chain_update).finalize()),
            PasswordAlgorithmId::Sha256 => {
                Self::raw(&parts.iter().fold(Sha256::new(), Digest::chain_update).finalize())
            }
        }
    }

    /// The session key that comes with an access token (`mac_key` of RFC 7635 section 5). It is used as it is.
    pub fn mac_key(key: &[u8]) -> Self {
        Self::raw(key)
    }

    fn raw(key: &[u8]) -> Self {
        Self { sha1: sha1_state(key), sha256: Sha256Key::Made(Box::new(Sha256Key::make(key))) }
    }

    pub(crate) fn sha1(&self, input: &IntegrityInput<'_>) -> [u8; 20] {
        let mac = self.sha1.clone().chain_update(input.message_type).chain_update(input.length);
        mac.chain_update(input.rest).finalize().into_bytes().into()
    }

    pub(crate) fn sha256(&self, input: &IntegrityInput<'_>) -> [u8; 32] {
        let mac = self.sha256.state().chain_update(input.message_type).chain_update(input.length);
        mac.chain_update(input.rest).finalize().into_bytes().into()
    }
}

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey")
    }
}

fn sha1_state(key: &[u8]) -> Hmac<Sha1> {
    Hmac::new(&block::<Sha1>(key).into())
}

/// The key as HMAC uses it, one hash block long: hashed if it is longer, filled up with zeros (RFC 2104 section 2).
fn block<H: Digest>(key: &[u8]) -> [u8; 64] {
    let mut block = [0; 64];
    if let Some(out) = block.get_mut(..key.len()) {
        out.copy_from_slice(key);
    } else {
        block.iter_mut().zip(H::digest(key)).for_each(|(out, byte)| *out = byte);
    }
    block
}

/// The value of USERHASH (RFC 8489 section 14.4).
pub fn userhash(username: &str, realm: &str) -> [u8; 32] {
    Sha256::new().chain_update(username).chain_update(":").chain_update(realm).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8489 appendix B.1, the one published HMAC with a SHA-256 key. Its header was written with a length of 156, which
    /// counts the header, too, and the HMAC was made over that.
    #[test]
    fn long_term_key_with_sha256() {
        let mut message = vec![0x00, 0x01, 0x00, 0x9C, 0x21, 0x12, 0xA4, 0x42];
        message.extend_from_slice(&[0x78, 0xAD, 0x34, 0x33, 0xC6, 0xAD, 0x72, 0xC0, 0x29, 0xDA, 0x41, 0x2E]);
        message.extend_from_slice(&[0x00, 0x1E, 0x00, 0x20]);
        message.extend_from_slice(&userhash("マトリックス", "example.org"));
        message.extend_from_slice(&[0x00, 0x15, 0x00, 0x29]);
        message.extend_from_slice(b"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA\0\0\0");
        message.extend_from_slice(&[0x00, 0x14, 0x00, 0x0B]);
        message.extend_from_slice(b"example.org\0");
        let key = IntegrityKey::long_term(PasswordAlgorithmId::Sha256, "マトリックス", "example.org", "TheMatrIX");
        let input = IntegrityInput { message_type: &message[..2], length: [0, 0x9C], rest: &message[4..] };
        let expected = [
            0xE4, 0x68, 0x6C, 0x8F, 0x0E, 0xDE, 0xB5, 0x90, 0x13, 0xE0, 0x70, 0x90, 0x01, 0x0A, 0x93, 0xEF, 0xCC, 0xBC,
            0xCC, 0x54, 0x4C, 0x0A, 0x45, 0xD9, 0xF8, 0x30, 0xAA, 0x6D, 0x6F, 0x73, 0x5A, 0x01,
        ];
        assert_eq!(key.sha256(&input), expected);
    }

    /// RFC 2104: a key longer than a block is hashed first.
    #[test]
    fn keys_of_any_length() {
        let input = |rest| IntegrityInput { message_type: &[], length: [0, 0], rest };
        for len in [0, 1, 63, 64, 65, 200] {
            let key = vec![7; len];
            let mut theirs = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            theirs.update(&[0, 0, 1, 2, 3]);
            let theirs = <[u8; 32]>::from(theirs.finalize().into_bytes());
            assert_eq!(IntegrityKey::raw(&key).sha256(&input(&[1, 2, 3])), theirs);
            let password = String::from_utf8(key).unwrap();
            assert_eq!(IntegrityKey::short_term(&password).sha256(&input(&[1, 2, 3])), theirs);
        }
    }
}
