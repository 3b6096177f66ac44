//! Sockets that many connections share.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use weft_core::Rng;
use weft_net::{AsyncStreamListener, AsyncUdpSocket, Clock};

use super::direct::Unsent;
use super::driver::Driver;
use super::follow::Follow;
use super::{PeerConnection, Shared, SharedHandle};
use crate::config::{Config, MdnsPolicy};
use crate::error::Error;
use crate::shared_config::SharedConfig;
use crate::{io, sans_io};

/// Sockets, and a task that moves datagrams for all connections made with it: a cheap handle, cloned at will.
///
/// A server with thousands of peers binds one, on a fixed port perhaps; the work for a datagram or a timer does not grow
/// with their number. Which connection a datagram is for is told by the user name fragment of ICE and by where it comes
/// from, so all of them are reached at the same addresses.
///
/// ```
/// use weft_rtc::{Config, Endpoint};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let endpoint = Endpoint::bind(&Config::default().with_loopback(true))?;
/// let (first, second) = (endpoint.peer_connection(Config::default())?, endpoint.peer_connection(Config::default())?);
/// assert_eq!(endpoint.connections(), 2);
/// # drop((first, second));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Endpoint {
    hub: Arc<Hub>,
}

/// What the handles and the task of an endpoint share.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) clock: Clock,
    addresses: Mutex<Addresses>,
    inbox: Mutex<Inbox>,
    /// There is something new in the inbox, or something was sent and the task stays awake for what may be answered.
    stirred: AtomicBool,
    /// How long the task stays awake after something came or was sent ([`Config::busy_poll`]).
    pub(super) busy_poll: Duration,
    /// Bytes that wait for a UDP socket to take them, of all connections.
    pub(super) owed: AtomicUsize,
    /// Names the next connection.
    next_key: AtomicU64,
}

/// What connections of an endpoint are reached at.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses {
    pub(super) udp: Vec<SocketAddr>,
    pub(super) listeners: Vec<SocketAddr>,
    /// Names that stand for addresses.
    pub(super) names: Vec<(IpAddr, String)>,
}

impl Addresses {
    /// Tells a connection of those it does not know.
    pub(super) fn announce(&self, now: weft_core::Instant, core: &mut sans_io::PeerConnection) {
        let hide = core.config().mdns == MdnsPolicy::Hide;
        for address in &self.udp {
            match self.names.iter().find(|(ip, _)| hide && *ip == address.ip()) {
                Some((_, name)) => core.add_hidden_host_address(now, *address, name.as_str()),
                None => core.add_host_address(now, *address),
            }
        }
        for listener in &self.listeners {
            core.add_tcp_listener(now, *listener);
        }
    }
}

/// What waits for the task. Its lock is the last to be taken, and nothing else happens under it.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Connections that have something to do.
    pub(super) ready: VecDeque<u64>,
    /// Connections that are new.
    pub(super) new: Vec<SharedHandle>,
    /// What tasks of applications could not send.
    pub(super) unsent: Vec<Unsent>,
    /// Handles of the endpoint; with the last of them and the last connection the task ends.
    pub(super) handles: usize,
    /// Connections alive.
    pub(super) connections: usize,
    /// The task is no more.
    pub(super) ended: bool,
    waker: Option<Waker>,
}

impl Hub {
    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn addresses(&self) -> MutexGuard<'_, Addresses> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push_ready(&self, key: u64) {
        let waker = {
            let mut inbox = self.inbox();
            inbox.ready.push_back(key);
            inbox.waker.take()
        };
        self.stirred.store(true, Ordering::Release);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn push_unsent(&self, unsent: Unsent) {
        self.owed.fetch_add(unsent.bytes.len(), Ordering::Relaxed);
        self.inbox().unsent.push(unsent);
        self.wake();
    }

    /// Whether something new has come into the inbox since it was looked at, for all that is known.
    pub(super) fn is_stirred(&self) -> bool {
        self.stirred.load(Ordering::Acquire)
    }

    /// The inbox is about to be looked at. Whether it is worth it.
    pub(super) fn take_stirred(&self) -> bool {
        self.is_stirred() && self.stirred.swap(false, Ordering::AcqRel)
    }

    /// The task looks at the inbox, and stays awake for a while where it does that ([`Config::busy_poll`]).
    pub(super) fn wake(&self) {
        let waker = self.inbox().waker.take();
        // Only now: else the task might look before the waker is taken, and not again.
        self.stirred.store(true, Ordering::Release);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Inbox {
    pub(super) fn register(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
    }
}

impl Endpoint {
    /// Binds a socket on every address that `config` allows ([`port`](Config::port), [`interfaces`](Config::interfaces),
    /// [`loopback`](Config::loopback)) and starts a task on the current tokio runtime, which may stay awake for a while
    /// ([`busy_poll`](Config::busy_poll)). The other settings are those of connections.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Io`] without a network interface to bind, with the port taken, or outside a runtime.
    pub fn bind(config: &Config) -> Result<Self, Error> {
        config.validate()?;
        let runtime = tokio::runtime::Handle::try_current().map_err(std::io::Error::other)?;
        let clock = Clock::new();
        let follow = Follow::new(config, clock.now());
        let sockets = io::bind(config, &follow.interfaces()?, AsyncUdpSocket::new)?;
        let udp: Vec<SocketAddr> = sockets.iter().map(AsyncUdpSocket::local_addr).collect();
        let listeners = udp.iter().filter_map(|address| io::listen(config, address.ip()));
        let listeners = listeners.map(AsyncStreamListener::new).collect::<std::io::Result<Vec<_>>>()?;
        let mut names = io::Names::new(config);
        let hidden = udp.iter().map(SocketAddr::ip);
        let hidden = hidden.filter_map(|ip| Some((ip, names.hide_if(config, clock.now(), ip)?))).collect();
        let addresses = Addresses {
            listeners: listeners.iter().map(AsyncStreamListener::local_addr).collect(),
            udp,
            names: hidden,
        };
        let hub = Arc::new(Hub {
            clock,
            addresses: Mutex::new(addresses),
            inbox: Mutex::new(Inbox { handles: 1, ..Inbox::default() }),
            stirred: AtomicBool::new(true),
            busy_poll: config.busy_poll,
            owed: AtomicUsize::new(0),
            next_key: AtomicU64::new(1),
        });
        runtime.spawn(Driver::new(Arc::clone(&hub), sockets, listeners, names, follow));
        Ok(Self { hub })
    }

    /// Makes a connection on these sockets. Settings about sockets, and [`busy_poll`](Config::busy_poll), have no
    /// effect here.
    ///
    /// # Errors
    /// [`Error::Closed`] when the endpoint's runtime is gone, [`Error::Certificate`], [`Error::Config`]: also if addresses
    /// are to be hidden ([`MdnsPolicy::Hide`]) and the endpoint was not bound with that.
    pub fn peer_connection(&self, config: impl Into<SharedConfig>) -> Result<PeerConnection, Error> {
        self.peer_connection_drawing(config, Rng::from_seed(weft_net::entropy_seed()?))
    }

    /// As [`peer_connection`](Self::peer_connection), with randomness from `rng`: for tests of what is improbable.
    ///
    /// # Errors
    /// As [`peer_connection`](Self::peer_connection).
    #[doc(hidden)]
    pub fn peer_connection_drawing(&self, config: impl Into<SharedConfig>, rng: Rng) -> Result<PeerConnection, Error> {
        let now = self.hub.clock.now();
        let mut core = sans_io::PeerConnection::new(now, config, rng)?;
        let addresses = self.hub.addresses().clone();
        if core.config().mdns == MdnsPolicy::Hide && addresses.names.is_empty() {
            return Err(Error::Config("mdns can be Hide only on an endpoint that was bound with it"));
        }
        addresses.announce(now, &mut core);
        let key = self.hub.next_key.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared::new(key, Arc::clone(&self.hub), core));
        {
            let mut inbox = self.hub.inbox();
            if inbox.ended {
                return Err(Error::Closed);
            }
            inbox.connections += 1;
            inbox.new.push(Arc::clone(&shared));
        }
        self.hub.wake();
        Ok(PeerConnection::from_shared(shared))
    }

    /// The addresses of its UDP sockets now: they follow the interfaces.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.hub.addresses().udp.clone()
    }

    /// The addresses at which it takes TCP connections ([`TcpCandidates::ActiveAndPassive`](crate::TcpCandidates)).
    pub fn tcp_addrs(&self) -> Vec<SocketAddr> {
        self.hub.addresses().listeners.clone()
    }

    /// Bytes that were built and wait for a socket to take them: figures for tests.
    #[doc(hidden)]
    pub fn owed_bytes(&self) -> usize {
        self.hub.owed.load(Ordering::Relaxed)
    }

    /// Connections that are alive on it, those whose farewell is still to leave included: by TCP or TLS that may take up to
    /// two seconds.
    pub fn connections(&self) -> usize {
        self.hub.inbox().connections
    }
}

impl Clone for Endpoint {
    fn clone(&self) -> Self {
        self.hub.inbox().handles += 1;
        Self { hub: Arc::clone(&self.hub) }
    }
}

impl Drop for Endpoint {
    /// Connections live on; the sockets close with the last of them. Those that are closed and only wait for a TCP or TLS
    /// connection to take their farewell are not waited for any longer.
    fn drop(&mut self) {
        self.hub.inbox().handles -= 1;
        self.hub.wake();
    }
}
