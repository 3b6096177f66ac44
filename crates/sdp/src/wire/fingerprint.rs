//! `a=fingerprint:<hash function> <bytes in hexadecimal, joined by colons>`
//!
//! <https://www.rfc-editor.org/rfc/rfc8122#section-5>

use std::fmt;
use std::str::FromStr;

use super::cursor::{Cursor, whole};
use crate::error::{Fault, ParseError};

/// The hash of a certificate, which ties the DTLS handshake to the description.
///
/// ```
/// use weft_sdp::Fingerprint;
///
/// let weak: Fingerprint = "sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB".parse()?;
/// assert!(!weak.is_usable());
/// # Ok::<(), weft_sdp::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// What the bytes were computed with.
    pub hash: HashFunction,
    /// The hash of the certificate's DER form.
    pub bytes: Vec<u8>,
}

impl Fingerprint {
    /// Whether a certificate may be trusted on the strength of this: SHA-256 or longer.
    pub fn is_usable(&self) -> bool {
        self.hash.digest_length().is_some()
    }
}

/// The name of a hash function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashFunction {
    /// One that is too weak to trust (MD2, MD5, SHA-1, SHA-224) or not known. Its name, in lower case.
    Other(String),
    /// `sha-256`, which every peer knows.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
}

impl HashFunction {
    /// Bytes of a digest; none for a function that is not to be used.
    pub fn digest_length(&self) -> Option<usize> {
        match self {
            Self::Other(_) => None,
            Self::Sha256 => Some(32),
            Self::Sha384 => Some(48),
            Self::Sha512 => Some(64),
        }
    }
}

impl fmt::Display for HashFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other(name) => name,
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        })
    }
}

impl FromStr for Fingerprint {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        whole(text, read)
    }
}

fn read(cursor: &mut Cursor<'_>) -> Result<Fingerprint, Fault> {
    // RFC 8122 writes the names in lower case, the examples of RFC 8841 and 8842 in upper case: both are read.
    let hash = match cursor.token("a hash function")?.to_ascii_lowercase() {
        name if name == "sha-256" => HashFunction::Sha256,
        name if name == "sha-384" => HashFunction::Sha384,
        name if name == "sha-512" => HashFunction::Sha512,
        name => HashFunction::Other(name),
    };
    cursor.space()?;
    let start = cursor.offset();
    let mut bytes = vec![byte(cursor)?];
    while !cursor.is_done() {
        cursor.byte(b':', "a colon")?;
        bytes.push(byte(cursor)?);
    }
    match hash.digest_length() {
        Some(length) if length != bytes.len() => Err(Fault::new(start, "as many bytes as the hash function gives")),
        _ => Ok(Fingerprint { hash, bytes }),
    }
}

/// Two hexadecimal digits. The grammar has upper case only; some peers write lower case.
fn byte(cursor: &mut Cursor<'_>) -> Result<u8, Fault> {
    let start = cursor.offset();
    match cursor.run(|byte| byte.is_ascii_hexdigit()) {
        pair if pair.len() == 2 => u8::from_str_radix(pair, 16).ok(),
        _ => None,
    }
    .ok_or(Fault::new(start, "two hexadecimal digits"))
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.hash)?;
        let mut before = ' ';
        for byte in &self.bytes {
            write!(f, "{before}{byte:02X}")?;
            before = ':';
        }
        Ok(())
    }
}
