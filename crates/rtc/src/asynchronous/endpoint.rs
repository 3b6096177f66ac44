//! Sockets that many connections share.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use weft_core::Rng;
use weft_net::{AsyncUdpSocket, Clock};

use super::driver::Driver;
use super::{PeerConnection, Shared, SharedHandle};
use crate::config::Config;
use crate::error::Error;
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
    addresses: Vec<SocketAddr>,
    inbox: Mutex<Inbox>,
}

/// What waits for the task. Its lock is the last to be taken, and nothing else happens under it.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Connections that have something to do.
    pub(super) ready: VecDeque<u64>,
    /// Connections that are new.
    pub(super) new: Vec<SharedHandle>,
    /// Handles of the endpoint; with the last of them and the last connection the task ends.
    pub(super) handles: usize,
    /// Connections alive.
    pub(super) connections: usize,
    /// The task is no more.
    pub(super) ended: bool,
    next_key: u64,
    waker: Option<Waker>,
}

impl Hub {
    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push_ready(&self, key: u64) {
        let waker = {
            let mut inbox = self.inbox();
            inbox.ready.push_back(key);
            inbox.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn wake(&self) {
        let waker = self.inbox().waker.take();
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
    /// [`loopback`](Config::loopback)) and starts a task on the current tokio runtime. The other settings are those of
    /// connections.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Io`] without a network interface to bind, with the port taken, or outside a runtime.
    pub fn bind(config: &Config) -> Result<Self, Error> {
        config.validate()?;
        let runtime = tokio::runtime::Handle::try_current().map_err(std::io::Error::other)?;
        let sockets = io::bind(config, AsyncUdpSocket::new)?;
        let hub = Arc::new(Hub {
            clock: Clock::new(),
            addresses: sockets.iter().map(AsyncUdpSocket::local_addr).collect(),
            inbox: Mutex::new(Inbox { handles: 1, ..Inbox::default() }),
        });
        runtime.spawn(Driver::new(Arc::clone(&hub), sockets));
        Ok(Self { hub })
    }

    /// Makes a connection on these sockets. Settings about sockets have no effect here.
    ///
    /// # Errors
    /// [`Error::Closed`] when the endpoint's runtime is gone, [`Error::Config`], [`Error::Certificate`].
    pub fn peer_connection(&self, config: Config) -> Result<PeerConnection, Error> {
        let now = self.hub.clock.now();
        let rng = Rng::from_seed(weft_net::entropy_seed()?);
        let mut core = sans_io::PeerConnection::new(now, config, rng)?;
        for address in &self.hub.addresses {
            core.add_host_address(now, *address);
        }
        let shared = {
            let mut inbox = self.hub.inbox();
            if inbox.ended {
                return Err(Error::Closed);
            }
            inbox.next_key += 1;
            inbox.connections += 1;
            let shared = Arc::new(Shared::new(inbox.next_key, Arc::clone(&self.hub), core));
            inbox.new.push(Arc::clone(&shared));
            shared
        };
        self.hub.wake();
        Ok(PeerConnection::from_shared(shared))
    }

    /// The addresses of its sockets.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.hub.addresses
    }

    /// Connections that are alive on it, those whose farewell is still to leave included.
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
    /// Connections live on; the sockets close with the last of them.
    fn drop(&mut self) {
        self.hub.inbox().handles -= 1;
        self.hub.wake();
    }
}
