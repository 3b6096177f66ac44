//! What is on the wire: one file for each message. Parsers borrow, check everything they pass over, and never panic.

mod ack;
mod alert;
mod application_protocols;
mod certificate;
mod certificate13;
mod certificate_request;
mod certificate_verify;
mod client_hello;
mod client_key_exchange;
mod codec;
mod connection_id;
mod encrypted_extensions;
mod extensions;
mod handshake;
mod hello_verify_request;
mod key_share;
mod key_update;
mod record;
mod registry;
mod server_hello;
mod server_key_exchange;
mod server_name;
mod unified_header;
mod use_srtp;

pub use ack::{Ack, RECORD_NUMBER};
pub use alert::{Alert, AlertLevel};
pub use application_protocols::ApplicationProtocols;
pub use certificate::CertificateMessage;
pub use certificate_request::CertificateRequest;
pub use certificate_verify::DigitallySigned;
pub use certificate13::{Certificate13, CertificateRequest13};
pub use client_hello::ClientHello;
pub use client_key_exchange::ClientKeyExchange;
pub use codec::DecodeError;
pub use connection_id::{NewConnectionId, RequestConnectionId};
pub use encrypted_extensions::EncryptedExtensions;
pub use extensions::{Extensions, MAX_EXTENSIONS, Numbers};
pub use handshake::{Fragment, HANDSHAKE_HEADER, MAX_HANDSHAKE_LENGTH};
pub use hello_verify_request::HelloVerifyRequest;
pub use key_share::{KeyShares, parse_key_share};
pub use key_update::KeyUpdate;
pub use record::{MAX_CIPHERTEXT, MAX_PLAINTEXT, RECORD_HEADER, RecordHeader};
pub use registry::{
    AlertDescription, CipherSuite, ClientCertificateType, ContentType, ExtensionType, HandshakeType, NamedGroup,
    ProtocolVersion, SignatureScheme, SrtpProfile,
};
pub use server_hello::{DOWNGRADE_SENTINEL, ServerHello};
pub use server_key_exchange::ServerKeyExchange;
pub use server_name::HostName;
pub use unified_header::{UNIFIED_HEADER, UnifiedHeader};
pub use use_srtp::UseSrtp;

pub(crate) use client_hello::Offer;
pub(crate) use codec::Reader;
#[cfg(test)]
pub(crate) use codec::put_u8_vector;
pub(crate) use extensions::{connection_id, put_connection_id, put_cookie};

/// Whether a public key of a kind this crate verifies with can be read from an X.509 `certificate` (DER). For fuzzing and
/// diagnosis.
pub fn has_public_key(certificate: &[u8]) -> bool {
    crate::der::subject_public_key(certificate).is_ok()
}

/// Parses `body` as the handshake message `message_type` names; whether it is well-formed is the answer. For fuzzing
/// and diagnosis: one entry to every handshake parser. Certificate and CertificateRequest, which differ between 1.2 and
/// 1.3, are parsed as those of 1.2; the parsers of 1.3 have names of their own.
pub fn check_handshake_body(message_type: HandshakeType, body: &[u8]) -> Result<(), DecodeError> {
    match message_type {
        HandshakeType::CLIENT_HELLO => ClientHello::parse(body).map(drop),
        HandshakeType::SERVER_HELLO => ServerHello::parse(body).map(drop),
        HandshakeType::HELLO_VERIFY_REQUEST => HelloVerifyRequest::parse(body).map(drop),
        HandshakeType::CERTIFICATE => CertificateMessage::parse(body).map(drop),
        HandshakeType::SERVER_KEY_EXCHANGE => ServerKeyExchange::parse(body).map(drop),
        HandshakeType::CERTIFICATE_REQUEST => CertificateRequest::parse(body).map(drop),
        HandshakeType::CERTIFICATE_VERIFY => DigitallySigned::parse(body).map(drop),
        HandshakeType::CLIENT_KEY_EXCHANGE => ClientKeyExchange::parse(body).map(drop),
        HandshakeType::ENCRYPTED_EXTENSIONS => EncryptedExtensions::parse(body).map(drop),
        HandshakeType::NEW_CONNECTION_ID => NewConnectionId::parse(body).map(drop),
        HandshakeType::REQUEST_CONNECTION_ID => RequestConnectionId::parse(body).map(drop),
        HandshakeType::KEY_UPDATE => KeyUpdate::parse(body).map(drop),
        HandshakeType::SERVER_HELLO_DONE if !body.is_empty() => Err(DecodeError),
        _ => Ok(()),
    }
}
