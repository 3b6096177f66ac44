//! Stream reset ([RFC 6525](https://www.rfc-editor.org/rfc/rfc6525)).

use core::ops::{Deref, DerefMut};
use std::collections::VecDeque;

use weft_core::{Instant, Serial32};

use super::orders::Order;
use super::{Association, Timer};
use crate::error::AssociationError;
use crate::event::{Event, State};
use crate::wire::reconfig::{self, result};
use crate::wire::{Answer, Request, packet};

/// A request of ours that was not answered yet.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// After "In progress" it is asked again under a new one.
    pub(super) number: Serial32,
    /// What it asks, if not to reset our outgoing streams.
    pub(super) order: Option<Order>,
    last_tsn: Serial32,
    streams: Vec<u16>,
    /// The peer's Incoming SSN Reset Request this answers, with its list of streams (section 5.1.2, A4).
    answers: Option<(Serial32, Vec<u16>)>,
    /// The answer was "In progress".
    in_progress: bool,
    /// It was asked again under the same number since.
    repeated: bool,
    /// Of the streams, those known to be reset although the answer has not come.
    settled: Vec<u16>,
}

impl Outgoing {
    pub(super) fn new(number: Serial32, order: Order) -> Self {
        Self { number, order: Some(order), ..Self::default() }
    }
}

/// An Incoming SSN Reset Request of the peer's: our Outgoing SSN Reset Request is to answer it.
#[derive(Debug)]
struct Asked {
    number: Serial32,
    /// The list as it came; empty for all streams.
    listed: Vec<u16>,
    streams: Vec<u16>,
    /// What must be acknowledged, once nothing is queued on any of the streams.
    drained: Option<Serial32>,
}

/// A request of the peer's that waits for its Last Assigned TSN (section 5.2.2, E2).
#[derive(Debug)]
struct Deferred {
    number: Serial32,
    last_tsn: Serial32,
    streams: Vec<u16>,
    performed: bool,
}

#[derive(Debug)]
pub(super) struct Reset {
    next_number: Serial32,
    /// Streams to be reset: once their queue is empty, with the TSN that must be acknowledged.
    wanted: VecDeque<(u16, Option<Serial32>)>,
    pub(super) outgoing: Option<Outgoing>,
    /// Requests to be made, one after the other.
    pub(super) orders: VecDeque<Order>,
    /// The peer's SSN/TSN Reset Request that waits for what is outstanding.
    pub(super) wanted_tsns: Option<Serial32>,
    /// The number the peer's next request must have.
    pub(super) expected: Serial32,
    /// How the last one was answered.
    last: Answer,
    deferred: Option<Deferred>,
    asked: Option<Asked>,
    /// Responses to what the chunk being handled asks: they go into one chunk (section 5.2.1).
    responses: Vec<Answer>,
}

impl Reset {
    const fn new(local_initial_tsn: Serial32, peer_initial_tsn: Serial32) -> Self {
        Self {
            next_number: local_initial_tsn,
            wanted: VecDeque::new(),
            outgoing: None,
            orders: VecDeque::new(),
            wanted_tsns: None,
            expected: peer_initial_tsn,
            last: Answer { number: Serial32(0), result: result::NOTHING_TO_DO, next_tsns: None },
            deferred: None,
            asked: None,
            responses: Vec::new(),
        }
    }

    /// Whether nothing waits to be asked for or answered.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.wanted_tsns.is_none() && self.wanted.is_empty() && self.asked.is_none() && self.orders.is_empty()
    }
}

/// A [`Reset`] that is made when it is first written to: many associations never reset a stream.
#[derive(Debug)]
pub(super) struct LazyReset {
    it: Option<Box<Reset>>,
    /// Our first number and the peer's.
    numbers: (Serial32, Serial32),
}

/// What one that was not made yet reads as, but for the numbers.
static UNUSED: Reset = Reset::new(Serial32(0), Serial32(0));

impl LazyReset {
    pub(super) const fn new(local_initial_tsn: Serial32, peer_initial_tsn: Serial32) -> Self {
        Self { it: None, numbers: (local_initial_tsn, peer_initial_tsn) }
    }

    /// The peer's numbers are known. What was asked for before stays asked for.
    pub(super) fn meet_peer(&mut self, local_initial_tsn: Serial32, peer_initial_tsn: Serial32) {
        self.numbers = (local_initial_tsn, peer_initial_tsn);
        if let Some(it) = &mut self.it {
            let (wanted, orders) = (core::mem::take(&mut it.wanted), core::mem::take(&mut it.orders));
            **it = Reset { wanted, orders, ..Reset::new(local_initial_tsn, peer_initial_tsn) };
        }
    }

    /// What there is of it, to be changed where it is.
    fn made(&mut self) -> Option<&mut Reset> {
        self.it.as_deref_mut()
    }

    /// The number the peer's next request must have.
    pub(super) fn expected(&self) -> Serial32 {
        self.it.as_ref().map_or(self.numbers.1, |it| it.expected)
    }

    /// The number of our next request.
    fn take_number(&mut self) -> Serial32 {
        let next = &mut self.next_number;
        core::mem::replace(next, next.next())
    }
}

impl Deref for LazyReset {
    type Target = Reset;
    #[inline]
    fn deref(&self) -> &Reset {
        self.it.as_deref().unwrap_or(&UNUSED)
    }
}

impl DerefMut for LazyReset {
    fn deref_mut(&mut self) -> &mut Reset {
        self.it.get_or_insert_with(|| Box::new(Reset::new(self.numbers.0, self.numbers.1)))
    }
}

impl Association {
    /// Resets outgoing streams: each once everything queued on it has been acknowledged. Nothing more is taken for them
    /// until [`Event::OutgoingReset`]. Without RE-CONFIG on the peer's side that comes at once, with `false`.
    pub fn reset_streams(&mut self, _now: Instant, streams: &[u16]) {
        for &id in streams {
            if self.over || id >= self.out_streams || self.queue.is_resetting(id) {
                continue;
            }
            self.queue.set_resetting(id, true);
            self.reset.wanted.push_back((id, None));
        }
    }

    /// The peer uses `id` anew, which it does only once it has performed our reset: its answer got lost or is late. False
    /// if no such request is out.
    pub(crate) fn settle_reset(&mut self, id: u16) -> bool {
        let Some(request) = self.reset.made().and_then(|reset| reset.outgoing.as_mut()) else { return false };
        let asked = request.streams.contains(&id) && !request.settled.contains(&id);
        if asked {
            request.settled.push(id);
            self.queue.reset(id);
        }
        asked
    }

    /// Makes a request of what is ready to be reset.
    pub(super) fn progress_resets(&mut self, now: Instant) {
        self.answer_tsn_reset();
        if self.reset.outgoing.is_some() || self.state != State::Established {
            return;
        }
        if self.answer_by_reset(now) || self.give_order(now) {
            return;
        }
        let last_tsn = self.flight.next_tsn().previous();
        let acked = self.flight.cumulative_ack;
        // What fits one packet, and no more than a list of thousands is looked through at a time.
        let most = self.most_streams();
        let mut streams = Vec::new();
        for _ in 0..self.reset.wanted.len() {
            let Some((id, drained)) = self.reset.wanted.pop_front() else { break };
            let drained = drained.or_else(|| self.queue.is_drained(id).then_some(last_tsn));
            if streams.len() < most && drained.is_some_and(|tsn| tsn.precedes_or_is(acked)) {
                streams.push(id);
            } else {
                self.reset.wanted.push_back((id, drained));
            }
        }
        if streams.is_empty() {
            return;
        }
        for id in &streams {
            self.event(Event::Flushed(*id));
        }
        if !self.extensions.re_config {
            for id in streams {
                self.event(Event::OutgoingReset(id, false));
            }
            return;
        }
        let number = self.take_number();
        self.reset.outgoing = Some(Outgoing { number, last_tsn, streams, ..Outgoing::default() });
        self.send_request(now);
    }

    /// Makes the request that answers the peer's Incoming SSN Reset Request, once its streams are drained.
    fn answer_by_reset(&mut self, now: Instant) -> bool {
        let last_tsn = self.flight.next_tsn().previous();
        let Some(asked) = &mut self.reset.asked else { return false };
        if asked.drained.is_none() && asked.streams.iter().all(|id| self.queue.is_drained(*id)) {
            asked.drained = Some(last_tsn);
        }
        if asked.drained.is_none_or(|tsn| tsn.follows(self.flight.cumulative_ack)) {
            return false;
        }
        let Some(asked) = self.reset.asked.take() else { return false };
        let number = self.take_number();
        self.reset.outgoing = Some(Outgoing {
            number,
            last_tsn,
            streams: asked.streams,
            answers: Some((asked.number, asked.listed)),
            ..Outgoing::default()
        });
        self.send_request(now);
        true
    }

    /// Streams one request can list.
    pub(super) fn most_streams(&self) -> usize {
        (self.mtu - packet::HEADER_LEN - 24) / 2
    }

    pub(super) fn take_number(&mut self) -> Serial32 {
        self.reset.take_number()
    }

    pub(super) fn send_request(&mut self, now: Instant) {
        self.due.reconfig = true;
        self.timers.set(Timer::Reconfig, now + self.rto.get());
    }

    /// The RE-CONFIG chunk with our request.
    pub(super) fn reconfig_chunk(&self) -> Vec<u8> {
        let mut chunk = Vec::new();
        if let Some(Outgoing { number, order: Some(order), .. }) = &self.reset.outgoing {
            order.write(&mut chunk, *number);
        } else if let Some(request) = &self.reset.outgoing {
            let (seen, streams) = match &request.answers {
                Some((number, listed)) => (*number, listed),
                None => (self.reset.expected().previous(), &request.streams),
            };
            reconfig::write_outgoing_reset(&mut chunk, request.number, seen, request.last_tsn, streams);
        }
        chunk
    }

    pub(super) fn on_reconfig_timer(&mut self, now: Instant) -> Result<(), AssociationError> {
        if self.reset.outgoing.is_none() {
            return Ok(());
        }
        let (in_progress, repeated) =
            self.reset.outgoing.as_ref().map_or((false, false), |r| (r.in_progress, r.repeated));
        if in_progress {
            // It is repeated first (section 5.2.7). Some peers answer a number always as they did first: then only a
            // new one gets a new answer.
            let number = if repeated { Some(self.take_number()) } else { None };
            if let Some(request) = &mut self.reset.outgoing {
                request.number = number.unwrap_or(request.number);
                request.repeated = !repeated;
                request.in_progress = false;
            }
        } else {
            self.rto.back_off();
            self.count_error()?;
        }
        self.send_request(now);
        Ok(())
    }

    pub(super) fn on_re_config(&mut self, now: Instant, value: &[u8]) {
        if !matches!(self.state, State::Established | State::ShutdownPending) {
            self.stats.chunks_dropped += 1;
            return;
        }
        // A chunk has at most two parameters (section 3.1).
        for param in Request::params(value).take(2) {
            match Request::parse(&param) {
                Some(Request::OutgoingReset { request, response, last_tsn, streams }) => {
                    if request == self.reset.expected() {
                        self.order_answered_by_reset(response);
                    }
                    let list = if streams.is_all() { self.inbound.used_streams() } else { streams.iter().collect() };
                    self.on_outgoing_reset(request, last_tsn, list);
                }
                Some(Request::IncomingReset { request, streams }) => {
                    self.on_incoming_reset(request, streams.iter().collect());
                }
                Some(Request::TsnReset { request }) => self.on_tsn_reset(request),
                Some(Request::AddOutgoing { request, streams }) => self.on_add_outgoing(request, streams),
                Some(Request::AddIncoming { request, streams }) => self.on_add_incoming(request, streams),
                Some(Request::Response(answer)) => self.on_response(now, &answer),
                None => self.stats.chunks_dropped += 1,
            }
        }
        self.flush_responses();
    }

    pub(super) fn flush_responses(&mut self) {
        if !self.reset.responses.is_empty() {
            let mut chunk = Vec::new();
            reconfig::write_responses(&mut chunk, &self.reset.responses);
            self.reset.responses.clear();
            self.answer(chunk);
        }
    }

    /// Whether a request is the next one; a repeated one is answered as before, any other is refused (section 5.2.1).
    pub(super) fn is_new(&mut self, number: Serial32) -> bool {
        if number == self.reset.expected() {
            return true;
        }
        if number == self.reset.expected().previous() {
            let last = Answer { number, ..self.reset.last };
            self.reset.responses.push(last);
        } else {
            self.respond(number, result::BAD_SEQUENCE_NUMBER);
        }
        false
    }

    pub(super) fn answer_new(&mut self, number: Serial32, result: u32) {
        self.reset.expected = number.next();
        self.answer_last(number, result, None);
    }

    /// Answers the last request, and keeps the answer for when it is asked again.
    pub(super) fn answer_last(&mut self, number: Serial32, result: u32, next_tsns: Option<(Serial32, Serial32)>) {
        self.reset.last = Answer { number, result, next_tsns };
        let last = self.reset.last;
        self.reset.responses.push(last);
    }

    fn respond(&mut self, number: Serial32, result: u32) {
        self.reset.responses.push(Answer { number, result, next_tsns: None });
    }

    fn on_outgoing_reset(&mut self, number: Serial32, last_tsn: Serial32, mut streams: Vec<u16>) {
        if !self.is_new(number) {
            return;
        }
        streams.retain(|id| *id < self.in_streams);
        streams.sort_unstable();
        streams.dedup();
        if let Some(deferred) = self.reset.deferred.take() {
            let same = deferred.last_tsn == last_tsn && deferred.streams == streams;
            if same && deferred.performed {
                return self.answer_new(number, result::PERFORMED);
            }
            if !same {
                self.inbound.release_held();
            }
        }
        if last_tsn.follows(self.inbound.cumulative) {
            self.inbound.hold_after(last_tsn, &streams);
            self.reset.deferred = Some(Deferred { number, last_tsn, streams, performed: false });
            return self.answer_new(number, result::IN_PROGRESS);
        }
        self.perform(&streams);
        self.answer_new(number, result::PERFORMED);
    }

    fn perform(&mut self, streams: &[u16]) {
        for id in streams {
            self.event(Event::IncomingReset(*id));
        }
        let had_ready = self.inbound.has_ready();
        self.inbound.reset(streams);
        if !had_ready && self.inbound.has_ready() {
            self.event(Event::Readable);
        }
    }

    /// A deferred reset is performed when everything before it has come (E3 to E6).
    pub(super) fn check_deferred_reset(&mut self, _now: Instant) {
        let cumulative = self.inbound.cumulative;
        let Some(deferred) = self.reset.made().and_then(|reset| reset.deferred.as_mut()) else { return };
        if deferred.performed || deferred.last_tsn.follows(cumulative) {
            return;
        }
        deferred.performed = true;
        let (number, streams) = (deferred.number, deferred.streams.clone());
        self.perform(&streams);
        if number.next() == self.reset.expected() {
            self.reset.last.result = result::PERFORMED;
        }
        self.respond(number, result::PERFORMED);
        self.flush_responses();
    }

    /// The peer asks us to reset our outgoing streams (section 5.2.3): once they are drained, a request of ours answers.
    fn on_incoming_reset(&mut self, number: Serial32, listed: Vec<u16>) {
        if !self.is_new(number) {
            return;
        }
        let mut streams = if listed.is_empty() { self.queue.used_streams() } else { listed.clone() };
        streams.sort_unstable();
        streams.dedup();
        let out = &self.reset.outgoing;
        let result = if streams.iter().any(|id| *id >= self.out_streams) {
            result::WRONG_SSN
        } else if streams.is_empty() || out.as_ref().is_some_and(|o| streams.iter().all(|id| o.streams.contains(id))) {
            result::NOTHING_TO_DO
        } else if listed.len() > self.most_streams() {
            result::DENIED
        } else if self.reset.asked.is_some() {
            result::ALREADY_IN_PROGRESS
        } else {
            self.reset.wanted.retain(|(id, _)| streams.binary_search(id).is_err());
            for id in &streams {
                self.queue.set_resetting(*id, true);
            }
            self.reset.asked = Some(Asked { number, listed, streams, drained: None });
            result::IN_PROGRESS
        };
        self.answer_new(number, result);
    }

    fn on_response(&mut self, now: Instant, answer: &Answer) {
        let Some(request) = &mut self.reset.outgoing else { return };
        let result = answer.result;
        if answer.number != request.number {
            return; // were an older number's answer taken, the peer might never see the newer one, and miss it ever after
        }
        self.errors = 0;
        match result {
            result::IN_PROGRESS => {
                request.in_progress = true;
                self.timers.set(Timer::Reconfig, now + self.rto.get());
            }
            // Our request crossed one of the peer's; it is asked again.
            result::ALREADY_IN_PROGRESS => (request.in_progress, request.repeated) = (true, true),
            _ => {
                let done = matches!(result, result::PERFORMED | result::NOTHING_TO_DO);
                self.timers.stop(Timer::Reconfig);
                self.due.reconfig = false;
                if let Some(request) = self.reset.outgoing.take() {
                    if let Some(order) = request.order {
                        return self.order_done(order, answer);
                    }
                    if request.answers.is_some_and(|(number, _)| number.next() == self.reset.expected()) && done {
                        self.reset.last.result = result::PERFORMED;
                    }
                    for id in request.streams {
                        if !request.settled.contains(&id) {
                            self.queue.reset(id);
                            self.event(Event::OutgoingReset(id, done));
                        }
                    }
                }
            }
        }
    }
}
