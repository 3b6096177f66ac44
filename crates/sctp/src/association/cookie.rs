//! The State Cookie ([RFC 9260 section 5.1.3](https://www.rfc-editor.org/rfc/rfc9260#section-5.1.3)).
//!
//! Everything needed to make the association, and an HMAC over it. It holds no address and no pointer.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use weft_core::{Instant, Serial32};

use crate::wire::init::Extensions;
use crate::wire::{be16, be32, put16, put32};

const MAC_LEN: usize = 32;
const BODY_LEN: usize = 8 + 4 * 5 + 2 * 2 + 1 + 8;

/// What an INIT said and our INIT ACK answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct StateCookie {
    pub(super) made: Instant,
    pub(super) local_tag: u32,
    pub(super) peer_tag: u32,
    pub(super) local_tsn: Serial32,
    pub(super) peer_tsn: Serial32,
    pub(super) peer_rwnd: u32,
    /// Streams we may send on and the peer may send on.
    pub(super) out_streams: u16,
    pub(super) in_streams: u16,
    pub(super) extensions: Extensions,
    /// The association that existed when it was made; 0 for none.
    pub(super) tie: u64,
}

impl StateCookie {
    pub(super) fn seal(&self, key: &[u8; 32]) -> Vec<u8> {
        let mut out = Vec::with_capacity(BODY_LEN + MAC_LEN);
        out.extend_from_slice(&self.made.as_nanos().to_be_bytes());
        put32(&mut out, self.local_tag);
        put32(&mut out, self.peer_tag);
        put32(&mut out, self.local_tsn.0);
        put32(&mut out, self.peer_tsn.0);
        put32(&mut out, self.peer_rwnd);
        put16(&mut out, self.out_streams);
        put16(&mut out, self.in_streams);
        out.push(
            u8::from(self.extensions.forward_tsn)
                | u8::from(self.extensions.re_config) << 1
                | u8::from(self.extensions.zero_checksum) << 2
                | u8::from(self.extensions.interleaving) << 3
                | u8::from(self.extensions.i_forward_tsn) << 4,
        );
        out.extend_from_slice(&self.tie.to_be_bytes());
        if let Some(mut mac) = mac(key) {
            mac.update(&out);
            out.extend_from_slice(&mac.finalize().into_bytes());
        }
        out
    }

    /// `None` unless it is one of ours.
    pub(super) fn open(key: &[u8; 32], bytes: &[u8]) -> Option<Self> {
        let (body, tag) = bytes.split_at_checked(BODY_LEN)?;
        let mut mac = mac(key)?;
        mac.update(body);
        mac.verify_slice(tag).ok()?;
        let long = |at: usize| Some(u64::from_be_bytes(*body.get(at..)?.first_chunk()?));
        let flags = *body.get(32)?;
        Some(Self {
            made: Instant::from_nanos(long(0)?),
            local_tag: be32(body, 8)?,
            peer_tag: be32(body, 12)?,
            local_tsn: Serial32(be32(body, 16)?),
            peer_tsn: Serial32(be32(body, 20)?),
            peer_rwnd: be32(body, 24)?,
            out_streams: be16(body, 28)?,
            in_streams: be16(body, 30)?,
            extensions: Extensions {
                forward_tsn: flags & 1 != 0,
                re_config: flags & 2 != 0,
                zero_checksum: flags & 4 != 0,
                interleaving: flags & 8 != 0,
                i_forward_tsn: flags & 16 != 0,
            },
            tie: long(33)?,
        })
    }
}

fn mac(key: &[u8; 32]) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(key).ok()
}
