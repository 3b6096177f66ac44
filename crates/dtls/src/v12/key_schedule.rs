//! Secrets and what is derived of them (RFC 5246 sections 6.3, 7.4.9 and 8.1, RFC 7627 section 4, RFC 5705 section 4).

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::suite::Parts;
use crate::crypto::{Failed, prf};
use crate::error::ExportError;
use crate::record::V12Keys;
use crate::transcript::Transcript;

const MASTER_SECRET_LEN: usize = 48;
const VERIFY_DATA_LEN: usize = 12;

/// Labels that the protocol uses itself: an exporter must not (RFC 5705 section 4).
const RESERVED_LABELS: &[&str] =
    &["client finished", "server finished", "master secret", "extended master secret", "key expansion"];

/// Whose Finished it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sender {
    Client,
    Server,
}

/// Both directions' keys.
pub(super) struct Keys {
    pub(super) client_write: V12Keys,
    pub(super) server_write: V12Keys,
}

/// The master secret with what belongs to it. Wiped when dropped.
pub(crate) struct Secrets {
    parts: Parts,
    master: Zeroizing<Vec<u8>>,
    client_random: [u8; 32],
    server_random: [u8; 32],
}

impl Secrets {
    /// Derives the extended master secret; `session` is the transcript up to and including the ClientKeyExchange.
    pub(super) fn derive(
        parts: Parts,
        premaster: &[u8],
        session: &Transcript,
        client_random: [u8; 32],
        server_random: [u8; 32],
    ) -> Result<Self, Failed> {
        let session_hash = session.hash(parts.hash);
        let label = b"extended master secret";
        let master = prf(parts.hash, premaster, label, session_hash.as_ref(), MASTER_SECRET_LEN)?;
        Ok(Self { parts, master, client_random, server_random })
    }

    /// Cuts the key block into keys and IVs. There are no MAC keys with an AEAD cipher.
    pub(super) fn keys(&self) -> Result<Keys, Failed> {
        let (key_len, iv_len) = (self.parts.aead.key_len(), V12Keys::iv_len(self.parts.aead));
        let seed = [self.server_random, self.client_random].concat();
        let block = prf(self.parts.hash, &self.master, b"key expansion", &seed, 2 * (key_len + iv_len))?;
        let (client_key, rest) = block.split_at_checked(key_len).ok_or(Failed)?;
        let (server_key, rest) = rest.split_at_checked(key_len).ok_or(Failed)?;
        let (client_iv, server_iv) = rest.split_at_checked(iv_len).ok_or(Failed)?;
        Ok(Keys {
            client_write: V12Keys::new(self.parts.aead, client_key, client_iv)?,
            server_write: V12Keys::new(self.parts.aead, server_key, server_iv)?,
        })
    }

    /// The content of a Finished over the transcript before it.
    pub(super) fn verify_data(&self, sender: Sender, transcript: &Transcript) -> Result<Zeroizing<Vec<u8>>, Failed> {
        let label: &[u8] = match sender {
            Sender::Client => b"client finished",
            Sender::Server => b"server finished",
        };
        prf(self.parts.hash, &self.master, label, transcript.hash(self.parts.hash).as_ref(), VERIFY_DATA_LEN)
    }

    /// Compares a Finished that was received, in constant time.
    pub(super) fn is_verified(&self, sender: Sender, transcript: &Transcript, body: &[u8]) -> Result<bool, Failed> {
        Ok(self.verify_data(sender, transcript)?.ct_eq(body).into())
    }

    /// Fills `out` with keying material for another protocol.
    pub(crate) fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), ExportError> {
        if RESERVED_LABELS.contains(&label) || out.is_empty() {
            return Err(ExportError::NotAllowed);
        }
        let mut seed = [self.client_random, self.server_random].concat();
        if let Some(context) = context {
            let length = u16::try_from(context.len()).map_err(|_| ExportError::NotAllowed)?;
            seed.extend_from_slice(&length.to_be_bytes());
            seed.extend_from_slice(context);
        }
        let material = prf(self.parts.hash, &self.master, label.as_bytes(), &seed, out.len());
        out.copy_from_slice(&material.map_err(|Failed| ExportError::Failed)?);
        Ok(())
    }
}
