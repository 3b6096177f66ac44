//! URLs of STUN and TURN servers.

use weft_stun::ServerUrl;

/// A URL that is read is written as one that means the same.
pub(super) fn run(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    match text.parse::<ServerUrl>() {
        Ok(url) => {
            assert_eq!(url.to_string().parse(), Ok(url.clone()));
            assert!(url.port() != 0);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
