//! Interfaces that appear and vanish.

use std::io;
use std::time::Duration;

use weft_core::Instant;

use crate::interfaces::{Interface, interfaces};

/// How often the interfaces are listed where the system does not tell of changes.
const POLL_PERIOD: Duration = Duration::from_secs(2);
/// How long after a sign of change the interfaces are listed: changes come in bursts.
const SETTLE: Duration = Duration::from_millis(50);

/// What has changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Addresses there are now.
    pub appeared: Vec<Interface>,
    /// Addresses that are gone.
    pub vanished: Vec<Interface>,
}

impl Changes {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.appeared.is_empty() && self.vanished.is_empty()
    }

    fn between(before: &[Interface], after: &[Interface]) -> Self {
        let without = |all: &[Interface], known: &[Interface]| -> Vec<Interface> {
            all.iter().filter(|interface| !known.contains(interface)).cloned().collect()
        };
        Self { appeared: without(after, before), vanished: without(before, after) }
    }
}

/// Notices addresses of this host that appear and vanish: on Linux and Android the kernel tells (rtnetlink), elsewhere they are
/// listed every two seconds.
#[derive(Debug)]
pub struct InterfaceWatcher {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    netlink: Option<netlink_sys::Socket>,
    known: Vec<Interface>,
    next: Option<Instant>,
}

impl InterfaceWatcher {
    /// Begins to watch.
    ///
    /// # Errors
    /// If the interfaces cannot be listed.
    pub fn new(now: Instant) -> io::Result<Self> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            // First listen, then list: nothing is missed.
            let netlink = netlink().inspect_err(|error| tracing::debug!(%error, "no rtnetlink")).ok();
            let next = netlink.is_none().then(|| now + POLL_PERIOD);
            Ok(Self { netlink, known: interfaces()?, next })
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        Ok(Self { known: interfaces()?, next: Some(now + POLL_PERIOD) })
    }

    /// The addresses there are.
    pub fn interfaces(&self) -> &[Interface] {
        &self.known
    }

    /// What has changed since the last call; empty if nothing has. Never blocks.
    ///
    /// # Errors
    /// If the interfaces cannot be listed.
    pub fn poll(&mut self, now: Instant) -> io::Result<Changes> {
        if self.told() {
            self.next.get_or_insert(now + SETTLE);
        }
        if self.next.is_none_or(|at| at > now) {
            return Ok(Changes::default());
        }
        self.next = self.is_polling().then(|| now + POLL_PERIOD);
        let after = interfaces()?;
        let changes = Changes::between(&self.known, &after);
        self.known = after;
        Ok(changes)
    }

    /// When [`poll`](Self::poll) wants to be called, whether or not the socket is readable.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// What the kernel tells by.
    #[cfg(all(feature = "tokio", any(target_os = "linux", target_os = "android")))]
    pub(crate) fn socket(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.netlink.as_ref().map(std::os::fd::AsFd::as_fd)
    }

    /// Whether the kernel has told of a change.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn told(&mut self) -> bool {
        let Some(socket) = &self.netlink else { return false };
        let mut told = false;
        loop {
            match socket.recv_from_full() {
                Ok(_) => told = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return told,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // ENOBUFS: more has changed than the kernel could tell.
                Err(_) => return true,
            }
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn told(&mut self) -> bool {
        false
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn is_polling(&self) -> bool {
        self.netlink.is_none()
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn is_polling(&self) -> bool {
        true
    }
}

/// A socket that hears of links and addresses of both families.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn netlink() -> io::Result<netlink_sys::Socket> {
    use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

    const RTMGRP_LINK: u32 = 0x1;
    const RTMGRP_IPV4_IFADDR: u32 = 0x10;
    const RTMGRP_IPV6_IFADDR: u32 = 0x100;
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind(&SocketAddr::new(0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))?;
    socket.set_non_blocking(true)?;
    Ok(socket)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl std::os::fd::AsRawFd for InterfaceWatcher {
    /// Readable when something has changed; -1 without rtnetlink, where [`poll_timeout`](Self::poll_timeout) alone tells when to
    /// look.
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.netlink.as_ref().map_or(-1, std::os::fd::AsRawFd::as_raw_fd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(ip: &str) -> Interface {
        Interface {
            name: "eth0".to_owned(),
            index: Some(2),
            ip: ip.parse().unwrap(),
            prefix: 24,
            is_loopback: false,
            is_link_local: false,
        }
    }

    #[test]
    fn changes_are_what_differs() {
        let (a, b, c) = (interface("192.0.2.1"), interface("192.0.2.2"), interface("2001:db8::1"));
        let changes = Changes::between(&[a.clone(), b.clone()], &[b.clone(), c.clone()]);
        assert_eq!(changes, Changes { appeared: vec![c], vanished: vec![a] });
        assert!(Changes::between(std::slice::from_ref(&b), std::slice::from_ref(&b)).is_empty());
    }

    #[test]
    fn a_watcher_lists_and_sees_no_change_where_there_is_none() {
        let now = Instant::ORIGIN;
        let mut watcher = InterfaceWatcher::new(now).unwrap();
        assert!(watcher.interfaces().iter().any(|interface| interface.is_loopback));
        assert!(watcher.poll(now + Duration::from_secs(1)).unwrap().is_empty());
    }
}
