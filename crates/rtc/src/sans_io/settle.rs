//! What happens in one layer and concerns another.

use weft_core::{Instant, Layer};
use weft_sctp::ChannelEvent;

use super::{Dtls, PeerConnection};
use crate::event::{ConnectionState, DtlsState, Event, Failure, IceConnectionState, Request, SctpState};

impl PeerConnection {
    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Carries the events of each layer to the others until none is left.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.states.closed {
            return;
        }
        loop {
            let mut moved = false;
            while let Some(event) = self.ice.poll_event() {
                self.on_ice(now, &event);
                moved = true;
            }
            moved |= self.start_dtls(now);
            while let Some(event) = self.poll_dtls() {
                self.on_dtls(now, &event);
                moved = true;
            }
            while let Some(event) = self.channels.poll_event() {
                self.on_channels(now, event);
                moved = true;
            }
            if !moved {
                break;
            }
        }
        self.report_states();
        #[cfg(feature = "metrics")]
        self.measure(now);
    }

    fn poll_dtls(&mut self) -> Option<weft_dtls::Event> {
        match &mut self.dtls {
            Dtls::Running(dtls) => dtls.poll_event(),
            Dtls::Waiting | Dtls::Ended(_) => None,
        }
    }

    /// DTLS starts when the descriptions told roles and fingerprints and a path works (RFC 8842 section 5.1: the client
    /// sends its hello then; RFC 8827: nothing of an unverified path is acted on).
    fn start_dtls(&mut self, now: Instant) -> bool {
        if !matches!(self.dtls, Dtls::Waiting) || self.await_pair || self.ice.selected_path().is_none() {
            return false;
        }
        let Some(mut dtls) = self.new_dtls() else { return false };
        if let Some(rtt) = self.ice.rtt() {
            // RFC 9147 section 5.8.2: 1.5 times a measured round trip. A floor keeps a busy machine from repeating itself.
            dtls.set_initial_rto((rtt * 3 / 2).max(std::time::Duration::from_millis(50)));
        }
        dtls.start(now);
        self.dtls = Dtls::Running(Box::new(dtls));
        self.states.dtls = DtlsState::Connecting;
        self.events.push_back(Event::DtlsState(DtlsState::Connecting));
        self.replay_early_dtls(now);
        true
    }

    fn on_ice(&mut self, now: Instant, event: &weft_ice::Event) {
        match event {
            weft_ice::Event::SelectedPair(pair) => {
                self.timeline.pair_selected.get_or_insert(now);
                self.counters.selected_pair_changes += 1;
                self.await_pair = false;
                self.restart_by = None;
                self.take_path(now, pair.path);
                self.events.push_back(Event::SelectedPair(Box::new(*pair)));
            }
            weft_ice::Event::Failed(reason) => {
                // Without consent nothing may be sent until ICE restarts (RFC 7675 section 5.1). Nobody should wait for
                // these channels for ever.
                self.restart_by = Some(now + self.config.restart_timeout);
                self.fail(Failure::Ice(*reason));
            }
            weft_ice::Event::LocalCandidate(candidate) => self.gathered(now, candidate),
            weft_ice::Event::GatheringError(error) => {
                self.events.push_back(Event::IceCandidateError(Box::new(error.clone())));
            }
            weft_ice::Event::GatheringComplete => self.end_gathering(),
            weft_ice::Event::Resolve(server, name) => {
                self.requests.push_back(Request::Resolve(*server, name.to_string()));
            }
            weft_ice::Event::OpenStream(path, kind) => {
                self.requests.push_back(Request::OpenStream(*path, kind.clone()));
            }
            weft_ice::Event::CloseStream(path) => self.requests.push_back(Request::CloseStream(*path)),
            weft_ice::Event::Check(path, result) => self.events.push_back(Event::IceCheck(Box::new(*path), *result)),
            weft_ice::Event::BetterPair(pair) => self.events.push_back(Event::BetterPair(Box::new(*pair))),
            weft_ice::Event::RestartNeeded(reason) => self.restart_needed(*reason),
            _ => {}
        }
    }

    /// ICE failed and did not restart in time: the channels end.
    pub(super) fn give_up(&mut self, now: Instant) {
        self.restart_by = None;
        self.channels.abort(now);
        self.set_sctp_state(SctpState::Closed);
    }

    fn on_dtls(&mut self, now: Instant, event: &weft_dtls::Event) {
        match event {
            weft_dtls::Event::Connected(_) => {
                self.timeline.dtls_connected.get_or_insert(now);
                self.set_dtls_state(DtlsState::Connected);
                // RFC 8841 section 5: port 0 asks for no association.
                if self.negotiator.agreed().is_some_and(|remote| remote.sctp_port == 0) {
                    self.channels.abort(now);
                } else {
                    self.connect_channels(now);
                }
            }
            weft_dtls::Event::PeerClosed => self.end_dtls(now, DtlsState::Closed),
            _ => {}
        }
    }

    fn on_channels(&mut self, now: Instant, event: ChannelEvent) {
        let event = match event {
            ChannelEvent::Connected => {
                self.timeline.sctp_connected.get_or_insert(now);
                self.set_sctp_state(SctpState::Connected);
                return;
            }
            ChannelEvent::Disconnected(error) => {
                self.set_sctp_state(SctpState::Closed);
                if let Some(error) = error {
                    self.fail(Failure::Sctp(error));
                }
                return;
            }
            ChannelEvent::Incoming(id) => {
                self.opened(now, id);
                Event::DataChannel(id)
            }
            ChannelEvent::Opened(id) => {
                self.opened(now, id);
                Event::Open(id)
            }
            ChannelEvent::Readable(id) => Event::Readable(id),
            ChannelEvent::Writable(id) => Event::Writable(id),
            ChannelEvent::BufferedAmountLow(id) => Event::BufferedAmountLow(id),
            ChannelEvent::Delivered(id, notice) => Event::Delivered(id, notice),
            ChannelEvent::Abandoned(id, notice) => Event::Abandoned(id, notice),
            ChannelEvent::Finished(id) => Event::Finished(id),
            ChannelEvent::Closing(id) => Event::Closing(id),
            ChannelEvent::Closed(id, reason) => {
                self.tally.closed(id);
                Event::Closed(id, reason)
            }
        };
        self.events.push_back(event);
    }

    fn opened(&mut self, now: Instant, id: weft_sctp::ChannelId) {
        self.tally.opened(id);
        if self.timeline.channel_open.is_none() {
            self.timeline.channel_open = Some(now);
            #[cfg(feature = "metrics")]
            crate::metrics::Meter::set_up(now - self.timeline.created);
            self.tidy_when_open(now);
        }
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        tracing::debug!(%failure, "peer connection failed");
        #[cfg(feature = "metrics")]
        crate::metrics::Meter::failed(&failure);
        self.events.push_back(Event::Failed(failure));
    }

    pub(super) fn dtls_failed(&mut self, now: Instant, error: weft_dtls::Error) {
        if !matches!(self.dtls, Dtls::Ended(_)) {
            self.end_dtls(now, DtlsState::Failed);
            self.fail(Failure::Dtls(error));
        }
    }

    /// No DTLS, no channels.
    fn end_dtls(&mut self, now: Instant, state: DtlsState) {
        self.channels.abort(now);
        let ended = match std::mem::replace(&mut self.dtls, Dtls::Ended(None)) {
            Dtls::Running(dtls) => Some(dtls),
            Dtls::Waiting => None,
            Dtls::Ended(dtls) => dtls,
        };
        self.dtls = Dtls::Ended(ended);
        self.set_dtls_state(state);
        self.set_sctp_state(SctpState::Closed);
    }

    pub(super) fn set_dtls_state(&mut self, state: DtlsState) {
        if self.states.dtls != state {
            self.states.dtls = state;
            self.events.push_back(Event::DtlsState(state));
        }
    }

    pub(super) fn set_sctp_state(&mut self, state: SctpState) {
        if self.states.sctp != Some(state) && (state != SctpState::Closed || self.states.sctp.is_some()) {
            self.states.sctp = Some(state);
            self.events.push_back(Event::SctpState(state));
        }
    }

    /// Reports `iceConnectionState` and `connectionState` where they changed (webrtc-pc section 4.3.3).
    pub(super) fn report_states(&mut self) {
        let ice = ice_state(self.ice.state());
        if ice != self.states.ice {
            self.states.ice = ice;
            self.events.push_back(Event::IceConnectionState(ice));
        }
        let connection = match (ice, self.states.dtls) {
            (IceConnectionState::Failed, _) | (_, DtlsState::Failed) => ConnectionState::Failed,
            (IceConnectionState::Disconnected, _) => ConnectionState::Disconnected,
            (IceConnectionState::New, _) => ConnectionState::New,
            (
                IceConnectionState::Connected | IceConnectionState::Completed,
                DtlsState::Connected | DtlsState::Closed,
            ) => ConnectionState::Connected,
            _ => ConnectionState::Connecting,
        };
        if connection != self.states.connection {
            self.states.connection = connection;
            self.events.push_back(Event::ConnectionState(connection));
        }
    }
}

fn ice_state(state: weft_ice::IceState) -> IceConnectionState {
    match state {
        weft_ice::IceState::New => IceConnectionState::New,
        weft_ice::IceState::Checking => IceConnectionState::Checking,
        weft_ice::IceState::Connected => IceConnectionState::Connected,
        weft_ice::IceState::Completed => IceConnectionState::Completed,
        weft_ice::IceState::Disconnected => IceConnectionState::Disconnected,
        weft_ice::IceState::Failed => IceConnectionState::Failed,
        weft_ice::IceState::Closed => IceConnectionState::Closed,
    }
}
