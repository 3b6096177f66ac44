//! The socket.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use quinn_udp::{UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use weft_core::{Limits, Path, Run};

use super::fragment::Switch;
use super::recv::FEW;
use crate::RecvBuffer;

/// How to set up a [`UdpSocket`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UdpConfig {
    /// Bytes to raise the kernel's send buffer to, as far as it allows. A buffer that is larger already stays.
    pub send_buffer: usize,
    /// Bytes to raise the kernel's receive buffer to, as far as it allows.
    pub recv_buffer: usize,
    /// Whether to use segmentation offload for sending where the system has it.
    pub segmentation_offload: bool,
}

impl Default for UdpConfig {
    /// Buffers of 2 MiB, offload on.
    fn default() -> Self {
        Self { send_buffer: 2 << 20, recv_buffer: 2 << 20, segmentation_offload: true }
    }
}

/// What a socket did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UdpStats {
    /// Datagrams handed to the system.
    pub sent: u64,
    /// Calls that took.
    pub send_calls: u64,
    /// Datagrams that arrived.
    pub received: u64,
    /// Calls that brought datagrams.
    pub recv_calls: u64,
    /// Datagrams dropped because they were longer than the interface or the system takes.
    pub too_big: u64,
    /// Datagrams dropped because they could not be sent there or just then (unreachable, forbidden, no buffers, an
    /// address the socket cannot reach).
    pub dropped: u64,
    /// Errors of earlier datagrams that the system reported on receiving.
    pub recv_noise: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) sent: AtomicU64,
    pub(super) send_calls: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) recv_calls: AtomicU64,
    pub(super) too_big: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) recv_noise: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

/// What the plain and the asynchronous socket share: everything but the file descriptor.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) state: UdpSocketState,
    pub(super) bound: SocketAddr,
    /// Datagrams one call may carry: 1 after the system refused segmentation offload.
    pub(super) max_segments: AtomicUsize,
    pub(super) fragmenting: Switch,
    /// How many slots the next call to receive is given. Each costs something, filled or not.
    pub(super) slots: AtomicUsize,
    pub(super) counters: Counters,
}

impl Core {
    pub(super) fn limits(&self) -> Limits {
        Limits { max_segments: self.max_segments.load(Ordering::Relaxed), ..Limits::SINGLE }
    }

    pub(super) fn stats(&self) -> UdpStats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let c = &self.counters;
        UdpStats {
            sent: of(&c.sent),
            send_calls: of(&c.send_calls),
            received: of(&c.received),
            recv_calls: of(&c.recv_calls),
            too_big: of(&c.too_big),
            dropped: of(&c.dropped),
            recv_noise: of(&c.recv_noise),
        }
    }
}

/// A non-blocking UDP socket for runs of datagrams.
///
/// It fragments nothing but runs that may be, does not mark ECN, and tells for each datagram at which address it arrived.
/// All methods take `&self` and may be called from several threads; while a run leaves that may be fragmented, the others
/// wait to send.
#[derive(Debug)]
pub struct UdpSocket {
    pub(super) io: StdSocket,
    pub(super) core: Core,
}

impl UdpSocket {
    /// Binds a socket, set up as by default. One bound to an IPv6 address serves IPv6 alone.
    ///
    /// # Errors
    /// As the system's `socket` and `bind`: the address is not ours, the port is taken.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::bind_with(address, UdpConfig::default())
    }

    /// As [`bind`](Self::bind), set up as `config` says.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_with(address: SocketAddr, config: UdpConfig) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        Self::from_std(socket.into(), config)
    }

    /// Binds a socket of `ip` to the first port of `ports` that is free, beginning somewhere in it: `start` says where, and is
    /// best random, so that many sockets do not all look from the front.
    ///
    /// # Errors
    /// As [`bind`](Self::bind), if no port of the range can be had; an empty range cannot.
    pub fn bind_in_range(ip: IpAddr, ports: RangeInclusive<u16>, start: u16, config: UdpConfig) -> io::Result<Self> {
        let count = usize::from(*ports.end()).saturating_sub((*ports.start()).into()) + usize::from(!ports.is_empty());
        let skip = usize::from(start).checked_rem(count).unwrap_or(0);
        let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the port range is empty");
        for port in ports.clone().skip(skip).chain(ports).take(count) {
            match Self::bind_with(SocketAddr::new(ip, port), config) {
                Ok(socket) => return Ok(socket),
                // Another port does not make the address ours.
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Takes over a bound socket, for platforms that must open it in a way of their own.
    ///
    /// # Errors
    /// If the system refuses the options this socket cannot do without.
    pub fn from_std(io: StdSocket, config: UdpConfig) -> io::Result<Self> {
        let bound = io.local_addr()?;
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        raise_buffers(&SockRef::from(&io), config);
        let max_segments = if config.segmentation_offload { state.max_gso_segments().max(1) } else { 1 };
        let core = Core {
            state,
            bound,
            max_segments: max_segments.into(),
            fragmenting: Switch::default(),
            slots: FEW.into(),
            counters: Counters::default(),
        };
        Ok(Self { io, core })
    }

    /// The address it is bound to, with the port the system chose if it was bound to port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.core.bound
    }

    /// What one [`try_send`](Self::try_send) may carry. It shrinks to [`Limits::SINGLE`] when the system turns out to
    /// refuse segmentation offload, so give it to [`Batch::set_limits`](weft_core::Batch::set_limits) before building
    /// on. A batch shared by several sockets takes the smallest.
    pub fn limits(&self) -> Limits {
        self.core.limits()
    }

    /// Sends `run`, whose datagrams are `bytes`, in one call: from `run.route.local` where the socket is bound to all
    /// addresses, to `run.route.remote`.
    ///
    /// A datagram that cannot be sent is a lost datagram: what the network refuses (unreachable, too long, forbidden) is
    /// counted in [`stats`](Self::stats) and is no error. When the system refuses segmentation offload, the run goes out
    /// datagram by datagram, and [`limits`](Self::limits) shrinks. A run that outgrows the limits is split, too; if the
    /// socket blocks in the middle of such a run, its rest is dropped.
    ///
    /// Runs that may be fragmented go out with DF clear on Linux, and no others do. Elsewhere DF stays set: those longer than
    /// the interface's MTU are dropped and counted.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock): nothing was sent; keep the run and try again when the socket is
    /// writable. Anything else: the socket is dead.
    pub fn try_send(&self, run: &Run<Path>, bytes: &[u8]) -> io::Result<()> {
        self.core.send(&self.io, run, bytes)
    }

    /// Receives what has arrived into `buffer`, and drops what was left in it. Gives how many datagrams it holds now; 0
    /// if only errors were waiting, which is not the end: call again until it would block.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock): nothing has arrived. Anything else: the socket is dead.
    pub fn try_recv(&self, buffer: &mut RecvBuffer) -> io::Result<usize> {
        self.core.recv(&self.io, buffer)
    }

    /// What it did so far.
    pub fn stats(&self) -> UdpStats {
        self.core.stats()
    }

    /// The socket below, to wait for it with `poll` or to set options. Sending or receiving by it is safe but not
    /// counted.
    pub fn as_std(&self) -> &StdSocket {
        &self.io
    }
}

fn raise_buffers(socket: &SockRef<'_>, config: UdpConfig) {
    // Linux reports twice what was asked for; asking again for less than that would shrink it.
    if socket.send_buffer_size().is_ok_and(|size| size < config.send_buffer)
        && let Err(error) = socket.set_send_buffer_size(config.send_buffer)
    {
        tracing::debug!(%error, "send buffer not raised");
    }
    if socket.recv_buffer_size().is_ok_and(|size| size < config.recv_buffer)
        && let Err(error) = socket.set_recv_buffer_size(config.recv_buffer)
    {
        tracing::debug!(%error, "receive buffer not raised");
    }
}
