//! Interfaces that appear and vanish.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
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
/// listed every two seconds. All watchers of a process share the list; a watcher of another network namespace has its own, and is
/// to be polled by threads in that.
#[derive(Debug)]
pub struct InterfaceWatcher {
    /// Tells this one alone: what another had read would wake nobody.
    kernel: Kernel,
    watch: Arc<Watch>,
    known: Arc<[Interface]>,
    /// Which list that is.
    version: u64,
}

impl InterfaceWatcher {
    /// Begins to watch.
    ///
    /// # Errors
    /// If the interfaces cannot be listed.
    pub fn new(now: Instant) -> io::Result<Self> {
        // First listen, then list: nothing is missed.
        let kernel = Kernel::new();
        let watch = Watch::of_the_process(now)?;
        let (known, version) = watch.latest();
        Ok(Self { kernel, watch, known, version })
    }

    /// The addresses there are.
    pub fn interfaces(&self) -> &[Interface] {
        &self.known
    }

    /// What has changed since the last call; empty if nothing has. Waits for nothing but another thread that lists the interfaces.
    ///
    /// # Errors
    /// If the interfaces cannot be listed.
    pub fn poll(&mut self, now: Instant) -> io::Result<Changes> {
        if self.kernel.has_told() {
            self.watch.look_by(now + SETTLE);
        }
        self.watch.look(now)?;
        if self.is_current() {
            return Ok(Changes::default());
        }
        let (after, version) = self.watch.latest();
        let changes = Changes::between(&self.known, &after);
        (self.known, self.version) = (after, version);
        Ok(changes)
    }

    /// When [`poll`](Self::poll) wants to be called, whether or not the socket is readable: another watcher may have listed the
    /// interfaces.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_current() { self.watch.next() } else { Some(Instant::ORIGIN) }
    }

    fn is_current(&self) -> bool {
        self.watch.version.load(Ordering::Acquire) == self.version
    }

    /// What the kernel tells by.
    #[cfg(all(feature = "tokio", any(target_os = "linux", target_os = "android")))]
    pub(crate) fn socket(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.kernel.0.as_ref().map(std::os::fd::AsFd::as_fd)
    }
}

/// What the watchers of a process share, as long as there is one.
#[derive(Debug)]
struct Watch {
    /// Tells whether the list is still true.
    kernel: Kernel,
    list: Mutex<Arc<[Interface]>>,
    /// Grows when the list changes.
    version: AtomicU64,
    /// When the interfaces are to be listed, as [`Instant::as_nanos`]; `u64::MAX` for never.
    next: AtomicU64,
}

impl Watch {
    fn of_the_process(now: Instant) -> io::Result<Arc<Self>> {
        static SHARED: Mutex<Vec<(u64, Weak<Watch>)>> = Mutex::new(Vec::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|(_, watch)| watch.strong_count() > 0);
        let here = namespace();
        let found = shared.iter().find(|(there, _)| *there == here);
        if let Some(watch) = found.and_then(|(_, watch)| watch.upgrade()) {
            watch.look_at_once(now)?;
            return Ok(watch);
        }
        let watch = Arc::new(Self {
            kernel: Kernel::new(),
            list: Mutex::new(interfaces()?.into()),
            version: AtomicU64::new(0),
            next: AtomicU64::new(u64::MAX),
        });
        if watch.kernel.is_silent() {
            watch.set_next(Some(now + POLL_PERIOD));
        }
        shared.push((here, Arc::downgrade(&watch)));
        Ok(watch)
    }

    fn latest(&self) -> (Arc<[Interface]>, u64) {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&list), self.version.load(Ordering::Acquire))
    }

    fn next(&self) -> Option<Instant> {
        Some(self.next.load(Ordering::Acquire)).filter(|at| *at != u64::MAX).map(Instant::from_nanos)
    }

    fn set_next(&self, at: Option<Instant>) {
        self.next.store(at.map_or(u64::MAX, Instant::as_nanos), Ordering::Release);
    }

    /// The interfaces are to be listed at `at`, at the latest.
    fn look_by(&self, at: Instant) {
        self.next.fetch_min(at.as_nanos(), Ordering::AcqRel);
    }

    /// Lists the interfaces, if it is time to.
    fn look(&self, now: Instant) -> io::Result<()> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if self.kernel.has_told() {
            self.look_by(now + SETTLE);
        }
        if self.next().is_none_or(|at| at > now) {
            return Ok(());
        }
        self.list_anew(now, &mut list)
    }

    /// For who is new and knows nothing older: unless nothing has changed for certain.
    fn look_at_once(&self, now: Instant) -> io::Result<()> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is due says that something has, or that nobody tells.
        if self.kernel.has_told() || self.next().is_some() { self.list_anew(now, &mut list) } else { Ok(()) }
    }

    fn list_anew(&self, now: Instant, list: &mut Arc<[Interface]>) -> io::Result<()> {
        let after = interfaces()?;
        self.set_next(self.kernel.is_silent().then(|| now + POLL_PERIOD));
        if **list != *after {
            *list = after.into();
            self.version.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }
}

/// A socket by which the kernel tells of changes, where it does.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Debug)]
struct Kernel(Option<netlink_sys::Socket>);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Kernel {
    fn new() -> Self {
        Self(netlink().inspect_err(|error| tracing::debug!(%error, "no rtnetlink")).ok())
    }

    /// Whether it never tells.
    fn is_silent(&self) -> bool {
        self.0.is_none()
    }

    /// Whether it has told of a change since it was asked.
    fn has_told(&self) -> bool {
        let Some(socket) = &self.0 else { return false };
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
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Debug)]
struct Kernel;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Kernel {
    fn new() -> Self {
        Self
    }

    fn is_silent(&self) -> bool {
        true
    }

    fn has_told(&self) -> bool {
        false
    }
}

/// Names the network namespace of this thread.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn namespace() -> u64 {
    use std::os::unix::fs::MetadataExt as _;

    std::fs::metadata("/proc/thread-self/ns/net").map_or(0, |file| file.ino())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn namespace() -> u64 {
    0
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
        self.kernel.0.as_ref().map_or(-1, std::os::fd::AsRawFd::as_raw_fd)
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
    fn watchers_of_a_process_share_the_list() {
        let first = InterfaceWatcher::new(Instant::ORIGIN).unwrap();
        let second = InterfaceWatcher::new(Instant::ORIGIN).unwrap();
        assert!(Arc::ptr_eq(&first.watch, &second.watch));
    }

    #[test]
    fn a_watcher_lists_and_sees_no_change_where_there_is_none() {
        let now = Instant::ORIGIN;
        let mut watcher = InterfaceWatcher::new(now).unwrap();
        assert!(watcher.interfaces().iter().any(|interface| interface.is_loopback));
        assert!(watcher.poll(now + Duration::from_secs(1)).unwrap().is_empty());
    }
}
