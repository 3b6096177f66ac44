//! Events that nobody has asked for yet, in little room: many programs never ask.

use std::collections::VecDeque;

use super::peer::PeerEvent;
use crate::event::{ConnectionState, Event, GatheringState, IceCandidate, IceConnectionState, SignalingState};
use crate::sans_io;

/// Events kept at most; older ones are dropped first.
const MAX_EVENTS: usize = 1024;

/// What happened, oldest first.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    order: VecDeque<Kept>,
    /// The candidates among them, each as the lines that [`Backlog::keep_candidate`] writes.
    candidates: String,
    /// Those that are neither a state nor a candidate.
    others: VecDeque<Event>,
}

/// One event: a state, or where to find the rest of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kept {
    Signaling(SignalingState),
    Gathering(GatheringState),
    Ice(IceConnectionState),
    Connection(ConnectionState),
    NegotiationNeeded,
    /// The first of [`Backlog::candidates`].
    Candidate,
    /// Which one the connection knows.
    SelectedPair,
    /// The first of [`Backlog::others`].
    Other,
}

impl Backlog {
    /// Keeps an event until somebody asks for it.
    pub(super) fn push(&mut self, event: Event) {
        let kept = match event {
            // These are asked for, not told.
            Event::DtlsState(_) | Event::SctpState(_) => return,
            Event::SignalingState(state) => Kept::Signaling(state),
            Event::GatheringState(state) => Kept::Gathering(state),
            Event::IceConnectionState(state) => Kept::Ice(state),
            Event::ConnectionState(state) => Kept::Connection(state),
            Event::NegotiationNeeded => Kept::NegotiationNeeded,
            Event::IceCandidate(candidate) => {
                self.keep_candidate(&candidate);
                Kept::Candidate
            }
            Event::SelectedPair(_) => {
                self.order.retain(|kept| *kept != Kept::SelectedPair);
                Kept::SelectedPair
            }
            event => {
                self.others.push_back(event);
                Kept::Other
            }
        };
        if self.order.len() >= MAX_EVENTS {
            self.drop_oldest();
        }
        self.order.push_back(kept);
    }

    /// The oldest event of `core`, which is then forgotten.
    pub(super) fn pop(&mut self, core: &sans_io::PeerConnection) -> Option<PeerEvent> {
        loop {
            let event = match self.order.pop_front()? {
                Kept::Signaling(state) => Some(PeerEvent::SignalingState(state)),
                Kept::Gathering(state) => Some(PeerEvent::GatheringState(state)),
                Kept::Ice(state) => Some(PeerEvent::IceConnectionState(state)),
                Kept::Connection(state) => Some(PeerEvent::ConnectionState(state)),
                Kept::NegotiationNeeded => Some(PeerEvent::NegotiationNeeded),
                Kept::Candidate => self.take_candidate().map(PeerEvent::IceCandidate),
                Kept::SelectedPair => core.stats().selected_pair.map(|pair| PeerEvent::SelectedPair(Box::new(pair))),
                Kept::Other => self.others.pop_front().and_then(public),
            };
            if event.is_some() {
                return event;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.order.shrink_to_fit();
        self.candidates.shrink_to_fit();
        self.others.shrink_to_fit();
    }

    fn drop_oldest(&mut self) {
        match self.order.pop_front() {
            Some(Kept::Candidate) => drop(self.take_candidate()),
            Some(Kept::Other) => drop(self.others.pop_front()),
            _ => {}
        }
    }

    /// Four lines: none of what they hold has a line break, and what is empty is not there.
    fn keep_candidate(&mut self, candidate: &IceCandidate) {
        let index = candidate.sdp_mline_index.map(|index| index.to_string());
        let parts = [&candidate.sdp_mid, &index, &candidate.username_fragment];
        for part in std::iter::once(candidate.candidate.as_str()).chain(parts.map(|part| part.as_deref().unwrap_or("")))
        {
            self.candidates.push_str(part);
            self.candidates.push('\n');
        }
    }

    fn take_candidate(&mut self) -> Option<IceCandidate> {
        let mut rest = self.candidates.as_str();
        let mut next = || {
            let (line, after) = rest.split_once('\n')?;
            rest = after;
            Some(line)
        };
        let [candidate, mid, index, ufrag] = [next()?, next()?, next()?, next()?];
        let some = |part: &str| (!part.is_empty()).then(|| part.to_owned());
        let candidate = IceCandidate {
            candidate: candidate.to_owned(),
            sdp_mid: some(mid),
            sdp_mline_index: index.parse().ok(),
            username_fragment: some(ufrag),
        };
        let taken = self.candidates.len().saturating_sub(rest.len());
        self.candidates.drain(..taken);
        Some(candidate)
    }
}

/// The events that are not about a channel, but for those that are kept in another form.
fn public(event: Event) -> Option<PeerEvent> {
    Some(match event {
        Event::IceCandidateError(error) => PeerEvent::IceCandidateError(error),
        Event::IceCheck(path, result) => PeerEvent::IceCheck(*path, result),
        Event::BetterPair(pair) => PeerEvent::BetterPair(pair),
        Event::IceRestartNeeded(reason) => PeerEvent::IceRestartNeeded(reason),
        Event::Failed(failure) => PeerEvent::Failed(failure),
        _ => return None,
    })
}
