//! The connection.

use std::sync::Arc;

use weft_ice::{GatheringError, PairInfo};
use weft_sdp::jsep::{Description, IceCandidate, SdpType, SignalingState};

use super::channel::DataChannel;
use super::config::{ChannelOptions, Configuration};
use super::error::Error;
use super::state::{Pending, Shared, lock, share};
use crate::config::Config;
use crate::event::{self, GatheringState};
use crate::sans_io::{OfferOptions, Stats, StatsReport};

/// `ConnectionState`, with Godot's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i32)]
pub enum ConnectionState {
    /// Channels can be created, and an offer.
    New = 0,
    /// An offer or an answer was made; nothing has failed.
    Connecting = 1,
    /// ICE and DTLS are up.
    Connected = 2,
    /// The path is lost for now.
    Disconnected = 3,
    /// Something failed for good.
    Failed = 4,
    /// [`close`](PeerConnection::close) was called.
    Closed = 5,
}

/// What [`PeerConnection::next_signal`] tells, in the order in which it happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Signal {
    /// An offer or an answer was made: apply it with
    /// [`set_local_description`](PeerConnection::set_local_description) and send it to the other side.
    SessionDescriptionCreated {
        /// `offer` or `answer`.
        kind: String,
        /// The text.
        sdp: String,
    },
    /// A candidate was found: send it to the other side.
    IceCandidateCreated {
        /// The section's name (mid).
        media: String,
        /// The section's number.
        index: i32,
        /// `candidate:…`
        name: String,
    },
    /// The other side opened a channel. Dropping it closes it.
    DataChannelReceived(DataChannel),
    /// A server gave no candidate (W3C `icecandidateerror`). Other ways go on.
    IceCandidateError(Box<GatheringError>),
}

/// A peer connection that lives in its owner's loop.
///
/// Usable as it is made; [`initialize`](Self::initialize) only brings servers. Dropping it closes it: the other side is
/// told at once, and its channels are closed.
#[derive(Debug)]
pub struct PeerConnection {
    shared: Shared,
    /// What [`initialize`](Self::initialize) starts from.
    base: Config,
    created: Option<Created>,
}

/// The offer or answer that was made last.
#[derive(Debug)]
struct Created {
    description: Description,
    /// Whether it was set as local description.
    applied: bool,
}

impl Default for PeerConnection {
    fn default() -> Self {
        Self::new()
    }
}

impl PeerConnection {
    /// A new connection with default settings and no servers. Opens nothing yet.
    pub fn new() -> Self {
        Self::with_config(Config::default())
    }

    /// As [`new`](Self::new), with settings of your own.
    pub fn with_config(base: Config) -> Self {
        Self { shared: share(base.clone()), base, created: None }
    }

    /// Starts afresh with these servers: an active connection is closed, its channels with it, and the state is
    /// [`New`](ConnectionState::New).
    ///
    /// # Errors
    /// [`Error::Parameter`] for a server without URLs or with a malformed one; the connection is then as it was.
    pub fn initialize(&mut self, configuration: &Configuration) -> Result<(), Error> {
        let config = configuration.apply(&self.base)?;
        self.close();
        self.shared = share(config);
        self.created = None;
        Ok(())
    }

    /// Other servers, and whether relays alone are used (W3C `setConfiguration`), for a connection that goes on: from the first
    /// description on, or once there is one from the next [`restart_ice`](Self::restart_ice) on.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a server without URLs or with a malformed one, [`Error::Connection`] when it is closed; the
    /// connection is then as it was.
    pub fn set_configuration(&mut self, configuration: &Configuration) -> Result<(), Error> {
        lock(&self.shared).configure(configuration.apply(&self.base)?)
    }

    /// Creates a channel. Only in state [`New`](ConnectionState::New). Dropping it closes it.
    ///
    /// # Errors
    /// [`Error::State`] in any other state; [`Error::Parameter`] for options that contradict each other;
    /// [`Error::Connection`] when the id is taken.
    pub fn create_data_channel(&mut self, label: &str, options: &ChannelOptions) -> Result<DataChannel, Error> {
        if self.connection_state() != ConnectionState::New {
            return Err(Error::State("channels are created before the offer or answer is made"));
        }
        let init = options.to_init(label)?;
        let mut state = lock(&self.shared);
        let (now, core) = state.begin()?;
        let id = core.create_data_channel(now, init)?;
        state.hold(id);
        Ok(DataChannel::new(Arc::clone(&self.shared), &state, id))
    }

    /// Makes an offer: [`Signal::SessionDescriptionCreated`] follows. There must be a channel.
    ///
    /// # Errors
    /// [`Error::State`] when the state is not [`New`](ConnectionState::New) or there is no channel.
    pub fn create_offer(&mut self) -> Result<(), Error> {
        if self.connection_state() != ConnectionState::New {
            return Err(Error::State("an offer was made already, or the connection is not new"));
        }
        let offer = {
            let mut state = lock(&self.shared);
            let (_, core) = state.begin()?;
            if !core.negotiation_needed() {
                return Err(Error::State("an offer needs a data channel: create one first"));
            }
            core.create_offer()?
        };
        self.announce(offer);
        Ok(())
    }

    /// Applies the description that [`Signal::SessionDescriptionCreated`] brought. Gathering starts:
    /// [`Signal::IceCandidateCreated`] follows.
    ///
    /// # Errors
    /// [`Error::Parameter`] for another `kind` than `offer` and `answer`; [`Error::State`] when nothing was created;
    /// [`Error::Connection`] when the text was changed or no socket can be opened.
    pub fn set_local_description(&mut self, kind: &str, sdp: &str) -> Result<(), Error> {
        let description = described(kind, sdp)?;
        let Some(created) = &mut self.created else {
            return Err(Error::State("no description was created yet"));
        };
        if created.applied && created.description == description {
            return Ok(());
        }
        let mut state = lock(&self.shared);
        state.bind()?;
        let (now, core) = state.begin()?;
        core.set_local_description(now, Some(description))?;
        created.applied = true;
        state.turn();
        Ok(())
    }

    /// Applies a description of the other side's. An offer makes the answer by itself:
    /// [`Signal::SessionDescriptionCreated`] follows. A connection that has answered or was answered takes a later offer, too,
    /// when no other is under way: ICE restarts so ([`restart_ice`](Self::restart_ice) of the other side).
    ///
    /// # Errors
    /// [`Error::State`] for an offer before another is answered or after [`close`](Self::close), or an answer without an offer;
    /// [`Error::Parameter`] for another `kind`; [`Error::Connection`] for a description that cannot be used. The
    /// connection is then as it was.
    pub fn set_remote_description(&mut self, kind: &str, sdp: &str) -> Result<(), Error> {
        let description = described(kind, sdp)?;
        let answer = {
            let fresh = self.connection_state() == ConnectionState::New;
            let mut state = lock(&self.shared);
            let (now, core) = state.begin()?;
            if description.kind == SdpType::Offer {
                let renegotiates = core.signaling_state() == SignalingState::Stable && core.dtls_role().is_some();
                if !fresh && !renegotiates {
                    return Err(Error::State("an offer is under way: it is answered before another is taken"));
                }
                core.set_remote_description(now, &description)?;
                Some(core.create_answer()?)
            } else {
                if core.signaling_state() != SignalingState::HaveLocalOffer {
                    return Err(Error::State("there is no offer to answer: create one and set it first"));
                }
                core.set_remote_description(now, &description)?;
                None
            }
        };
        if let Some(answer) = answer {
            self.announce(answer);
        }
        lock(&self.shared).turn();
        Ok(())
    }

    /// Adds a candidate of the other side's: what its [`Signal::IceCandidateCreated`] told. One that comes before the
    /// remote description is kept; a known one changes nothing.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a negative index; [`Error::Connection`] for a malformed candidate or a section that does
    /// not exist.
    pub fn add_ice_candidate(&mut self, media: &str, index: i32, name: &str) -> Result<(), Error> {
        let Ok(index) = u16::try_from(index) else {
            return Err(Error::Parameter("the index of a section is 0 to 65535".to_owned()));
        };
        let text = name.trim();
        let text = text.strip_prefix("a=").unwrap_or(text);
        let candidate = IceCandidate {
            candidate: text.to_owned(),
            sdp_mid: (!media.is_empty()).then(|| media.to_owned()),
            sdp_mline_index: Some(index),
            username_fragment: None,
        };
        let mut state = lock(&self.shared);
        let (now, core) = state.begin()?;
        core.add_ice_candidate(now, &candidate)?;
        state.turn();
        Ok(())
    }

    /// Moves datagrams, fires timers, collects signals for [`next_signal`](Self::next_signal). Call it often: once a frame. It
    /// never waits.
    ///
    /// # Errors
    /// None today; the result is Godot's.
    pub fn poll(&mut self) -> Result<(), Error> {
        lock(&self.shared).poll();
        Ok(())
    }

    /// The next of the things that [`poll`](Self::poll) brought, in the order in which they happened; what happens meanwhile,
    /// within a handler for one, comes with the next `poll`. Nothing of the connection is locked or borrowed between calls,
    /// so that a handler may do anything with it.
    ///
    /// Of what is not taken, 1,000 candidates, 1,000 channels, 100 errors of servers and the latest description are kept. A
    /// channel beyond is closed, any other signal beyond is lost.
    pub fn next_signal(&mut self) -> Option<Signal> {
        let mut state = lock(&self.shared);
        Some(match state.next_signal()? {
            Pending::Description(Description { kind, sdp }) => {
                Signal::SessionDescriptionCreated { kind: kind.to_string(), sdp }
            }
            Pending::Candidate(candidate) => Signal::IceCandidateCreated {
                media: candidate.sdp_mid.unwrap_or_default(),
                index: candidate.sdp_mline_index.map_or(0, i32::from),
                name: candidate.candidate,
            },
            Pending::Error(error) => Signal::IceCandidateError(error),
            Pending::Channel(id) => Signal::DataChannelReceived(DataChannel::new(Arc::clone(&self.shared), &state, id)),
        })
    }

    /// Where the connection is.
    pub fn connection_state(&self) -> ConnectionState {
        let state = lock(&self.shared);
        if state.is_closed() {
            return ConnectionState::Closed;
        }
        let reported =
            state.core().map_or(event::ConnectionState::New, crate::sans_io::PeerConnection::connection_state);
        match reported {
            event::ConnectionState::New if self.created.is_none() => ConnectionState::New,
            event::ConnectionState::New | event::ConnectionState::Connecting => ConnectionState::Connecting,
            event::ConnectionState::Connected => ConnectionState::Connected,
            event::ConnectionState::Disconnected => ConnectionState::Disconnected,
            event::ConnectionState::Failed => ConnectionState::Failed,
            event::ConnectionState::Closed => ConnectionState::Closed,
        }
    }

    /// Where gathering is (Godot 4).
    pub fn gathering_state(&self) -> GatheringState {
        lock(&self.shared).core().map_or(GatheringState::New, crate::sans_io::PeerConnection::gathering_state)
    }

    /// Where offer and answer are (Godot 4).
    pub fn signaling_state(&self) -> SignalingState {
        let state = lock(&self.shared);
        if state.is_closed() {
            return SignalingState::Closed;
        }
        state.core().map_or(SignalingState::Stable, crate::sans_io::PeerConnection::signaling_state)
    }

    /// Asks for new candidates and a new path, when networks have changed: an offer is made, and
    /// [`Signal::SessionDescriptionCreated`] follows. Data goes on by the old path meanwhile, if it still works.
    ///
    /// # Errors
    /// [`Error::State`] before the first offer was answered, or while another is under way.
    pub fn restart_ice(&mut self) -> Result<(), Error> {
        let offer = {
            let mut state = lock(&self.shared);
            let (_, core) = state.begin()?;
            if core.signaling_state() != SignalingState::Stable || core.dtls_role().is_none() {
                return Err(Error::State("ICE restarts once the first offer was answered"));
            }
            core.create_offer_with(OfferOptions::ICE_RESTART)?
        };
        self.announce(offer);
        Ok(())
    }

    /// The pair of candidates that data travels over, once there is one.
    pub fn selected_pair(&self) -> Option<PairInfo> {
        lock(&self.shared).core().and_then(|core| core.stats().selected_pair)
    }

    /// Figures of the connection; `None` before anything began.
    pub fn stats(&self) -> Option<Stats> {
        lock(&self.shared).core().map(crate::sans_io::PeerConnection::stats)
    }

    /// Figures as W3C's `getStats()` has them; `None` before anything began.
    pub fn stats_report(&self) -> Option<StatsReport> {
        let state = lock(&self.shared);
        state.core().map(|core| core.stats_report(state.clock.now()))
    }

    /// Closes the connection and all its channels; the other side is told at once, and what is queued is dropped. To use
    /// the object again, [`initialize`](Self::initialize) it.
    ///
    /// A connection over TCP or TLS may take a moment to tell: go on calling [`poll`](Self::poll) for up to two seconds to
    /// be sure that it does.
    pub fn close(&mut self) {
        lock(&self.shared).close();
    }

    fn announce(&mut self, description: Description) {
        self.created = Some(Created { description: description.clone(), applied: false });
        lock(&self.shared).announce(description);
    }
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        self.close();
    }
}

fn described(kind: &str, sdp: &str) -> Result<Description, Error> {
    match kind {
        "offer" => Ok(Description::offer(sdp)),
        "answer" => Ok(Description::answer(sdp)),
        _ => Err(Error::Parameter(format!("the type of a description is offer or answer, not {kind:?}"))),
    }
}
