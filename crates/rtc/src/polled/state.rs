//! What a connection and its channels share: the engine, its sockets, and what waits to be told.

use std::collections::{HashSet, VecDeque};
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

/// Rounds of read-and-answer in one `poll`: a peer that sends without end cannot hold up the caller's frame.
const TURNS: usize = 8;

/// The shared state behind its lock, which is held for single calls and never while the application runs.
pub(super) type Shared = Arc<Mutex<State>>;

pub(super) fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    // A panic elsewhere must not spread: the state is a value and stays consistent between calls.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What waits for `next_signal`.
#[derive(Debug)]
pub(super) enum Pending {
    Description(Description),
    Candidate(IceCandidate),
    Channel(ChannelId),
    Error(Box<GatheringError>),
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) clock: Clock,
    config: Config,
    /// Made when it is first needed: `initialize` may come before, with other settings.
    core: Option<Box<sans_io::PeerConnection>>,
    /// Bound when gathering starts.
    sockets: Option<Sockets<UdpSocket>>,
    pub(super) pending: VecDeque<Pending>,
    /// Channels that somebody holds or will be told of; what comes on others is dropped.
    held: HashSet<ChannelId>,
    closed: bool,
}

impl State {
    pub(super) fn new(config: Config) -> Self {
        Self {
            clock: Clock::new(),
            config,
            core: None,
            sockets: None,
            pending: VecDeque::new(),
            held: HashSet::new(),
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
            Box::new(sans_io::PeerConnection::new(now, self.config.clone(), Rng::from_seed(seed))?)
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
        let mut config = self.config.clone();
        // A machine without a network still plays with itself.
        config.loopback |= weft_net::host_addresses(false).is_ok_and(|addresses| addresses.is_empty());
        let mut sockets = Sockets::bind(&config).map_err(crate::Error::Io)?;
        let (now, core) = self.begin()?;
        sockets.announce(now, core);
        self.sockets = Some(sockets);
        Ok(())
    }

    /// Moves what can be moved without waiting.
    pub(super) fn turn(&mut self) {
        let (Some(core), Some(sockets)) = (&mut self.core, &mut self.sockets) else {
            self.collect();
            return;
        };
        for _ in 0..TURNS {
            let now = self.clock.now();
            let mut more = false;
            for index in 0..sockets.sockets().len() {
                match sockets.receive(now, index, core) {
                    Ok(progress) => more |= progress == Progress::More,
                    Err(error) => tracing::debug!(%error, "receiving failed"),
                }
            }
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
        let Some(core) = &mut self.core else { return };
        while let Some(event) = core.poll_event() {
            match event {
                Event::IceCandidate(candidate) if !candidate.candidate.is_empty() => {
                    self.pending.push_back(Pending::Candidate(*candidate));
                }
                Event::IceCandidateError(error) => self.pending.push_back(Pending::Error(error)),
                Event::DataChannel(id) => {
                    self.held.insert(id);
                    self.pending.push_back(Pending::Channel(id));
                }
                // Nobody holds the channel any more: its messages may not keep the window shut.
                Event::Readable(id) if !self.held.contains(&id) => core.discard(id),
                _ => {}
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
