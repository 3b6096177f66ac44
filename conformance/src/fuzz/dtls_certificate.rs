//! X.509 certificates of a peer, as far as its public key.

use weft_dtls::wire::has_public_key;

/// The key is found or not; nothing is no certificate.
pub(super) fn run(data: &[u8]) {
    std::hint::black_box(has_public_key(data));
    assert!(!has_public_key(&[]));
}
