//! Secrets and what is derived of them (RFC 5246 sections 6.3, 7.4.9 and 8.1, RFC 7627 section 4, RFC 5705 section 4).

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::suite::Parts;
use crate::crypto::{Failed, Provider, prf};
use crate::error::ExportError;
use crate::handshake::Core;
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
    provider: Provider,
    parts: Parts,
    master: Zeroizing<Vec<u8>>,
    client_random: [u8; 32],
    server_random: [u8; 32],
}

impl Secrets {
    /// Derives the extended master secret; the transcript goes up to and includes the ClientKeyExchange.
    pub(super) fn derive(
        core: &mut Core,
        parts: Parts,
        premaster: &[u8],
        client_random: [u8; 32],
        server_random: [u8; 32],
    ) -> Self {
        let provider = core.config.provider.clone();
        let session_hash = core.transcript.hash(&provider, parts.hash);
        let label = b"extended master secret";
        let master = prf(&provider, parts.hash, premaster, label, session_hash.as_ref(), MASTER_SECRET_LEN);
        core.log_key("CLIENT_RANDOM", &client_random, &master);
        Self { provider, parts, master, client_random, server_random }
    }

    fn prf(&self, label: &[u8], seed: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
        prf(&self.provider, self.parts.hash, &self.master, label, seed, len)
    }

    /// Cuts the key block into keys and IVs. There are no MAC keys with an AEAD cipher.
    pub(super) fn keys(&self) -> Result<Keys, Failed> {
        let (key_len, iv_len) = (self.parts.aead.key_len(), V12Keys::iv_len(self.parts.aead));
        let seed = [self.server_random, self.client_random].concat();
        let block = self.prf(b"key expansion", &seed, 2 * (key_len + iv_len));
        let (client_key, rest) = block.split_at_checked(key_len).ok_or(Failed)?;
        let (server_key, rest) = rest.split_at_checked(key_len).ok_or(Failed)?;
        let (client_iv, server_iv) = rest.split_at_checked(iv_len).ok_or(Failed)?;
        Ok(Keys {
            client_write: V12Keys::new(&self.provider, self.parts.aead, client_key, client_iv)?,
            server_write: V12Keys::new(&self.provider, self.parts.aead, server_key, server_iv)?,
        })
    }

    /// The content of a Finished over the transcript before it.
    pub(super) fn verify_data(&self, sender: Sender, transcript: &Transcript) -> Zeroizing<Vec<u8>> {
        let label: &[u8] = match sender {
            Sender::Client => b"client finished",
            Sender::Server => b"server finished",
        };
        self.prf(label, transcript.hash(&self.provider, self.parts.hash).as_ref(), VERIFY_DATA_LEN)
    }

    /// Compares a Finished that was received, in constant time.
    pub(super) fn is_verified(&self, sender: Sender, transcript: &Transcript, body: &[u8]) -> bool {
        self.verify_data(sender, transcript).ct_eq(body).into()
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
        out.copy_from_slice(&self.prf(label.as_bytes(), &seed, out.len()));
        Ok(())
    }
}
