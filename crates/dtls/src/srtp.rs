//! Keys for SRTP (RFC 5764 section 4.2). No SRTP is spoken here.

use core::fmt;

use zeroize::Zeroizing;

use crate::connection::Connection;
use crate::wire::SrtpProfile;

/// Master keys and salts of both directions. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpKeys {
    /// The profile they are for.
    pub profile: SrtpProfile,
    /// Master key of what the client sends.
    pub client_key: Zeroizing<Vec<u8>>,
    /// Master key of what the server sends.
    pub server_key: Zeroizing<Vec<u8>>,
    /// Master salt of what the client sends.
    pub client_salt: Zeroizing<Vec<u8>>,
    /// Master salt of what the server sends.
    pub server_salt: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for SrtpKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpKeys").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// Bytes of master key and master salt (RFC 5764 section 4.1.2, RFC 7714 section 12).
fn lengths(profile: SrtpProfile) -> Option<(usize, usize)> {
    match profile {
        SrtpProfile::AES128_CM_HMAC_SHA1_80 | SrtpProfile::AES128_CM_HMAC_SHA1_32 => Some((16, 14)),
        SrtpProfile::AEAD_AES_128_GCM => Some((16, 12)),
        SrtpProfile::AEAD_AES_256_GCM => Some((32, 12)),
        _ => None,
    }
}

impl Connection {
    /// The keys for SRTP; `None` before the handshake ended, or if no profile was agreed on. For a profile that this crate
    /// has no name for, export them yourself: `EXTRACTOR-dtls_srtp`, no context.
    pub fn srtp_keys(&self) -> Option<SrtpKeys> {
        let profile = self.info()?.srtp_profile?;
        let (key_len, salt_len) = lengths(profile)?;
        let mut material = Zeroizing::new(vec![0; 2 * (key_len + salt_len)]);
        self.export_keying_material("EXTRACTOR-dtls_srtp", None, &mut material).ok()?;
        let mut rest = material.as_slice();
        let mut take = |len: usize| {
            let (part, after) = rest.split_at_checked(len)?;
            rest = after;
            Some(Zeroizing::new(part.to_vec()))
        };
        Some(SrtpKeys {
            profile,
            client_key: take(key_len)?,
            server_key: take(key_len)?,
            client_salt: take(salt_len)?,
            server_salt: take(salt_len)?,
        })
    }
}
