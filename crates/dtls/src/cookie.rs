//! Cookies: proof that a client receives what is sent to the address it claims, without anything remembered (RFC 6347
//! section 4.2.1, RFC 9147 section 5.1, RFC 8446 section 4.2.2).
//!
//! ```text
//! 1.2:  made at 4 | HMAC-SHA-256 27
//! 1.3:  made at 4 | cipher suite 2 | group asked for 2 (0: none) | hash of the first ClientHello 32 or 48 | HMAC-SHA-256 32
//! ```
//! The HMAC covers the client's address as well, and in 1.2 what the hello must repeat.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use subtle::ConstantTimeEq as _;
use weft_core::{Instant, Rng};
use zeroize::Zeroizing;

use crate::crypto::{Digest, HashAlgorithm, Provider};
use crate::wire::{CipherSuite, ClientHello, NamedGroup, Reader};

/// Bytes of a HMAC in the cookie of 1.2: old clients take 32 bytes of cookie at most (RFC 4347 section 4.2.1).
const SHORT_MAC: usize = 27;
const MAC: usize = 32;

/// What the cookie of a HelloRetryRequest holds for the server that made it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Retry {
    pub(crate) suite: CipherSuite,
    /// The group of which a share was asked for.
    pub(crate) group: Option<NamedGroup>,
    /// The hash of the first ClientHello.
    pub(crate) hello_hash: Vec<u8>,
}

/// Makes cookies, and knows them again.
pub(crate) struct Cookies {
    provider: Provider,
    key: Zeroizing<[u8; 32]>,
    lifetime: Duration,
}

impl Cookies {
    pub(crate) fn new(provider: &Provider, lifetime: Duration, rng: &mut Rng) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill(&mut *key);
        Self { provider: provider.clone(), key, lifetime }
    }

    fn mac(&self, version: u8, peer: SocketAddr, parts: &[&[u8]]) -> Digest {
        let port = peer.port().to_be_bytes();
        let mut address = [0; 17];
        let (octets, family) = match peer.ip() {
            IpAddr::V4(ip) => (ip.to_ipv6_mapped().octets(), 4),
            IpAddr::V6(ip) => (ip.octets(), 6),
        };
        address.iter_mut().zip(octets.into_iter().chain([family])).for_each(|(to, from)| *to = from);
        // Every part but the last, and every hello's, has a length in front, so none can pass for another.
        let lengths: Vec<[u8; 4]> = parts.iter().map(|part| (part.len() as u32).to_be_bytes()).collect();
        let mut all: Vec<&[u8]> = vec![&[], &address, &port];
        let version = [version];
        if let Some(first) = all.first_mut() {
            *first = &version;
        }
        for (length, part) in lengths.iter().zip(parts) {
            all.push(length);
            all.push(part);
        }
        self.provider.hmac(HashAlgorithm::Sha256, &*self.key, &all)
    }

    fn seconds(now: Instant) -> [u8; 4] {
        ((now.as_millis() / 1000) as u32).to_be_bytes()
    }

    fn is_fresh(&self, now: Instant, made: [u8; 4]) -> bool {
        let age = u32::from_be_bytes(Self::seconds(now)).wrapping_sub(u32::from_be_bytes(made));
        Duration::from_secs(age.into()) <= self.lifetime
    }

    /// What a second ClientHello of 1.2 repeats.
    fn mac_v12(&self, peer: SocketAddr, made: [u8; 4], hello: &ClientHello<'_>) -> Digest {
        let suites: Vec<u8> = hello.cipher_suites.iter().flat_map(u16::to_be_bytes).collect();
        let version = hello.client_version.0.to_be_bytes();
        let parts = [&made[..], &version, &hello.random, hello.session_id, &suites, hello.compression_methods];
        self.mac(12, peer, &parts)
    }

    /// The cookie for a HelloVerifyRequest.
    pub(crate) fn make_v12(&self, now: Instant, peer: SocketAddr, hello: &ClientHello<'_>) -> Vec<u8> {
        let made = Self::seconds(now);
        let mac = self.mac_v12(peer, made, hello);
        made.iter().chain(mac.as_ref().iter().take(SHORT_MAC)).copied().collect()
    }

    /// Whether the hello brings a cookie of ours, made for this client, not long ago.
    pub(crate) fn is_valid_v12(&self, now: Instant, peer: SocketAddr, hello: &ClientHello<'_>) -> bool {
        let Some((made, mac)) = hello.cookie.split_first_chunk::<4>() else { return false };
        let expected = self.mac_v12(peer, *made, hello);
        let same = expected.as_ref().get(..SHORT_MAC).is_some_and(|expected| expected.ct_eq(mac).into());
        same && self.is_fresh(now, *made)
    }

    /// The cookie for a HelloRetryRequest.
    pub(crate) fn make_v13(&self, now: Instant, peer: SocketAddr, retry: &Retry) -> Vec<u8> {
        let group = retry.group.map_or(0, |group| group.0);
        let mut cookie = Vec::with_capacity(96);
        cookie.extend_from_slice(&Self::seconds(now));
        cookie.extend_from_slice(&retry.suite.0.to_be_bytes());
        cookie.extend_from_slice(&group.to_be_bytes());
        cookie.extend_from_slice(&retry.hello_hash);
        let mac = self.mac(13, peer, &[&cookie]);
        cookie.extend_from_slice(mac.as_ref());
        cookie
    }

    /// What a cookie of ours holds, if it was made for this client, not long ago.
    pub(crate) fn open_v13(&self, now: Instant, peer: SocketAddr, cookie: &[u8]) -> Option<Retry> {
        let (content, mac) = cookie.split_at_checked(cookie.len().checked_sub(MAC)?)?;
        if !bool::from(self.mac(13, peer, &[content]).as_ref().ct_eq(mac)) {
            return None;
        }
        let mut r = Reader::new(content);
        let made = r.array().ok()?;
        let suite = CipherSuite(r.u16().ok()?);
        let group = Some(NamedGroup(r.u16().ok()?)).filter(|group| group.0 != 0);
        let hello_hash = r.rest().to_vec();
        self.is_fresh(now, made).then_some(Retry { suite, group, hello_hash })
    }
}
