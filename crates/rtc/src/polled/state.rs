//! What a connection and its channels share: the engine, its sockets, and what waits to be told.

use std::collections::{BTreeSet, VecDeque};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weft_core::{Instant, Rng};
use weft_ice::GatheringError;
use weft_net::{Clock, UdpSocket};
use weft_sctp::{ChannelId, ChannelState};
use weft_sdp::jsep::{Description, IceCandidate};

use super::Error;
use crate::config::Config;
use crate::event::Event;
use crate::io::{Progress, Sockets, prepare};
use crate::sans_io;

/// Candidates, and channels, that wait to be told at most.
const MAX_WAITING: usize = 1_000;

/// What servers answered instead of candidates, at most.
const MAX_ERRORS: usize = 100;

/// Rounds of read-and-answer in one `poll`: a peer that sends without end cannot hold up the caller's frame.
const TURNS: usize = 8;

/// The shared state.
pub(super) type Shared = Arc<Spanned>;

/// The state behind its lock, which is held for single calls and never while the application runs, and the span of what is
/// logged within them.
#[derive(Debug)]
pub(super) struct Spanned {
    span: tracing::Span,
    state: Mutex<State>,
}

/// The state, locked, within its span.
pub(super) struct Locked<'a> {
    state: MutexGuard<'a, State>,
    /// After the lock: nothing of the application's is called while it is held.
    _entered: tracing::span::Entered<'a>,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

pub(super) fn share(config: Config) -> Shared {
    let span = tracing::info_span!("peer_connection", ufrag = tracing::field::Empty);
    Arc::new(Spanned { span, state: Mutex::new(State::new(config)) })
}

pub(super) fn lock(shared: &Spanned) -> Locked<'_> {
    let entered = shared.span.enter();
    // A panic elsewhere must not spread: the state is a value and stays consistent between calls.
    let state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    Locked { state, _entered: entered }
}

/// What waits for `next_signal`.
#[derive(Debug)]
pub(super) enum Pending {
    Description(Description),
    Candidate(IceCandidate),
    Channel(ChannelId),
    Error(Box<GatheringError>),
}

/// What waits to be told, in order: by `poll` it is ready, by `next_signal` it is taken. Only so much is kept of what nobody
/// takes.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    queue: VecDeque<Pending>,
    /// How many of them `poll` has brought.
    ready: usize,
    candidates: usize,
    channels: usize,
    errors: usize,
}

impl Waiting {
    /// Queues it, or gives it back where too many of its kind wait. A description takes the place of one that waits: that
    /// one cannot be applied any more.
    fn push(&mut self, pending: Pending) -> Result<(), Pending> {
        match pending {
            Pending::Description(_) => {
                let old = self.queue.iter().position(|other| matches!(other, Pending::Description(_)));
                if let Some(at) = old {
                    self.queue.remove(at);
                    self.ready -= usize::from(at < self.ready);
                }
            }
            Pending::Candidate(_) if self.candidates < MAX_WAITING => self.candidates += 1,
            Pending::Channel(_) if self.channels < MAX_WAITING => self.channels += 1,
            Pending::Error(_) if self.errors < MAX_ERRORS => self.errors += 1,
            refused => return Err(refused),
        }
        self.queue.push_back(pending);
        Ok(())
    }

    fn make_ready(&mut self) {
        self.ready = self.queue.len();
    }

    fn pop(&mut self) -> Option<Pending> {
        self.ready = self.ready.checked_sub(1)?;
        let pending = self.queue.pop_front()?;
        match pending {
            Pending::Description(_) => {}
            Pending::Candidate(_) => self.candidates -= 1,
            Pending::Channel(_) => self.channels -= 1,
            Pending::Error(_) => self.errors -= 1,
        }
        Some(pending)
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) clock: Clock,
    config: Config,
    /// Made when it is first needed: `initialize` may come before, with other settings.
    core: Option<Box<sans_io::PeerConnection>>,
    /// Bound when gathering starts.
    sockets: Option<Sockets<UdpSocket>>,
    waiting: Waiting,
    /// Channels that somebody holds or will be told of; what comes on others is dropped.
    held: BTreeSet<ChannelId>,
    closed: bool,
}

impl State {
    fn new(config: Config) -> Self {
        Self {
            clock: Clock::new(),
            config,
            core: None,
            sockets: None,
            waiting: Waiting::default(),
            held: BTreeSet::new(),
            closed: false,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The engine, if there is one yet.
    pub(super) fn core(&self) -> Option<&sans_io::PeerConnection> {
        self.core.as_deref()
    }

    pub(super) fn core_mut(&mut self) -> Option<&mut sans_io::PeerConnection> {
        self.core.as_deref_mut()
    }

    /// The engine, made now if need be, and the time.
    pub(super) fn begin(&mut self) -> Result<(Instant, &mut sans_io::PeerConnection), Error> {
        if self.closed {
            return Err(crate::Error::Closed.into());
        }
        let now = self.clock.now();
        let core = if let Some(core) = self.core.take() {
            core
        } else {
            let seed = weft_net::entropy_seed().map_err(crate::Error::Io)?;
            let core = sans_io::PeerConnection::new(now, self.config.clone(), Rng::from_seed(seed))?;
            tracing::Span::current().record("ufrag", core.ice_ufrag());
            Box::new(core)
        };
        Ok((now, self.core.insert(core)))
    }

    /// Takes other servers and another policy.
    pub(super) fn configure(&mut self, config: Config) -> Result<(), Error> {
        if self.closed {
            return Err(crate::Error::Closed.into());
        }
        if let Some(core) = &mut self.core {
            core.set_configuration(self.clock.now(), config.clone())?;
        }
        if self.sockets.is_some() {
            prepare::<UdpSocket>(&config);
        }
        self.config = config;
        Ok(())
    }

    /// Opens the sockets; they are announced to the engine as host addresses.
    pub(super) fn bind(&mut self) -> Result<(), Error> {
        if self.sockets.is_some() {
            return Ok(());
        }
        let mut sockets = Sockets::bind_somewhere(&self.config).map_err(crate::Error::Io)?;
        let (now, core) = self.begin()?;
        sockets.announce(now, core);
        self.sockets = Some(sockets);
        Ok(())
    }

    /// Once a frame: moves what can be moved, and makes ready what is to be told.
    pub(super) fn poll(&mut self) {
        if self.closed {
            self.linger();
        } else {
            self.turn();
        }
        self.waiting.make_ready();
    }

    /// A description was made, which the next poll tells.
    pub(super) fn announce(&mut self, description: Description) {
        // It takes the place of another.
        let _ = self.waiting.push(Pending::Description(description));
    }

    /// What the last poll has brought.
    pub(super) fn next_signal(&mut self) -> Option<Pending> {
        self.waiting.pop()
    }

    /// Moves what can be moved without waiting.
    pub(super) fn turn(&mut self) {
        let (Some(core), Some(sockets)) = (&mut self.core, &mut self.sockets) else {
            self.collect();
            return;
        };
        for _ in 0..TURNS {
            let now = self.clock.now();
            let mut more = sockets.receive_all(now, core) == Progress::More;
            if core.poll_timeout().is_some_and(|at| at <= now) {
                core.handle_timeout(now);
            }
            more |= send(sockets, now, core);
            if !more {
                break;
            }
        }
        self.collect();
    }

    /// Closes a channel. The other side is told now: nobody may poll any more.
    pub(super) fn close_channel(&mut self, id: ChannelId) {
        let now = self.clock.now();
        let Some(core) = &mut self.core else { return };
        core.close_data_channel(now, id);
        if let Some(sockets) = &mut self.sockets {
            send(sockets, now, core);
        }
    }

    /// Takes over what the engine reports.
    fn collect(&mut self) {
        while let Some((core, event)) = self.core.as_mut().and_then(|core| core.poll_event().map(|event| (core, event)))
        {
            let pending = match event {
                Event::IceCandidate(candidate) if !candidate.candidate.is_empty() => Pending::Candidate(*candidate),
                Event::IceCandidateError(error) => Pending::Error(error),
                Event::DataChannel(id) => {
                    self.held.insert(id);
                    Pending::Channel(id)
                }
                // Nobody holds the channel any more: its messages may not keep the window shut.
                Event::Readable(id) if !self.held.contains(&id) => {
                    core.discard(id);
                    continue;
                }
                _ => continue,
            };
            if let Err(refused) = self.waiting.push(pending) {
                tracing::warn!(?refused, "too much waits to be told: next_signal is not called");
                if let Pending::Channel(id) = refused {
                    self.release(id);
                }
            }
        }
    }

    /// Somebody holds this channel.
    pub(super) fn hold(&mut self, id: ChannelId) {
        self.held.insert(id);
    }

    /// Nobody holds this channel any more: it closes, and what waits on it is dropped.
    pub(super) fn release(&mut self, id: ChannelId) {
        self.held.remove(&id);
        self.close_channel(id);
        if let Some(core) = &mut self.core {
            core.discard(id);
        }
    }

    pub(super) fn channel_state(&self, id: ChannelId) -> ChannelState {
        let state = self.core().and_then(|core| core.data_channel(id)).map(|info| info.state);
        if self.closed { ChannelState::Closed } else { state.unwrap_or(ChannelState::Closed) }
    }

    /// Closes the connection and says farewell; what was received can still be read.
    pub(super) fn close(&mut self) {
        if self.closed {
            return;
        }
        self.collect();
        self.closed = true;
        let now = self.clock.now();
        if let Some(core) = &mut self.core {
            core.close(now);
            if let Some(sockets) = &mut self.sockets {
                sockets.discard();
                if let Err(error) = sockets.transmit(now, core) {
                    tracing::debug!(%error, "the farewell was not sent");
                }
                sockets.close(now);
            }
        }
        self.linger();
    }

    /// Once closed: TCP connections write what they owe, for a while, and end.
    pub(super) fn linger(&mut self) {
        let now = self.clock.now();
        self.sockets.take_if(|sockets| !sockets.linger(now));
    }
}

/// Sends what there is; what a busy socket does not take is kept for the next poll. Whether there may be more to read.
fn send(sockets: &mut Sockets<UdpSocket>, now: Instant, core: &mut sans_io::PeerConnection) -> bool {
    match sockets.transmit(now, core) {
        Ok(progress) => progress == Progress::More,
        Err(error) => {
            tracing::debug!(%error, "sending failed");
            false
        }
    }
}
