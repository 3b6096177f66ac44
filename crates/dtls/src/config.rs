//! What a connection is told before it starts.

use core::time::Duration;
use std::sync::Arc;

use crate::certificate::Certificate;
use crate::crypto::{AwsLc, CryptoProvider};
use crate::v12;
use crate::verifier::Verifier;
use crate::wire::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme, SrtpProfile};

/// The least [`Config::mtu`].
pub const MIN_MTU: usize = 256;

/// What a server wants to know of its client.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ClientAuthentication {
    /// Nothing: it is not asked for a certificate.
    None,
    /// It is asked for a certificate and may answer that it has none. One that it sends is verified as any other, and
    /// ends the handshake if it is not accepted.
    Optional,
    /// It is asked for a certificate and must have one.
    #[default]
    Required,
}

/// Settings of a [`Connection`](crate::Connection). Make one with [`Config::new`] and change what should differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Our certificate: a server's always, a client's when it is asked for one.
    pub certificate: Arc<Certificate>,
    /// More certificates of ours, with keys of other kinds, for peers that cannot verify the first: of all, in this order,
    /// the first is used that the peer can. By default none.
    pub other_certificates: Vec<Arc<Certificate>>,
    /// How the peer's certificate is judged.
    pub verifier: Verifier,
    /// Where the primitives come from.
    pub provider: Arc<dyn CryptoProvider>,
    /// Versions to speak, of 1.3 and 1.2. The highest that both sides have is chosen, whatever the order here.
    pub versions: Vec<ProtocolVersion>,
    /// Cipher suites of all versions, the preferred first. Those that are not in the README's table are passed over.
    pub cipher_suites: Vec<CipherSuite>,
    /// Signature schemes taken of a peer, the preferred first. Those that are not in the README's table are passed over;
    /// 1.3 takes none of PKCS #1 v1.5.
    pub signature_schemes: Vec<SignatureScheme>,
    /// Groups for the key exchange, the preferred first. X25519MLKEM768 serves 1.3 alone.
    pub groups: Vec<NamedGroup>,
    /// As server: whether the client is asked for a certificate. By default it is, and must have one, as WebRTC has it
    /// (RFC 8827 section 6.5).
    pub client_authentication: ClientAuthentication,
    /// As client: tell a server that asks for a certificate that there is none. Not by default; WebRTC's servers insist.
    pub anonymous_client: bool,
    /// SRTP protection profiles to agree on by `use_srtp` (RFC 5764), the preferred first; empty, as by default, to leave
    /// that out. What was agreed is in [`SessionInfo`](crate::SessionInfo), the keys are told by
    /// [`srtp_keys`](crate::Connection::srtp_keys).
    pub srtp_profiles: Vec<SrtpProfile>,
    /// As client: the DNS name of the server, told to it in the clear (RFC 6066 section 3) to choose its certificate by.
    /// Not by default. What a [`Verifier`] compares is its own affair.
    pub server_name: Option<String>,
    /// Protocols to agree on by ALPN (RFC 7301), the preferred first, each of 1 to 255 bytes (others are passed over); empty,
    /// as by default, to leave that out. As server the first is chosen that the client has, and a client that has none of
    /// them is refused. What was agreed is in [`SessionInfo`](crate::SessionInfo).
    pub application_protocols: Vec<Vec<u8>>,
    /// Whether secrets are told by [`Event::KeyLog`](crate::Event::KeyLog), for analysis with Wireshark. Whoever reads
    /// them reads the connection. Off by default.
    pub key_log: bool,
    /// The longest handshake datagram in bytes, at least [`MIN_MTU`]. Application records are as long as their frames.
    pub mtu: usize,
    /// The first retransmission timeout. One second unless something better is known: 1.5 times the round trip that ICE
    /// measured, say (RFC 6347 section 4.2.4.1, RFC 9147 section 5.8.2).
    pub initial_rto: Duration,
    /// Where doubling ends.
    pub max_rto: Duration,
    /// How long a handshake may take altogether, from the first message sent.
    pub handshake_timeout: Duration,
    /// What a peer can make us hold.
    pub limits: Limits,
}

impl Config {
    /// The defaults, for this certificate and this judgement of the peer's.
    pub fn new(certificate: Arc<Certificate>, verifier: Verifier) -> Self {
        Self {
            certificate,
            other_certificates: Vec::new(),
            verifier,
            provider: Arc::new(AwsLc),
            versions: vec![ProtocolVersion::DTLS_1_3, ProtocolVersion::DTLS_1_2],
            cipher_suites: vec![
                CipherSuite::AES_128_GCM_SHA256,
                CipherSuite::AES_256_GCM_SHA384,
                CipherSuite::CHACHA20_POLY1305_SHA256,
                CipherSuite::ECDHE_ECDSA_AES_128_GCM_SHA256,
                CipherSuite::ECDHE_ECDSA_AES_256_GCM_SHA384,
                CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
                CipherSuite::ECDHE_RSA_AES_128_GCM_SHA256,
                CipherSuite::ECDHE_RSA_AES_256_GCM_SHA384,
                CipherSuite::ECDHE_RSA_CHACHA20_POLY1305_SHA256,
            ],
            signature_schemes: v12::SCHEMES.to_vec(),
            groups: vec![NamedGroup::X25519MLKEM768, NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1],
            client_authentication: ClientAuthentication::Required,
            anonymous_client: false,
            srtp_profiles: Vec::new(),
            server_name: None,
            application_protocols: Vec::new(),
            key_log: false,
            mtu: 1200,
            initial_rto: Duration::from_secs(1),
            max_rto: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(60),
            limits: Limits::default(),
        }
    }

    pub(crate) fn speaks(&self, version: ProtocolVersion) -> bool {
        self.versions.contains(&version)
    }

    /// Our certificates, the preferred first.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &Arc<Certificate>> {
        core::iter::once(&self.certificate).chain(&self.other_certificates)
    }

    pub(crate) fn effective_mtu(&self) -> usize {
        self.mtu.max(MIN_MTU)
    }
}

/// Forgeries after which a key authenticates nothing any more: 2^36 for every cipher here (RFC 9147 section 4.5.3).
const MAX_FORGERIES: u64 = 1 << 36;
/// The least record_size_limit (RFC 8449 section 4).
pub(crate) const LEAST_RECORD_SIZE_LIMIT: u16 = 64;

/// Limits on what a peer can make a connection hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of handshake messages being put together. A longer message is never accepted.
    pub reassembly_bytes: usize,
    /// Handshake messages being put together, the next one and those after it.
    pub reassembly_messages: u16,
    /// Records kept because they overtook the end of the handshake.
    pub early_records: usize,
    /// Bytes of such records.
    pub early_bytes: usize,
    /// The longest content of a protected record that we take, in bytes: 64 to 16,384. The peer is told so (RFC 8449),
    /// and longer ones are dropped. What peers that do not know that extension send may be longer, and is lost.
    pub record_content: u16,
    /// Records that may fail to authenticate under one key (RFC 9147 section 4.5.3), at most 2^36. At half of that a
    /// connection of 1.3 asks the peer for new keys; beyond it the connection ends.
    pub forgeries_per_key: u64,
    /// In 1.3, records sealed under one key before it is changed for a new one. At 2^24.5 records AES-GCM has no margin
    /// left (RFC 9147 section 4.5.3), and nothing more is sealed.
    pub records_per_key: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reassembly_bytes: 64 * 1024,
            reassembly_messages: 8,
            early_records: 32,
            early_bytes: 32 * 1024,
            record_content: 1 << 14,
            forgeries_per_key: MAX_FORGERIES,
            records_per_key: 1 << 23,
        }
    }
}

impl Limits {
    /// The longest plaintext of a protected record, with the content type that 1.3 puts into it: what a hello that may
    /// come to either version tells the peer.
    pub(crate) fn record_plaintext(&self) -> u16 {
        self.record_content.clamp(LEAST_RECORD_SIZE_LIMIT, 1 << 14).saturating_add(1)
    }

    pub(crate) fn forgeries(&self) -> u64 {
        self.forgeries_per_key.min(MAX_FORGERIES)
    }
}
