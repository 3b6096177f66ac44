//! Numbers with names: <https://www.iana.org/assignments/tls-parameters>.

use core::fmt;

macro_rules! registry {
    ($(#[$doc:meta])* $name:ident($int:ty) { $($(#[$entry_doc:meta])* $entry:ident = $value:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$entry_doc])* #[doc = concat!("`", $text, "`")] pub const $entry: Self = Self($value);)*

            /// The registered name; `None` for a number this crate does not know.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{:#x}", self.0),
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

registry!(
    /// A protocol version as the wire has it: the ones' complement of the TLS version it corresponds to, so that newer
    /// versions have smaller numbers (RFC 6347 section 4.1).
    ProtocolVersion(u16) {
        DTLS_1_0 = 0xFEFF, "1.0";
        DTLS_1_2 = 0xFEFD, "1.2";
        DTLS_1_3 = 0xFEFC, "1.3";
    }
);

registry!(
    /// What a record carries (RFC 5246 section 6.2.1).
    ContentType(u8) {
        CHANGE_CIPHER_SPEC = 20, "change_cipher_spec";
        ALERT = 21, "alert";
        HANDSHAKE = 22, "handshake";
        APPLICATION_DATA = 23, "application_data";
        /// A protected record of 1.2 with a connection id (RFC 9146 section 4).
        TLS12_CID = 25, "tls12_cid";
        ACK = 26, "ack";
    }
);

registry!(
    /// The type of a handshake message (RFC 5246 section 7.4, RFC 6347 section 4.3.2).
    HandshakeType(u8) {
        HELLO_REQUEST = 0, "hello_request";
        CLIENT_HELLO = 1, "client_hello";
        SERVER_HELLO = 2, "server_hello";
        HELLO_VERIFY_REQUEST = 3, "hello_verify_request";
        NEW_SESSION_TICKET = 4, "new_session_ticket";
        ENCRYPTED_EXTENSIONS = 8, "encrypted_extensions";
        REQUEST_CONNECTION_ID = 9, "request_connection_id";
        NEW_CONNECTION_ID = 10, "new_connection_id";
        CERTIFICATE = 11, "certificate";
        SERVER_KEY_EXCHANGE = 12, "server_key_exchange";
        CERTIFICATE_REQUEST = 13, "certificate_request";
        SERVER_HELLO_DONE = 14, "server_hello_done";
        CERTIFICATE_VERIFY = 15, "certificate_verify";
        CLIENT_KEY_EXCHANGE = 16, "client_key_exchange";
        FINISHED = 20, "finished";
        KEY_UPDATE = 24, "key_update";
        /// Never sent: stands for the first ClientHello in the transcript (RFC 8446 section 4.4.1).
        MESSAGE_HASH = 254, "message_hash";
    }
);

registry!(
    /// The type of a hello extension.
    ExtensionType(u16) {
        SERVER_NAME = 0, "server_name";
        SUPPORTED_GROUPS = 10, "supported_groups";
        EC_POINT_FORMATS = 11, "ec_point_formats";
        SIGNATURE_ALGORITHMS = 13, "signature_algorithms";
        USE_SRTP = 14, "use_srtp";
        APPLICATION_LAYER_PROTOCOL_NEGOTIATION = 16, "application_layer_protocol_negotiation";
        EXTENDED_MASTER_SECRET = 23, "extended_master_secret";
        RECORD_SIZE_LIMIT = 28, "record_size_limit";
        SUPPORTED_VERSIONS = 43, "supported_versions";
        COOKIE = 44, "cookie";
        CERTIFICATE_AUTHORITIES = 47, "certificate_authorities";
        KEY_SHARE = 51, "key_share";
        CONNECTION_ID = 54, "connection_id";
        RENEGOTIATION_INFO = 0xFF01, "renegotiation_info";
    }
);

registry!(
    /// A cipher suite (RFC 8446 appendix B.4; for 1.2 RFC 5289, RFC 7905), named as IANA names it.
    CipherSuite(u16) {
        AES_128_GCM_SHA256 = 0x1301, "TLS_AES_128_GCM_SHA256";
        AES_256_GCM_SHA384 = 0x1302, "TLS_AES_256_GCM_SHA384";
        CHACHA20_POLY1305_SHA256 = 0x1303, "TLS_CHACHA20_POLY1305_SHA256";
        ECDHE_ECDSA_AES_128_GCM_SHA256 = 0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
        ECDHE_ECDSA_AES_256_GCM_SHA384 = 0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
        ECDHE_ECDSA_CHACHA20_POLY1305_SHA256 = 0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
        ECDHE_RSA_AES_128_GCM_SHA256 = 0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
        ECDHE_RSA_AES_256_GCM_SHA384 = 0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
        ECDHE_RSA_CHACHA20_POLY1305_SHA256 = 0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
        /// Not a suite but a signal: secure renegotiation is understood (RFC 5746 section 3.3).
        EMPTY_RENEGOTIATION_INFO_SCSV = 0x00FF, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV";
    }
);

registry!(
    /// A group for key exchange (RFC 8422 section 5.1.1).
    NamedGroup(u16) {
        SECP256R1 = 23, "P-256";
        SECP384R1 = 24, "P-384";
        X25519 = 29, "X25519";
        /// ML-KEM-768 and X25519 together; for DTLS 1.3 only.
        X25519MLKEM768 = 0x11EC, "X25519MLKEM768";
    }
);

registry!(
    /// A signature scheme (RFC 8446 section 4.2.3). In DTLS 1.2 the ECDSA ones name a hash alone, not a curve
    /// (RFC 5246 section 7.4.1.4.1).
    SignatureScheme(u16) {
        RSA_PKCS1_SHA256 = 0x0401, "rsa_pkcs1_sha256";
        RSA_PKCS1_SHA384 = 0x0501, "rsa_pkcs1_sha384";
        RSA_PKCS1_SHA512 = 0x0601, "rsa_pkcs1_sha512";
        ECDSA_SECP256R1_SHA256 = 0x0403, "ecdsa_secp256r1_sha256";
        ECDSA_SECP384R1_SHA384 = 0x0503, "ecdsa_secp384r1_sha384";
        RSA_PSS_RSAE_SHA256 = 0x0804, "rsa_pss_rsae_sha256";
        RSA_PSS_RSAE_SHA384 = 0x0805, "rsa_pss_rsae_sha384";
        RSA_PSS_RSAE_SHA512 = 0x0806, "rsa_pss_rsae_sha512";
        ED25519 = 0x0807, "ed25519";
    }
);

registry!(
    /// A protection profile of SRTP (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
    SrtpProfile(u16) {
        AES128_CM_HMAC_SHA1_80 = 1, "SRTP_AES128_CM_HMAC_SHA1_80";
        AES128_CM_HMAC_SHA1_32 = 2, "SRTP_AES128_CM_HMAC_SHA1_32";
        AEAD_AES_128_GCM = 7, "SRTP_AEAD_AES_128_GCM";
        AEAD_AES_256_GCM = 8, "SRTP_AEAD_AES_256_GCM";
    }
);

registry!(
    /// A kind of client certificate (RFC 5246 section 7.4.4, RFC 8422 section 5.5).
    ClientCertificateType(u8) {
        RSA_SIGN = 1, "rsa_sign";
        ECDSA_SIGN = 64, "ecdsa_sign";
    }
);

registry!(
    /// What an alert says (RFC 5246 section 7.2).
    AlertDescription(u8) {
        CLOSE_NOTIFY = 0, "close_notify";
        UNEXPECTED_MESSAGE = 10, "unexpected_message";
        BAD_RECORD_MAC = 20, "bad_record_mac";
        RECORD_OVERFLOW = 22, "record_overflow";
        HANDSHAKE_FAILURE = 40, "handshake_failure";
        BAD_CERTIFICATE = 42, "bad_certificate";
        UNSUPPORTED_CERTIFICATE = 43, "unsupported_certificate";
        CERTIFICATE_REVOKED = 44, "certificate_revoked";
        CERTIFICATE_EXPIRED = 45, "certificate_expired";
        CERTIFICATE_UNKNOWN = 46, "certificate_unknown";
        ILLEGAL_PARAMETER = 47, "illegal_parameter";
        UNKNOWN_CA = 48, "unknown_ca";
        ACCESS_DENIED = 49, "access_denied";
        DECODE_ERROR = 50, "decode_error";
        DECRYPT_ERROR = 51, "decrypt_error";
        PROTOCOL_VERSION = 70, "protocol_version";
        INSUFFICIENT_SECURITY = 71, "insufficient_security";
        INTERNAL_ERROR = 80, "internal_error";
        USER_CANCELED = 90, "user_canceled";
        TOO_MANY_CIDS_REQUESTED = 52, "too_many_cids_requested";
        NO_RENEGOTIATION = 100, "no_renegotiation";
        MISSING_EXTENSION = 109, "missing_extension";
        UNSUPPORTED_EXTENSION = 110, "unsupported_extension";
        CERTIFICATE_REQUIRED = 116, "certificate_required";
        NO_APPLICATION_PROTOCOL = 120, "no_application_protocol";
    }
);
