//! The sockets of multicast DNS.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket as StdSocket};

use socket2::{Domain, Protocol, Socket, Type};
use weft_core::Instant;

use super::engine::{GROUP_V4, Mdns, Outlet};
use crate::interfaces::{Interface, interfaces};

/// Datagrams read in one turn from each socket.
const READS_A_TURN: usize = 32;
/// The longest that is read: a message of the local link is no longer than an Ethernet frame, or little.
const MAX_MESSAGE: usize = 9000;

/// The sockets that an [`Mdns`] works with: one on port 5353, shared with whatever else on this host speaks multicast DNS, and
/// one for one-shot queries. Where the first cannot be had (port 5353 taken, no multicast), names are still asked for; where
/// nothing answers, nothing waits.
#[derive(Debug)]
pub struct MdnsSocket {
    multicast: Option<StdSocket>,
    one_shot: Option<StdSocket>,
    links: Vec<Interface>,
    /// IPv4 addresses of the interfaces whose group was joined.
    joined: Vec<Ipv4Addr>,
}

impl MdnsSocket {
    /// Opens both sockets, as far as they are to be had, and joins the group on every IPv4 interface (with `loopback` also on
    /// that one).
    ///
    /// # Errors
    /// If the interfaces cannot be listed.
    pub fn open(loopback: bool) -> io::Result<Self> {
        let mut all =
            Self { multicast: shared().ok(), one_shot: one_shot().ok(), links: Vec::new(), joined: Vec::new() };
        all.refresh(loopback)?;
        Ok(all)
    }

    /// Joins the group on interfaces that are new. Call it when [`InterfaceWatcher`](crate::InterfaceWatcher) tells of a change.
    ///
    /// # Errors
    /// If the interfaces cannot be listed.
    pub fn refresh(&mut self, loopback: bool) -> io::Result<()> {
        self.links = interfaces()?;
        let addresses =
            self.links.iter().filter(|link| loopback || !link.is_loopback).filter_map(|link| match link.ip {
                IpAddr::V4(v4) => Some(v4),
                IpAddr::V6(_) => None,
            });
        let (IpAddr::V4(group), addresses) = (GROUP_V4.ip(), addresses.collect::<Vec<_>>()) else { return Ok(()) };
        self.joined.retain(|joined| addresses.contains(joined));
        for address in addresses {
            if self.joined.contains(&address) {
                continue;
            }
            match self.multicast.as_ref().map(|socket| socket.join_multicast_v4(&group, &address)) {
                Some(Err(error)) if error.kind() != io::ErrorKind::AddrInUse => {
                    tracing::debug!(%address, %error, "multicast group not joined");
                }
                _ => self.joined.push(address),
            }
        }
        Ok(())
    }

    /// The sockets, to wait on.
    pub fn sockets(&self) -> impl Iterator<Item = &StdSocket> {
        self.multicast.iter().chain(&self.one_shot)
    }

    /// Whether our names can be answered for.
    pub fn can_answer(&self) -> bool {
        self.multicast.is_some()
    }

    /// Hands in what has arrived from the local link, lets timers fire, and sends what there is to send. Never blocks; what
    /// cannot be sent is lost, as datagrams are.
    pub fn turn(&self, now: Instant, mdns: &mut Mdns) {
        let mut buf = [0; MAX_MESSAGE];
        // One-shot answers come to an address of ours, whatever it is.
        let here = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        for (socket, to) in [(&self.multicast, GROUP_V4), (&self.one_shot, here)] {
            let Some(socket) = socket else { continue };
            for _ in 0..READS_A_TURN {
                let Ok((len, from)) = socket.recv_from(&mut buf) else { break };
                if self.links.iter().any(|link| link.is_on_link(from.ip())) {
                    mdns.handle_input(now, from, to, buf.get(..len).unwrap_or_default());
                }
            }
        }
        mdns.handle_timeout(now);
        while let Some((outlet, to, bytes)) = mdns.poll_transmit(now) {
            let socket = match outlet {
                Outlet::Multicast => self.multicast.as_ref().or(self.one_shot.as_ref()),
                Outlet::OneShot => self.one_shot.as_ref().or(self.multicast.as_ref()),
            };
            let Some(socket) = socket else { continue };
            if to != GROUP_V4 {
                let _ = socket.send_to(&bytes, to);
                continue;
            }
            for address in &self.joined {
                if socket2::SockRef::from(socket).set_multicast_if_v4(address).is_ok() {
                    let _ = socket.send_to(&bytes, to);
                }
            }
        }
    }
}

/// Port 5353, which others on this host may have, too (RFC 6762 section 15.1).
fn shared() -> io::Result<StdSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, GROUP_V4.port())).into())?;
    ready(socket)
}

fn one_shot() -> io::Result<StdSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
    ready(socket)
}

/// Others on this host hear us, too; nobody beyond the link does (RFC 6762 section 11).
fn ready(socket: Socket) -> io::Result<StdSocket> {
    socket.set_multicast_loop_v4(true)?;
    socket.set_multicast_ttl_v4(255)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
