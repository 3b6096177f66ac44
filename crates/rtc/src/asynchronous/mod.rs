//! Async handles on tokio.
//!
//! One task for each connection moves datagrams; all state is behind one lock that no await point ever holds. Handles
//! lock it, act, and wake the task when there is something to send.

mod channel;
mod driver;
mod peer;
mod wakers;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weft_net::Clock;
use weft_sctp::ChannelId;

use crate::event::{Event, SctpState};
use crate::sans_io;
pub use channel::DataChannel;
pub use peer::{PeerConnection, PeerEvent};
use wakers::Wakers;

/// Events that wait for a reader at most; older state changes are dropped first.
const MAX_EVENTS: usize = 1024;

/// What the handles and the task of one connection share.
#[derive(Debug)]
struct Shared {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    core: sans_io::PeerConnection,
    /// For [`PeerConnection::next_event`].
    events: VecDeque<Event>,
    /// For [`PeerConnection::accept`]. As many at most as SCTP keeps channels.
    incoming: VecDeque<ChannelId>,
    channels: HashMap<ChannelId, ChannelWaiters>,
    waiters: Waiters,
    /// Handles of either kind; the connection closes with the last.
    handles: usize,
    /// The task has ended: nothing is sent or received any more.
    ended: bool,
}

/// Who waits for the connection.
#[derive(Debug, Default)]
struct Waiters {
    driver: Wakers,
    event: Wakers,
    incoming: Wakers,
    state: Wakers,
}

/// Who waits for a channel.
#[derive(Debug, Default)]
struct ChannelWaiters {
    readable: Wakers,
    writable: Wakers,
    state: Wakers,
    low: Wakers,
    /// Handles of this channel; it closes with the last.
    handles: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not spread: the state is a value and stays consistent between calls.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(core: sans_io::PeerConnection) -> Self {
        Self {
            core,
            events: VecDeque::new(),
            incoming: VecDeque::new(),
            channels: HashMap::new(),
            waiters: Waiters::default(),
            handles: 0,
            ended: false,
        }
    }

    /// Whether nothing more can happen.
    fn is_over(&self) -> bool {
        self.ended || self.core.is_closed()
    }

    /// Whether no channel can come any more.
    fn is_deserted(&self) -> bool {
        self.is_over() || self.core.sctp_state() == Some(SctpState::Closed)
    }

    /// Hands the events of the connection to those who wait for them.
    fn dispatch(&mut self) {
        while let Some(event) = self.core.poll_event() {
            match event {
                Event::DataChannel(id) => {
                    self.channels.entry(id).or_default();
                    self.incoming.push_back(id);
                    self.waiters.incoming.wake();
                }
                // Nobody holds the channel any more: its messages may not keep the window shut.
                Event::Readable(id) if !self.channels.contains_key(&id) => self.core.discard(id),
                Event::Readable(id) => self.with_channel(id, |waiters| waiters.readable.wake()),
                Event::Writable(id) => self.with_channel(id, |waiters| waiters.writable.wake()),
                Event::BufferedAmountLow(id) => self.with_channel(id, |waiters| waiters.low.wake()),
                Event::Open(id) | Event::Closing(id) => self.with_channel(id, ChannelWaiters::wake_all),
                Event::Closed(id, _) => self.on_channel_closed(id),
                event => {
                    if self.events.len() >= MAX_EVENTS {
                        self.events.pop_front();
                    }
                    self.events.push_back(event);
                    self.waiters.event.wake();
                    self.waiters.state.wake();
                    self.waiters.incoming.wake();
                }
            }
        }
    }

    /// A channel that was never accepted and has nothing to read leaves no trace: a peer can open and close without end.
    fn on_channel_closed(&mut self, id: ChannelId) {
        self.with_channel(id, ChannelWaiters::wake_all);
        let held = self.channels.get(&id).is_some_and(|waiters| waiters.handles > 0);
        if !self.channels.contains_key(&id) {
            self.core.discard(id);
        } else if !held && self.core.data_channel(id).is_none() {
            self.channels.remove(&id);
            self.incoming.retain(|waiting| *waiting != id);
        }
    }

    fn with_channel(&mut self, id: ChannelId, f: impl FnOnce(&mut ChannelWaiters)) {
        if let Some(waiters) = self.channels.get_mut(&id) {
            f(waiters);
        }
    }

    /// Wakes everybody: the connection is over.
    fn wake_all(&mut self) {
        self.waiters.driver.wake();
        self.waiters.event.wake();
        self.waiters.incoming.wake();
        self.waiters.state.wake();
        self.channels.values_mut().for_each(ChannelWaiters::wake_all);
    }
}

impl ChannelWaiters {
    fn wake_all(&mut self) {
        self.readable.wake();
        self.writable.wake();
        self.state.wake();
        self.low.wake();
    }
}

type SharedHandle = Arc<Shared>;
