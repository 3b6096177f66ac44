//! The handshake messages so far, as both sides have to see them.

use crate::crypto::{Digest, HashAlgorithm, Provider};
use crate::wire::{Fragment, HandshakeType};

/// Every handshake message in the order of the handshake, each as if it had travelled in one piece.
///
/// The bytes are kept until the handshake ends, because a signature may ask for another hash than the cipher suite's.
/// Message sizes are bounded by the reassembly limit and each message comes once, so this is bounded too.
#[derive(Default)]
pub(crate) struct Transcript(Vec<u8>);

impl Transcript {
    /// Adds a message with its DTLS header, unfragmented (RFC 6347 section 4.2.6).
    pub(crate) fn add_v12(&mut self, message_type: HandshakeType, message_seq: u16, body: &[u8]) {
        let whole = Fragment { message_type, length: body.len(), message_seq, offset: 0, body };
        self.0.extend_from_slice(&whole.header());
        self.0.extend_from_slice(body);
    }

    /// Adds a message with the header of TLS: type and length alone (RFC 9147 section 5.2).
    pub(crate) fn add_v13(&mut self, message_type: HandshakeType, body: &[u8]) {
        let [_, length @ ..] = (body.len() as u32).to_be_bytes();
        self.0.push(message_type.0);
        self.0.extend_from_slice(&length);
        self.0.extend_from_slice(body);
    }

    /// Puts the hash of the first ClientHello in its place, before a HelloRetryRequest (RFC 8446 section 4.4.1).
    pub(crate) fn condense(&mut self, provider: &Provider, hash: HashAlgorithm) {
        let digest = self.hash(provider, hash);
        self.clear();
        self.add_v13(HandshakeType::MESSAGE_HASH, digest.as_ref());
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn hash(&self, provider: &Provider, hash: HashAlgorithm) -> Digest {
        provider.digest(hash, &self.0)
    }

    /// Forgets everything: before the second ClientHello, or when it is needed no more.
    pub(crate) fn clear(&mut self) {
        self.0 = Vec::new();
    }
}
