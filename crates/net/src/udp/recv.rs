//! Datagrams come in.

use std::array;
use std::fmt;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::sync::atomic::Ordering;

use quinn_udp::{BATCH_SIZE, EcnCodepoint, RecvMeta, UdpSockRef};
use weft_core::{Datagram, Ecn, Path};

use super::noise::is_noise;
use super::socket::{Core, count};

/// The longest the kernel hands over at once: a full IP packet, or what GRO made of many.
const SLOT: usize = 65_536;
/// Whether a call goes on until there is no slot or no datagram left: elsewhere it brings one datagram, or one run that the
/// system put together.
const GOES_ON: bool = cfg!(any(target_os = "linux", target_os = "android", target_os = "freebsd"));
/// Slots for a call when little comes: one more than a datagram, so that it is seen to be the last.
pub(super) const FEW: usize = 2;
/// Errors that are read away in one call before datagrams get their turn again.
const MAX_NOISE: usize = 64;

/// A receive buffer, to be used again and again and for any number of sockets.
///
/// [`UdpSocket::try_recv`](crate::UdpSocket::try_recv) fills it; [`next_datagram`](Self::next_datagram) lends what is in
/// it, one datagram at a time, to be opened in place.
pub struct RecvBuffer {
    storage: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
    /// How many slots the last call was given, and how many it filled.
    given: usize,
    filled: usize,
    /// The slot that is being read, and how far.
    slot: usize,
    offset: usize,
    /// Address of the socket it was filled from.
    bound: SocketAddr,
}

impl RecvBuffer {
    /// A buffer with as many slots of 64 KiB as the system fills in one call: 32 on most. A slot takes one datagram, or
    /// up to 64 that GRO put together.
    ///
    /// The memory is reserved but, on most systems, not taken until datagrams arrive in it.
    pub fn new() -> Self {
        Self::with_slots(BATCH_SIZE)
    }

    /// A buffer with fewer slots, but at least one.
    pub fn with_slots(slots: usize) -> Self {
        Self {
            storage: vec![0; slots.clamp(1, BATCH_SIZE) * SLOT],
            metas: [RecvMeta::default(); BATCH_SIZE],
            given: FEW,
            filled: 0,
            slot: 0,
            offset: 0,
            bound: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        }
    }

    /// The next datagram, in the order in which they arrived.
    ///
    /// `path.local` is the address the socket is bound to or, if that is unspecified, the one the datagram was sent to.
    pub fn next_datagram(&mut self) -> Option<Datagram<'_>> {
        let meta = *self.metas.get(..self.filled)?.get(self.slot)?;
        let start = self.slot * SLOT + self.offset;
        let rest = meta.len.min(SLOT).saturating_sub(self.offset);
        let len = if meta.stride == 0 { rest } else { rest.min(meta.stride) };
        if len == rest {
            self.slot += 1;
            self.offset = 0;
        } else {
            self.offset += len;
        }
        let path = Path::udp(self.local(&meta), without_flow(meta.addr));
        Some(Datagram { path, ecn: ecn(meta.ecn), payload: self.storage.get_mut(start..start + len)? })
    }

    /// How many datagrams are left.
    pub fn len(&self) -> usize {
        let metas = self.metas.get(self.slot..self.filled).unwrap_or_default();
        let all: usize = metas.iter().map(datagrams).sum();
        all - metas.first().map_or(0, |meta| self.offset.checked_div(meta.stride).unwrap_or(0))
    }

    /// Whether the last call brought as much as it could, so that more may wait on the socket: on Linux, Android and FreeBSD if
    /// it filled every slot that it was given, which are few after calls that brought little; elsewhere, where a call fills one,
    /// if it brought anything.
    pub fn was_filled(&self) -> bool {
        let most = if GOES_ON { self.given } else { 1 };
        self.filled >= most
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.slot >= self.filled
    }

    fn local(&self, meta: &RecvMeta) -> SocketAddr {
        match meta.dst_ip.filter(|_| self.bound.ip().is_unspecified()) {
            None => self.bound,
            Some(IpAddr::V6(ip)) if ip.is_unicast_link_local() => {
                SocketAddrV6::new(ip, self.bound.port(), 0, meta.interface_index.unwrap_or(0)).into()
            }
            Some(ip) => SocketAddr::new(ip, self.bound.port()),
        }
    }
}

impl Default for RecvBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RecvBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvBuffer")
            .field("slots", &(self.storage.len() / SLOT))
            .field("len", &self.len())
            .field("bound", &self.bound)
            .finish_non_exhaustive()
    }
}

impl Core {
    /// Receives over `io`, the socket this is the core of.
    pub(super) fn recv<S>(&self, io: &S, buffer: &mut RecvBuffer) -> io::Result<usize>
    where
        for<'a> UdpSockRef<'a>: From<&'a S>,
    {
        buffer.filled = 0;
        buffer.slot = 0;
        buffer.offset = 0;
        buffer.bound = self.bound;
        let slots = self.slots.load(Ordering::Relaxed).min(buffer.storage.len() / SLOT);
        buffer.given = slots;
        // Where little comes, the list for much would cost more than what comes.
        if slots <= FEW {
            self.fill::<FEW, S>(io, buffer, slots)
        } else {
            self.fill::<BATCH_SIZE, S>(io, buffer, slots)
        }
    }

    /// Receives into the first `slots` of the buffer, at most `MOST`.
    fn fill<const MOST: usize, S>(&self, io: &S, buffer: &mut RecvBuffer, slots: usize) -> io::Result<usize>
    where
        for<'a> UdpSockRef<'a>: From<&'a S>,
    {
        let mut chunks = buffer.storage.chunks_exact_mut(SLOT);
        let mut slices: [IoSliceMut<'_>; MOST] = array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let slices = slices.get_mut(..slots).unwrap_or_default();
        for _ in 0..MAX_NOISE {
            match self.state.recv(io.into(), slices, &mut buffer.metas) {
                Ok(filled) => {
                    buffer.filled = filled;
                    let next = if filled < slots { (filled * 2).max(FEW) } else { BATCH_SIZE };
                    self.slots.store(next, Ordering::Relaxed);
                    let datagrams = buffer.len();
                    count(&self.counters.received, datagrams);
                    count(&self.counters.recv_calls, 1);
                    return Ok(datagrams);
                }
                Err(error) if error.kind() != ErrorKind::WouldBlock && is_noise(&error) => {
                    tracing::trace!(local = %self.bound, %error, "reported on receiving");
                    count(&self.counters.recv_noise, 1);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(0)
    }
}

fn datagrams(meta: &RecvMeta) -> usize {
    if meta.stride == 0 { 1 } else { meta.len.min(SLOT).div_ceil(meta.stride).max(1) }
}

/// A flow label is no part of an address.
fn without_flow(mut addr: SocketAddr) -> SocketAddr {
    if let SocketAddr::V6(addr) = &mut addr {
        addr.set_flowinfo(0);
    }
    addr
}

fn ecn(codepoint: Option<EcnCodepoint>) -> Ecn {
    match codepoint {
        None => Ecn::NotEct,
        Some(EcnCodepoint::Ect0) => Ecn::Ect0,
        Some(EcnCodepoint::Ect1) => Ecn::Ect1,
        Some(EcnCodepoint::Ce) => Ecn::Ce,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn flow_labels_do_not_tell_addresses_apart() {
        let with_flow = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 5, 0x12345, 7);
        assert_eq!(without_flow(with_flow.into()), SocketAddrV6::new(Ipv6Addr::LOCALHOST, 5, 0, 7).into());
    }

    #[test]
    fn the_local_address_is_the_bound_one_unless_that_is_unspecified() {
        let mut buffer = RecvBuffer::with_slots(1);
        let mut meta = RecvMeta::default();
        meta.interface_index = Some(3);
        let mut local = |bound: &str, dst_ip: Option<&str>| {
            buffer.bound = bound.parse().unwrap();
            meta.dst_ip = dst_ip.map(|ip| ip.parse().unwrap());
            buffer.local(&meta).to_string()
        };
        assert_eq!(local("10.0.0.1:9", Some("10.0.0.2")), "10.0.0.1:9");
        assert_eq!(local("0.0.0.0:9", Some("10.0.0.2")), "10.0.0.2:9");
        assert_eq!(local("0.0.0.0:9", None), "0.0.0.0:9");
        assert_eq!(local("[::]:9", Some("2001:db8::1")), "[2001:db8::1]:9");
        assert_eq!(local("[::]:9", Some("fe80::1")), "[fe80::1%3]:9");
    }
}
