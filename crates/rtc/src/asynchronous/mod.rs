//! Async handles on tokio.
//!
//! One task for each [`Endpoint`] moves datagrams for all its connections. The state of a connection is behind a lock of
//! its own, which no await point ever holds, and no system call but two: [`Config::capture`](crate::Config::capture) writes
//! each packet under it, and to wake a task may write to tokio's event descriptor. Handles lock it, act, and put the
//! connection on the task's ready list when there is something to send. A message that waits for no other they send
//! themselves.

mod backlog;
mod bell;
mod busy_poll;
mod bytes;
mod channel;
mod connections;
mod direct;
mod driver;
mod endpoint;
mod follow;
mod guard;
mod keys;
mod linger;
mod listen;
mod outlet;
mod peer;
mod pieces;
mod stream;
mod wakers;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use weft_core::Instant;
use weft_net::AsyncUdpSocket;
use weft_sctp::{ChannelId, CloseReason};

use crate::event::{Event, SctpState};
use crate::sans_io;
use backlog::Backlog;
pub use bytes::ByteStream;
pub use channel::DataChannel;
pub use endpoint::Endpoint;
use endpoint::Hub;
use guard::Guard;
use keys::Table;
pub use peer::{PeerConnection, PeerEvent};
use wakers::{Wakers, What};

/// What the handles of one connection and the endpoint's task share.
#[derive(Debug)]
struct Shared {
    /// Names the connection on its endpoint.
    key: u64,
    hub: Arc<Hub>,
    /// It is on the ready list.
    queued: AtomicBool,
    /// When the task calls it, as [`Instant::as_nanos`]; `u64::MAX` for never.
    alarm: AtomicU64,
    /// What the layers log about this connection is within it.
    span: tracing::Span,
    state: Mutex<State>,
}

type SharedHandle = Arc<Shared>;

/// The threshold of a channel while nobody waits for its buffered amount to fall: it is never above that.
const NOBODY_WAITS: usize = usize::MAX;

#[derive(Debug)]
struct State {
    core: sans_io::PeerConnection,
    /// For [`PeerConnection::next_event`].
    events: Backlog,
    /// For [`PeerConnection::accept`]. As many at most as SCTP keeps channels.
    incoming: VecDeque<ChannelId>,
    channels: Table<ChannelId, Box<Channel>>,
    /// The socket that data leave by.
    outlet: Option<Arc<AsyncUdpSocket>>,
    event: Wakers,
    accept: Wakers,
    changed: Wakers,
    /// Handles of either kind; the connection closes with the last.
    handles: usize,
    /// The task has let go of it: nothing is sent or received any more.
    ended: bool,
}

/// Who holds a channel, and who waits for it.
#[derive(Debug, Default)]
struct Channel {
    readable: Wakers,
    writable: Wakers,
    state: Wakers,
    low: Wakers,
    /// What became of messages that somebody waits for.
    outcomes: Table<u64, Option<bool>>,
    next_notice: u64,
    /// Handles of this channel; it closes with the last.
    handles: usize,
    /// Why it closed.
    closed: Option<CloseReason>,
}

impl Shared {
    fn new(key: u64, hub: Arc<Hub>, core: sans_io::PeerConnection) -> Self {
        let span = tracing::info_span!("peer_connection", id = key, ufrag = core.ice_ufrag());
        Self {
            key,
            hub,
            queued: AtomicBool::new(false),
            alarm: AtomicU64::new(u64::MAX),
            span,
            state: Mutex::new(State::new(core)),
        }
    }

    fn lock(&self) -> Guard<'_> {
        // A panic elsewhere must not spread: the state is a value and stays consistent between calls.
        Guard::new(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self) -> Instant {
        self.hub.clock.now()
    }

    /// When the task calls this connection.
    fn alarm(&self) -> Option<Instant> {
        Some(self.alarm.load(Ordering::Acquire)).filter(|at| *at != u64::MAX).map(Instant::from_nanos)
    }

    fn set_alarm(&self, at: Option<Instant>) {
        self.alarm.store(at.map_or(u64::MAX, Instant::as_nanos), Ordering::Release);
    }

    /// There may be something to send: the task looks at this connection soon.
    fn notify(&self) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.hub.push_ready(self.key);
        }
    }
}

impl State {
    fn new(core: sans_io::PeerConnection) -> Self {
        Self {
            core,
            events: Backlog::default(),
            incoming: VecDeque::new(),
            channels: Table::default(),
            outlet: None,
            event: Wakers::default(),
            accept: Wakers::default(),
            changed: Wakers::default(),
            handles: 1,
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

    fn wakers(&mut self, what: What) -> Option<&mut Wakers> {
        Some(match what {
            What::Event => &mut self.event,
            What::Incoming => &mut self.accept,
            What::State => &mut self.changed,
            What::Readable(id) => &mut self.channels.get_mut(&id)?.readable,
            What::Writable(id) => &mut self.channels.get_mut(&id)?.writable,
            What::ChannelState(id) => &mut self.channels.get_mut(&id)?.state,
            What::Low(id) => &mut self.channels.get_mut(&id)?.low,
        })
    }

    /// Hands the events of the connection to those who wait for them.
    ///
    /// Whether the peer is to hear of room that this has made.
    fn dispatch(&mut self) -> bool {
        let mut discarded = false;
        while let Some(event) = self.core.poll_event() {
            if matches!(event, Event::SctpState(SctpState::Connecting)) {
                // Channels have their streams: messages can be queued.
                self.channels.values_mut().for_each(|channel| channel.state.wake());
            }
            match event {
                Event::DataChannel(id) => {
                    self.channel(id);
                    self.incoming.push_back(id);
                    self.accept.wake();
                    self.events.shrink_to_fit();
                }
                // Nobody holds the channel any more: its messages may not keep the window shut.
                Event::Readable(id) if !self.channels.contains_key(&id) => {
                    self.core.discard(id);
                    discarded = true;
                }
                Event::Readable(id) => self.with_channel(id, |channel| channel.readable.wake()),
                Event::Writable(id) => self.with_channel(id, |channel| channel.writable.wake()),
                Event::BufferedAmountLow(id) => {
                    self.with_channel(id, |channel| channel.low.wake());
                    self.core.set_buffered_amount_low_threshold(id, NOBODY_WAITS);
                }
                Event::Open(id) => {
                    self.with_channel(id, Channel::wake_all);
                    self.events.shrink_to_fit();
                }
                Event::Closing(id) => self.with_channel(id, Channel::wake_all),
                Event::Finished(id) => self.with_channel(id, |channel| channel.state.wake()),
                Event::Delivered(id, notice) => self.with_channel(id, |channel| channel.settle(notice, true)),
                Event::Abandoned(id, notice) => self.with_channel(id, |channel| channel.settle(notice, false)),
                Event::Closed(id, reason) => self.on_channel_closed(id, reason),
                event => {
                    self.events.push(event);
                    self.event.wake();
                    self.changed.wake();
                    self.accept.wake();
                }
            }
        }
        discarded && self.core.data_channels().association().owes_sack()
    }

    /// Where there is nothing to do but to hand on events, does that, and gives when the connection wants to be called. `None`:
    /// it takes a turn of the task; so does one without a timer.
    fn tell(&mut self, now: Instant) -> Option<Instant> {
        let deadline = self.core.poll_timeout().filter(|at| *at > now)?;
        let core = &mut self.core;
        if core.is_closed() || core.has_requests() || core.wants_transmit(now) {
            return None;
        }
        (!self.dispatch()).then_some(deadline)
    }

    /// A channel that was never accepted and has nothing to read leaves no trace: a peer can open and close without end.
    fn on_channel_closed(&mut self, id: ChannelId, reason: CloseReason) {
        self.with_channel(id, |channel| {
            channel.closed = Some(reason);
            channel.wake_all();
        });
        self.changed.wake();
        let held = self.channels.get(&id).is_some_and(|channel| channel.handles > 0);
        if !self.channels.contains_key(&id) {
            self.core.discard(id);
        } else if !held && self.core.data_channel(id).is_none() {
            self.channels.remove(&id);
            self.incoming.retain(|waiting| *waiting != id);
        }
    }

    /// The channel, known from now on.
    fn channel(&mut self, id: ChannelId) -> &mut Channel {
        let core = &mut self.core;
        self.channels.entry(id).or_insert_with(|| {
            core.set_buffered_amount_low_threshold(id, NOBODY_WAITS);
            Box::default()
        })
    }

    fn with_channel(&mut self, id: ChannelId, f: impl FnOnce(&mut Channel)) {
        if let Some(channel) = self.channels.get_mut(&id) {
            f(channel);
        }
    }

    /// Wakes everybody: the connection is over.
    fn wake_all(&mut self) {
        self.event.wake();
        self.accept.wake();
        self.changed.wake();
        self.channels.values_mut().for_each(|channel| channel.wake_all());
    }

    /// Tasks that wait for anything of this connection.
    fn waiting(&self) -> usize {
        let of_channels = self.channels.values().flat_map(|c| [&c.readable, &c.writable, &c.state, &c.low]);
        [&self.event, &self.accept, &self.changed].into_iter().chain(of_channels).map(Wakers::len).sum()
    }
}

impl Channel {
    /// A message was delivered, or given up.
    fn settle(&mut self, notice: u64, delivered: bool) {
        if let Some(outcome) = self.outcomes.get_mut(&notice) {
            *outcome = Some(delivered);
            self.state.wake();
        }
    }

    fn wake_all(&mut self) {
        self.readable.wake();
        self.writable.wake();
        self.state.wake();
        self.low.wake();
    }
}
