//! The connections of an endpoint: whom a datagram is for, whose timer is due, who has something to do.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use weft_core::{Datagram, Instant, Path};
use weft_ice::{Demultiplexer, Route};
use weft_net::AsyncUdpSocket;

use super::SharedHandle;
use super::keys::Table;
use crate::event::ConnectionState;

/// An alarm that rings early only costs a turn, and is moved to a later time only if that is later by this.
const EARLY: Duration = Duration::from_millis(500);

/// The connections by name, by datagram and by time. Each question is one look into a table.
#[derive(Debug, Default)]
pub(super) struct Connections {
    all: Table<u64, Connection>,
    demux: Demultiplexer<u64>,
    timers: BTreeSet<(Instant, u64)>,
    ready: VecDeque<u64>,
    /// Whose the last datagram was: many come one after the other.
    last: Option<(Path, u64)>,
}

#[derive(Debug)]
struct Connection {
    shared: SharedHandle,
    /// The socket that its data leave by, as it knows.
    outlet: Option<Arc<AsyncUdpSocket>>,
    /// What the demultiplexer was told last.
    ufrag: String,
    /// It builds nothing until a socket takes datagrams again.
    parked: bool,
}

impl Connections {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn insert(&mut self, now: Instant, shared: SharedHandle) {
        let key = shared.key;
        self.all.insert(key, Connection { shared, outlet: None, ufrag: String::new(), parked: false });
        self.take_ufrag(now, key);
        self.push_ready(key);
    }

    /// Forgets a connection: its task side is over.
    pub(super) fn remove(&mut self, key: u64) {
        self.demux.remove(key);
        self.last = None;
        let Some(connection) = self.all.remove(&key) else { return };
        if let Some(at) = connection.shared.alarm() {
            self.timers.remove(&(at, key));
        }
        end(&connection.shared);
    }

    /// Ends all of them.
    pub(super) fn end(&mut self) {
        for connection in self.all.drain().map(|(_, connection)| connection) {
            end(&connection.shared);
        }
    }

    pub(super) fn get(&self, key: u64) -> Option<&SharedHandle> {
        self.all.get(&key).map(|connection| &connection.shared)
    }

    /// Puts a connection on the ready list.
    pub(super) fn push_ready(&mut self, key: u64) {
        if self.all.contains_key(&key) {
            self.ready.push_back(key);
        }
    }

    pub(super) fn pop_ready(&mut self) -> Option<u64> {
        self.ready.pop_front()
    }

    pub(super) fn ready_len(&self) -> usize {
        self.ready.len()
    }

    pub(super) fn is_parked(&self, key: u64) -> bool {
        self.all.get(&key).is_some_and(|connection| connection.parked)
    }

    /// It builds nothing more until [`unpark`](Self::unpark).
    pub(super) fn park(&mut self, key: u64) {
        if let Some(connection) = self.all.get_mut(&key) {
            connection.parked = true;
        }
    }

    /// It goes on.
    pub(super) fn unpark(&mut self, key: u64) {
        if let Some(connection) = self.all.get_mut(&key) {
            connection.parked = false;
            self.push_ready(key);
        }
    }

    /// The socket that its data leave by, as it knows.
    pub(super) fn outlet(&self, key: u64) -> Option<&Arc<AsyncUdpSocket>> {
        self.all.get(&key)?.outlet.as_ref()
    }

    /// Marks a connection ready unless it is already.
    fn mark_ready(&mut self, key: u64) {
        if self.get(key).is_some_and(|shared| !shared.queued.swap(true, Ordering::AcqRel)) {
            self.push_ready(key);
        }
    }

    /// Checks of the peer name the user name fragment that the agent has now. One that another connection has drawn is never
    /// used beside it: this one draws again, or asks for an exchange of descriptions that replaces it.
    pub(super) fn take_ufrag(&mut self, now: Instant, key: u64) {
        let Some(connection) = self.all.get_mut(&key) else { return };
        let mut state = connection.shared.lock();
        while connection.ufrag != state.core.ice_ufrag() {
            state.core.ice_ufrag().clone_into(&mut connection.ufrag);
            if self.demux.add_ufrag(key, &connection.ufrag).is_err() {
                tracing::warn!("two connections drew the same user name fragment");
                state.core.ufrag_taken(now);
                state.dispatch();
            }
        }
    }

    /// Hands a datagram to whom it is for, if that is known. The connection gets a turn, unless this `is_all` and it has nothing
    /// to send.
    pub(super) fn deliver(&mut self, now: Instant, datagram: Datagram<'_>, is_all: bool) -> Option<u64> {
        let path = datagram.path;
        let is_stun = matches!(datagram.payload.first(), Some(0..=3));
        let known = self.last.filter(|(last, _)| !is_stun && *last == path).map(|(_, key)| key);
        let route = known.map_or_else(|| self.demux.route(&path, datagram.payload), Route::Agent);
        let (key, owner) = match route {
            Route::Agent(key) => (key, None),
            Route::Conflict { agent, owner } => (agent, Some(owner)),
            Route::Unknown => return None,
        };
        let connection = self.all.get(&key)?;
        let entered = connection.shared.span.enter();
        let mut state = connection.shared.lock();
        state.core.handle_input(now, datagram);
        let validated = is_stun && state.core.is_validated(&path);
        let alone = is_all && !is_stun && !connection.shared.queued.load(Ordering::Acquire);
        let told = if alone { state.tell(now) } else { None };
        drop(state);
        drop(entered);
        if validated {
            self.claim(now, key, path, owner);
        }
        self.last = (!is_stun).then_some((path, key));
        match told {
            Some(deadline) => self.set_alarm(key, Some(deadline)),
            None => self.mark_ready(key),
        }
        Some(key)
    }

    /// Something was found out for a connection that it acts on.
    pub(super) fn act(&mut self, key: u64, act: impl FnOnce(&mut crate::sans_io::PeerConnection)) {
        let Some(shared) = self.get(key) else { return };
        let entered = shared.span.enter();
        let mut state = shared.lock();
        act(&mut state.core);
        state.dispatch();
        drop(state);
        drop(entered);
        self.mark_ready(key);
    }

    /// Names of all connections.
    pub(super) fn keys(&self) -> Vec<u64> {
        self.all.keys().copied().collect()
    }

    /// `path` works for the connection: data that comes by it is its. One that is over gives way.
    fn claim(&mut self, now: Instant, key: u64, path: Path, owner: Option<u64>) {
        let alive = |shared: &SharedHandle| {
            let state = shared.lock().core.connection_state();
            matches!(state, ConnectionState::New | ConnectionState::Connecting | ConnectionState::Connected)
        };
        if owner.and_then(|owner| self.get(owner)).is_some_and(alive) {
            self.act(key, |core| core.forbid_path(now, path));
            return;
        }
        if owner.is_some() {
            self.demux.release(&path);
        }
        if self.demux.claim(key, path).is_err() {
            self.act(key, |core| core.forbid_path(now, path));
        }
    }

    /// Data of a connection leave by this socket: it may send by it without us.
    pub(super) fn set_outlet(&mut self, key: u64, outlet: Option<&Arc<AsyncUdpSocket>>) {
        let Some(connection) = self.all.get_mut(&key) else { return };
        if connection.outlet.as_ref().map(Arc::as_ptr) != outlet.map(Arc::as_ptr) {
            connection.outlet = outlet.map(Arc::clone);
            connection.shared.lock().outlet = outlet.map(Arc::clone);
        }
    }

    /// What a connection sends: its requests will be answered.
    pub(super) fn note_sent(&mut self, key: u64, segment_size: usize, bytes: &[u8]) {
        for datagram in bytes.chunks(segment_size.max(1)) {
            self.demux.note_sent(key, datagram);
        }
    }

    /// Sets when a connection wants to be called. Moving its alarm for every datagram would cost more than turns in vain.
    pub(super) fn set_alarm(&mut self, key: u64, deadline: Option<Instant>) {
        let (Some(connection), Some(at)) = (self.all.get(&key), deadline) else { return };
        let alarm = connection.shared.alarm();
        if alarm.is_none_or(|alarm| at < alarm || at > alarm + EARLY) {
            if let Some(alarm) = alarm {
                self.timers.remove(&(alarm, key));
            }
            self.timers.insert((at, key));
            connection.shared.set_alarm(Some(at));
        }
    }

    /// Makes connections ready whose alarm rings.
    pub(super) fn ring(&mut self, now: Instant) {
        while let Some(&(at, key)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            if let Some(shared) = self.get(key) {
                shared.set_alarm(None);
            }
            self.mark_ready(key);
        }
    }

    pub(super) fn next_alarm(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }
}

/// Nobody waits for it in vain.
fn end(shared: &SharedHandle) {
    let mut state = shared.lock();
    state.ended = true;
    state.outlet = None;
    state.wake_all();
    drop(state);
    shared.hub.inbox().connections -= 1;
}
