//! CertificateVerify: proof that its sender holds the key of the certificate (RFC 8446 section 4.4.3).

use super::suite::{Parts, takes};
use crate::certificate::Certificate;
use crate::connection::Role;
use crate::crypto::{Failed, PeerKey};
use crate::error::Fault;
use crate::handshake::Core;
use crate::reassembly::Message;
use crate::wire::{AlertDescription, DigitallySigned, HandshakeType, SignatureScheme};

/// What is signed: 64 spaces, who signs, a zero, and the hash of all before.
fn content(sender: Role, core: &Core, parts: Parts) -> Vec<u8> {
    let context: &[u8] = match sender {
        Role::Client => b"TLS 1.3, client CertificateVerify",
        Role::Server => b"TLS 1.3, server CertificateVerify",
    };
    [&[b' '; 64][..], context, &[0], core.transcript.hash(&core.config.provider, parts.hash).as_ref()].concat()
}

/// Sends ours.
pub(super) fn send(
    sender: Role,
    core: &mut Core,
    epoch: u16,
    parts: Parts,
    (own, scheme): (&Certificate, SignatureScheme),
) -> Result<(), Failed> {
    let signature = own.key().sign(scheme, &content(sender, core, parts))?;
    let mut body = Vec::with_capacity(128);
    DigitallySigned { scheme, signature: &signature }.write(&mut body);
    core.send_v13(epoch, HandshakeType::CERTIFICATE_VERIFY, body);
    Ok(())
}

/// Verifies the peer's.
pub(super) fn verify(sender: Role, core: &Core, message: &Message, key: &PeerKey, parts: Parts) -> Result<(), Fault> {
    let signed = DigitallySigned::parse(&message.body)?;
    if !takes(&core.config, signed.scheme) {
        let reason = "the peer signed with a scheme that was not offered";
        return Err(Fault::refused(AlertDescription::ILLEGAL_PARAMETER, reason));
    }
    key.verify_v13(signed.scheme, &content(sender, core, parts), signed.signature)
        .map_err(|Failed| Fault::refused(AlertDescription::DECRYPT_ERROR, "the peer's signature is wrong"))
}
