//! DTLS handshake fragments, and the bodies of those that are whole.

use weft_dtls::wire::{
    Certificate13, CertificateMessage, CertificateRequest13, ClientHello, Fragment, HANDSHAKE_HEADER, KeyShares,
    ServerHello, check_handshake_body, parse_key_share,
};

/// Fragments cover their bytes and no more; every message's parser sees every body.
pub(super) fn run(data: &[u8]) {
    let mut rest = data;
    while let Ok((fragment, next)) = Fragment::parse(rest) {
        assert_eq!(rest.get(..HANDSHAKE_HEADER), Some(fragment.header().as_slice()));
        assert!(next.len() + HANDSHAKE_HEADER <= rest.len());
        let body = rest.get(HANDSHAKE_HEADER..rest.len() - next.len()).unwrap_or_default();
        std::hint::black_box(check_handshake_body(fragment.message_type, body).is_ok());
        read_views(body);
        rest = next;
    }
    read_views(data);
}

/// Reads everything that the checked views give out.
fn read_views(body: &[u8]) {
    if let Ok(hello) = ClientHello::parse(body) {
        assert!(hello.extensions.iter().map(|(_, value)| value.len() + 4).sum::<usize>() <= body.len());
    }
    if let Ok(hello) = ServerHello::parse(body) {
        assert!(hello.extensions.iter().map(|(_, value)| value.len() + 4).sum::<usize>() <= body.len());
    }
    if let Ok(certificates) = CertificateMessage::parse(body) {
        assert!(certificates.iter().map(|c| c.len() + 3).sum::<usize>() <= body.len());
    }
    std::hint::black_box((
        Certificate13::parse(body).is_ok(),
        CertificateRequest13::parse(body).is_ok(),
        KeyShares::parse(body).is_ok(),
        parse_key_share(body).is_ok(),
    ));
}
