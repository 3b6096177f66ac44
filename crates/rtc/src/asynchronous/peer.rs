//! The handle of a connection.

use std::future::poll_fn;
use std::task::Poll;

use weft_core::Path;
use weft_ice::{CheckResult, PairInfo, RestartReason};
use weft_sctp::{ChannelId, ChannelState, CloseReason};
use weft_sdp::jsep::{Description, SignalingState};

use super::guard::Guard;
use super::wakers::{Waiter, What};
use super::{DataChannel, Endpoint, Shared, SharedHandle, State};
use crate::error::Error;
use crate::event::{ConnectionState, DtlsState, Failure, GatheringState, IceCandidate, IceConnectionState};
use crate::sans_io::{self, DataChannelInit, OfferOptions, Stats, StatsReport};
use crate::shared_config::SharedConfig;

/// What [`PeerConnection::next_event`] reports.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PeerEvent {
    /// A local candidate to be signalled; an empty one is the end of them.
    IceCandidate(IceCandidate),
    /// A STUN or TURN server gave no candidate: which, from where, with what code and why.
    IceCandidateError(Box<weft_ice::GatheringError>),
    /// A connectivity check ended ([`Config::report_checks`](crate::Config::report_checks)).
    IceCheck(Path, CheckResult),
    /// Data now travels over this pair, which is that of the moment the event is read. What was told before and not read is
    /// not told any more.
    SelectedPair(Box<PairInfo>),
    /// A pair works that is better than the one in use, and the peer cannot be asked to move to it: a
    /// [restart of ICE](PeerConnection::restart_ice) would. Only the controlling side is told.
    BetterPair(Box<PairInfo>),
    /// The pair in use is lost and no other was found, as when a network interface vanished.
    /// [`NegotiationNeeded`](Self::NegotiationNeeded) follows, and the next offer restarts ICE.
    IceRestartNeeded(RestartReason),
    /// `signalingState` changed.
    SignalingState(SignalingState),
    /// `iceGatheringState` changed.
    GatheringState(GatheringState),
    /// `iceConnectionState` changed.
    IceConnectionState(IceConnectionState),
    /// `connectionState` changed.
    ConnectionState(ConnectionState),
    /// An offer should be made: the first channel was created, or ICE is to be restarted.
    NegotiationNeeded,
    /// Something failed for good.
    Failed(Failure),
}

/// A WebRTC peer connection on tokio: a cheap handle, cloned at will.
///
/// The connection is closed, and the peer told at once, by [`close`](Self::close) or when the last handle is dropped;
/// its [`DataChannel`]s count as handles.
#[derive(Debug)]
pub struct PeerConnection {
    shared: SharedHandle,
}

impl PeerConnection {
    /// Binds sockets for this connection alone and starts a task for them on the current tokio runtime. Many connections
    /// are better made with one [`Endpoint`].
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Io`] without a network interface to bind or outside a runtime, [`Error::Certificate`].
    pub fn new(config: impl Into<SharedConfig>) -> Result<Self, Error> {
        let config = config.into();
        Endpoint::bind(&config)?.peer_connection(config)
    }

    pub(super) fn from_shared(shared: SharedHandle) -> Self {
        Self { shared }
    }

    /// Creates a data channel; see [`DataChannelInit`].
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Open`].
    pub fn create_data_channel(&self, init: DataChannelInit) -> Result<DataChannel, Error> {
        self.act_on_state(|state, now| {
            let id = state.core.create_data_channel(now, init)?;
            // Before the lock is let go: what comes for a channel without a handle is thrown away.
            Ok(DataChannel::new(&self.shared, state, id))
        })
    }

    /// Its settings (W3C `getConfiguration`), as it was made with them or as [`set_configuration`](Self::set_configuration)
    /// changed them.
    pub fn configuration(&self) -> SharedConfig {
        self.shared.lock().core.shared_config()
    }

    /// Takes another configuration (W3C `setConfiguration`): that of [`configuration`](Self::configuration) with other
    /// [`ice_servers`](crate::Config::ice_servers), [`ice_transport_policy`](crate::Config::ice_transport_policy) and
    /// [`tls_roots`](crate::Config::tls_roots). They take effect when candidates are gathered next. Once that has begun, the
    /// next offer restarts ICE, though nothing says that one is needed: to have it now, [`restart_ice`](Self::restart_ice).
    /// Until it is answered data goes on as before.
    ///
    /// # Errors
    /// [`Error::InvalidModification`] when something else differs; [`Error::Config`], [`Error::Closed`]. The connection is
    /// then as it was.
    pub fn set_configuration(&self, config: impl Into<SharedConfig>) -> Result<(), Error> {
        let config = config.into();
        self.act(|core, now| core.set_configuration(now, config))
    }

    /// Makes an offer, applies it and waits until its candidates are gathered: the short way when descriptions are
    /// exchanged whole. Dropped, the future leaves the offer applied: [`gathered`](Self::gathered) and
    /// [`local_description`](Self::local_description) go on from there.
    ///
    /// # Errors
    /// As [`create_offer`](Self::create_offer).
    pub async fn offer(&self) -> Result<Description, Error> {
        let offer = self.create_offer()?;
        self.set_local_description(Some(offer))?;
        self.gathered().await?;
        self.local_description().ok_or(Error::Closed)
    }

    /// Applies an offer, makes the answer, applies it and waits until its candidates are gathered. Dropped, the future leaves
    /// both applied, as [`offer`](Self::offer) does.
    ///
    /// # Errors
    /// As [`set_remote_description`](Self::set_remote_description) and [`create_answer`](Self::create_answer).
    pub async fn answer(&self, offer: &Description) -> Result<Description, Error> {
        self.set_remote_description(offer)?;
        let answer = self.create_answer()?;
        self.set_local_description(Some(answer))?;
        // An offer without a data section that is in use leaves nothing to gather for.
        if self.gathering_state() != GatheringState::New {
            self.gathered().await?;
        }
        self.local_description().ok_or(Error::Closed)
    }

    /// Makes an offer (W3C `createOffer`). Nothing starts before it is applied.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Negotiation`].
    pub fn create_offer(&self) -> Result<Description, Error> {
        self.act(|core, _| core.create_offer())
    }

    /// As [`create_offer`](Self::create_offer), with options: [`OfferOptions::ICE_RESTART`].
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Negotiation`].
    pub fn create_offer_with(&self, options: OfferOptions) -> Result<Description, Error> {
        self.act(|core, _| core.create_offer_with(options))
    }

    /// Asks for a restart of ICE (W3C `restartIce`): the next offer has new credentials, and
    /// [`PeerEvent::NegotiationNeeded`] tells that one should be made.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn restart_ice(&self) -> Result<(), Error> {
        self.act(|core, _| core.restart_ice())
    }

    /// Makes an answer to the offer that was applied (W3C `createAnswer`).
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Negotiation`].
    pub fn create_answer(&self) -> Result<Description, Error> {
        self.act(|core, _| core.create_answer())
    }

    /// Applies a local description (W3C `setLocalDescription`), or the one that fits the state when `None`. Gathering
    /// starts.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Negotiation`].
    pub fn set_local_description(&self, description: Option<Description>) -> Result<(), Error> {
        self.act(|core, now| core.set_local_description(now, description))
    }

    /// Applies a description of the other side (W3C `setRemoteDescription`).
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Negotiation`].
    pub fn set_remote_description(&self, description: &Description) -> Result<(), Error> {
        self.act(|core, now| core.set_remote_description(now, description))
    }

    /// Adds a candidate of the other side (W3C `addIceCandidate`); an empty string is the end of them. One that comes
    /// before its description is kept.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Negotiation`].
    pub fn add_ice_candidate(&self, candidate: &IceCandidate) -> Result<(), Error> {
        self.act(|core, now| core.add_ice_candidate(now, candidate))
    }

    /// The local description in force or pending, with all candidates known so far.
    pub fn local_description(&self) -> Option<Description> {
        self.shared.lock().core.local_description()
    }

    /// The description of the other side, pending or else current, with the candidates that came.
    pub fn remote_description(&self) -> Option<Description> {
        self.shared.lock().core.remote_description()
    }

    /// `signalingState`.
    pub fn signaling_state(&self) -> SignalingState {
        self.shared.lock().core.signaling_state()
    }

    /// `iceConnectionState`.
    pub fn ice_connection_state(&self) -> IceConnectionState {
        self.shared.lock().core.ice_connection_state()
    }

    /// `connectionState`.
    pub fn connection_state(&self) -> ConnectionState {
        self.shared.lock().core.connection_state()
    }

    /// `iceGatheringState`.
    pub fn gathering_state(&self) -> GatheringState {
        self.shared.lock().core.gathering_state()
    }

    /// Figures of the connection.
    pub fn stats(&self) -> Stats {
        self.shared.lock().core.stats()
    }

    /// Figures as W3C's `getStats()` has them: transport, candidate pairs, candidates, certificates, SCTP, channels.
    pub fn stats_report(&self) -> StatsReport {
        self.shared.lock().core.stats_report(self.shared.now())
    }

    /// The next event; `None` once the connection is closed. Cancel-safe. With several callers each event goes to one. Those
    /// that nobody reads are kept, 1,024 at most; of [selected pairs](PeerEvent::SelectedPair) the latest alone.
    pub async fn next_event(&self) -> Option<PeerEvent> {
        let mut waiter = Waiter::new(What::Event);
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            let State { events, core, .. } = &mut *state;
            if let Some(event) = events.pop(core) {
                return Poll::Ready(Some(event));
            }
            if state.is_over() {
                return Poll::Ready(None);
            }
            waiter.register(&self.shared, &mut state, cx);
            Poll::Pending
        })
        .await
    }

    /// The next channel that the other side opened; `None` once no more can come: the connection or its association is
    /// closed. Cancel-safe.
    pub async fn accept(&self) -> Option<DataChannel> {
        let mut waiter = Waiter::new(What::Incoming);
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if let Some(id) = state.incoming.pop_front() {
                return Poll::Ready(Some(DataChannel::new(&self.shared, &mut state, id)));
            }
            if state.is_deserted() {
                return Poll::Ready(None);
            }
            waiter.register(&self.shared, &mut state, cx);
            Poll::Pending
        })
        .await
    }

    /// Waits until the connection is connected. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::Closed`] when it failed or was closed instead.
    pub async fn connected(&self) -> Result<(), Error> {
        self.until(|core| match core.connection_state() {
            ConnectionState::Failed => Some(Err(Error::Closed)),
            _ if core.dtls_state() == DtlsState::Closed => Some(Err(Error::Closed)),
            ConnectionState::Connected => Some(Ok(())),
            _ => None,
        })
        .await
    }

    /// Waits until all local candidates are known. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn gathered(&self) -> Result<(), Error> {
        self.until(|core| (core.gathering_state() == GatheringState::Complete).then_some(Ok(()))).await
    }

    /// Closes all channels, waits until what was sent on them is acknowledged, then closes the connection: nothing is lost.
    /// Dropping the future leaves the channels closing and the connection open.
    ///
    /// # Errors
    /// [`Error::Closed`] when the connection failed or was closed before everything was delivered.
    pub async fn finish(&self) -> Result<(), Error> {
        let channels: Vec<ChannelId> = self.act_on_state(|state, now| {
            let channels = state.core.data_channels().ids();
            for &id in &channels {
                state.close_channel(now, id);
            }
            Ok(channels)
        })?;
        let mut waiter = Waiter::new(What::State);
        let delivered = poll_fn(|cx| {
            let mut state = self.shared.lock();
            let deserted = state.is_deserted();
            let open = |id| state.core.data_channel(id).is_some_and(|channel| channel.state != ChannelState::Closed);
            let delivered = |id: &ChannelId| match state.channels.get(id).and_then(|channel| channel.closed) {
                Some(reason) => matches!(reason, CloseReason::Local | CloseReason::Remote),
                None => !deserted && !open(*id),
            };
            // First, for the peer may have finished, too, and ended the connection upon it.
            if channels.iter().all(delivered) {
                return Poll::Ready(Ok(()));
            }
            if deserted {
                return Poll::Ready(Err(Error::Closed));
            }
            waiter.register(&self.shared, &mut state, cx);
            Poll::Pending
        })
        .await;
        self.close();
        delivered
    }

    /// Tasks that wait for anything of this connection: figures for tests of leaks.
    #[doc(hidden)]
    pub fn waiting_tasks(&self) -> usize {
        self.shared.lock().waiting()
    }

    /// Closes the connection at once (W3C `close`): what is queued is dropped, the peer is told. To lose nothing,
    /// [`finish`](Self::finish) it.
    pub fn close(&self) {
        close(&self.shared, self.shared.lock());
    }

    async fn until<T>(&self, done: impl Fn(&sans_io::PeerConnection) -> Option<Result<T, Error>>) -> Result<T, Error> {
        let mut waiter = Waiter::new(What::State);
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if state.is_over() {
                return Poll::Ready(Err(Error::Closed));
            }
            if let Some(result) = done(&state.core) {
                return Poll::Ready(result);
            }
            waiter.register(&self.shared, &mut state, cx);
            Poll::Pending
        })
        .await
    }

    /// Calls the core, then lets its events out and the task send.
    fn act<T>(
        &self,
        call: impl FnOnce(&mut sans_io::PeerConnection, weft_core::Instant) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.act_on_state(|state, now| call(&mut state.core, now))
    }

    /// The same with what the handles know of it.
    fn act_on_state<T>(
        &self,
        call: impl FnOnce(&mut State, weft_core::Instant) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _entered = self.shared.span.enter();
        let mut state = self.shared.lock();
        if state.is_over() {
            return Err(Error::Closed);
        }
        let result = call(&mut state, self.shared.now());
        state.dispatch();
        drop(state);
        self.shared.notify();
        result
    }
}

impl Clone for PeerConnection {
    fn clone(&self) -> Self {
        self.shared.lock().handles += 1;
        Self { shared: SharedHandle::clone(&self.shared) }
    }
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        release(&self.shared, self.shared.lock());
    }
}

/// One handle less; the last one closes.
pub(super) fn release(shared: &Shared, mut state: Guard<'_>) {
    state.handles = state.handles.saturating_sub(1);
    if state.handles == 0 {
        close(shared, state);
    }
}

fn close(shared: &Shared, mut state: Guard<'_>) {
    state.core.close(shared.now());
    state.events.clear();
    state.incoming.clear();
    state.wake_all();
    drop(state);
    shared.notify();
}
