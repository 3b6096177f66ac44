//! A live DTLS client between an honest server and somebody who does to its datagrams what the input says.

use weft_dtls::Role;

/// See [`dtls_live`](super::dtls_live).
pub(super) fn run(data: &[u8]) {
    super::dtls_live::run(Role::Client, data);
}
