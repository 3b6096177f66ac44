//! A UDP socket, and what it did not take yet.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::time::Duration;

use weft_core::{Instant, Path, Run};
use weft_net::AsyncUdpSocket;

use super::connections::Connections;
use super::driver::Driver;
use super::endpoint::Hub;

/// Bytes that one socket keeps of all connections, but for farewells: twice what one batch holds, so that the rest of one is
/// kept. What comes on top is lost as if on the way.
const MAX_BACKLOG: usize = 256 * 1024;

/// And with farewells, which nobody sends again.
const MAX_FAREWELLS: usize = 4 * 1024 * 1024;

/// How often the timers of connections run that may send nothing.
const PARKED_TICK: Duration = Duration::from_millis(50);

/// A socket, and what it did not take yet.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) socket: Arc<AsyncUdpSocket>,
    /// Runs that wait for the socket.
    backlog: VecDeque<(Run<Path>, Box<[u8]>)>,
    /// Bytes in it.
    owed: usize,
    /// Connections that build nothing until it is empty, in the order of their turns.
    waiting: VecDeque<u64>,
    /// Those whose runs are in it: they had their turn.
    served: Vec<u64>,
    /// The system reports errors on it.
    pub(super) broken: bool,
}

impl Outlet {
    pub(super) fn new(socket: AsyncUdpSocket) -> Self {
        Self {
            socket: Arc::new(socket),
            backlog: VecDeque::new(),
            owed: 0,
            waiting: VecDeque::new(),
            served: Vec::new(),
            broken: false,
        }
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.backlog.is_empty()
    }

    /// The system does not let it be used any more.
    pub(super) fn fail(&mut self, error: &io::Error) {
        tracing::warn!(%error, address = %self.socket.local_addr(), "the socket failed");
        self.broken = true;
    }

    /// Sends a run, or keeps it. Whether it was kept, or lost for want of room.
    pub(super) fn send(&mut self, hub: &Hub, run: &Run<Path>, bytes: &[u8], is_farewell: bool) -> bool {
        let result =
            if self.is_flushed() { self.socket.try_send(run, bytes) } else { Err(io::ErrorKind::WouldBlock.into()) };
        match result {
            Ok(()) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let most = if is_farewell { MAX_FAREWELLS } else { MAX_BACKLOG };
                if self.owed + bytes.len() <= most {
                    self.owed += bytes.len();
                    hub.owed.fetch_add(bytes.len(), Ordering::Relaxed);
                    self.backlog.push_back((*run, bytes.into()));
                }
                true
            }
            Err(error) => {
                tracing::debug!(%error, "not sent");
                false
            }
        }
    }

    /// Sends what was kept, as far as the socket takes it.
    fn flush(&mut self, hub: &Hub, cx: &mut Context<'_>) {
        while let Some((run, bytes)) = self.backlog.front() {
            match self.socket.try_send(run, bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.socket.poll_send_ready(cx).is_pending() {
                        return;
                    }
                }
                result => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "not sent");
                    }
                    self.owed -= bytes.len();
                    hub.owed.fetch_sub(bytes.len(), Ordering::Relaxed);
                    self.backlog.pop_front();
                }
            }
        }
    }

    /// Connections that waited for it: those first that had no turn.
    fn take_parked(&mut self) -> impl Iterator<Item = u64> {
        self.waiting.drain(..).chain(self.served.drain(..))
    }

    /// It is gone: what waited for it goes another way.
    pub(super) fn abandon(mut self, hub: &Hub, connections: &mut Connections) {
        hub.owed.fetch_sub(self.owed, Ordering::Relaxed);
        for key in self.take_parked() {
            connections.unpark(key);
        }
    }
}

impl Driver {
    /// Sends what blocked sockets kept, and lets their connections go on.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) {
        for outlet in &mut self.outlets {
            outlet.flush(&self.hub, cx);
            if outlet.is_flushed() && !(outlet.waiting.is_empty() && outlet.served.is_empty()) {
                for key in outlet.take_parked() {
                    self.connections.unpark(key);
                }
            }
        }
    }

    /// Whether a connection is to build nothing now, because the socket that its data leave by takes nothing. Its timers run,
    /// and what comes for it is handed on.
    pub(super) fn is_held_up(&mut self, key: u64) -> bool {
        if self.is_flushed() {
            return false;
        }
        if self.connections.is_parked(key) {
            return true;
        }
        let Some(socket) = self.connections.outlet(key).map(Arc::as_ptr) else { return false };
        let blocks = |outlet: &&mut Outlet| Arc::as_ptr(&outlet.socket) == socket && !outlet.is_flushed();
        let Some(outlet) = self.outlets.iter_mut().find(blocks) else { return false };
        outlet.waiting.push_back(key);
        self.connections.park(key);
        true
    }

    /// A run of the connection waits for `at`: it builds no more until that is empty.
    pub(super) fn hold_up(&mut self, key: u64, at: usize) {
        if self.connections.is_parked(key) {
            return;
        }
        if let Some(outlet) = self.outlets.get_mut(at) {
            outlet.served.push(key);
            self.connections.park(key);
        }
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.outlets.iter().all(Outlet::is_flushed)
    }
}

/// When the timers of a connection run that wants to be called at `deadline` and is held up: what is due, and cannot leave, is
/// due again at once.
pub(super) fn while_held_up(now: Instant, deadline: Option<Instant>) -> Option<Instant> {
    deadline.map(|at| at.max(now + PARKED_TICK))
}
