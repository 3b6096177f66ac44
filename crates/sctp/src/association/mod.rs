//! The association ([RFC 9260](https://www.rfc-editor.org/rfc/rfc9260)).

mod add_streams;
mod cookie;
mod input;
mod new_path;
mod orders;
mod output;
mod path;
mod path_mtu;
mod recovery;
mod reset;
mod reset_tsn;
mod send;
mod setup;
mod shutdown;
mod snap;
mod transfer;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use weft_core::{Frame, Instant, Layer, Rng, Seed, Serial32, TimerKey, Timers};

use crate::Config;
use crate::congestion::Controller;
use crate::error::AssociationError;
use crate::event::{Event, State, Stats};
use crate::inbound::Inbound;
use crate::message::Message;
use crate::outbound::{Flight, SendQueue};
use crate::pacing::Pacer;
use crate::path_mtu::PathMtu;
use crate::rto::Rto;
use crate::wire::init::Extensions;
use crate::wire::{Cause, abort, data, packet, sack};

/// How many control chunks, and how many packets of their own, may wait to be sent.
const MAX_CONTROL: usize = 32;

/// The port of SCTP over DTLS (RFC 8261).
const DEFAULT_PORT: u16 = 5000;

/// How many events may wait before a peer's doings add no more of the kind that can be repeated.
const MAX_EVENTS: usize = 65_536;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    T1Init,
    T1Cookie,
    T2Shutdown,
    T3Rtx,
    Sack,
    Heartbeat,
    Reconfig,
    ShutdownGuard,
    /// The reordering window ends, or a tail loss probe is due.
    Recovery,
    Pacing,
    PathMtu,
}

impl TimerKey for Timer {
    const ALL: &'static [Self] = &[
        Self::T1Init,
        Self::T1Cookie,
        Self::T2Shutdown,
        Self::T3Rtx,
        Self::Sack,
        Self::Heartbeat,
        Self::Reconfig,
        Self::ShutdownGuard,
        Self::Recovery,
        Self::Pacing,
        Self::PathMtu,
    ];
    fn index(self) -> usize {
        self as usize
    }
}

/// Chunks made anew each time they are sent.
#[derive(Debug, Default)]
struct Due {
    init: bool,
    cookie_echo: bool,
    cookie_ack: bool,
    shutdown: bool,
    shutdown_ack: bool,
    reconfig: bool,
}

impl Due {
    #[inline]
    fn any(&self) -> bool {
        self.init | self.cookie_echo | self.cookie_ack | self.shutdown | self.shutdown_ack | self.reconfig
    }
}

/// A packet of its own, to whom the association's tag means nothing.
#[derive(Debug)]
struct Reply {
    tag: u32,
    chunk: Vec<u8>,
}

/// Packets and control chunks that wait to be sent. There seldom are any.
#[derive(Debug, Default)]
struct Outbox {
    replies: VecDeque<Reply>,
    control: VecDeque<Vec<u8>>,
}

/// What is counted as it happens; the rest of [`Stats`] is kept where it belongs.
#[derive(Debug, Default)]
struct Counters {
    packets_sent: u64,
    packets_received: u64,
    packets_dropped: u64,
    chunks_dropped: u64,
    data_chunks_sent: u64,
    data_chunks_received: u64,
    duplicates_received: u64,
    data_chunks_dropped: u64,
    timeouts: u64,
    tail_probes: u64,
    black_holes: u64,
    sacks_sent: u64,
    sacks_received: u64,
}

/// One SCTP association on one path.
///
/// Either side, or both, may call [`connect`](Self::connect); a side that does not answers the peer's INIT. Packets go
/// in by [`handle_input`](Layer::handle_input) and come out of [`poll_transmit`](Layer::poll_transmit), whose frames
/// must have room for [`Config::mtu`] bytes. Hand in all packets that arrived together before polling: one SACK then
/// answers them all.
#[derive(Debug)]
pub struct Association {
    config: Arc<Config>,
    /// Ours and the peer's.
    ports: (u16, u16),
    seed: Seed,
    state: State,
    /// It ended, and will not start again.
    over: bool,
    dead: Option<Box<AssociationError>>,
    timers: Timers<Timer, 11>,
    due: Due,
    outbox: Option<Box<Outbox>>,
    /// Bytes of control chunks that answer the packet being handled.
    answered: usize,
    events: VecDeque<Event>,
    stats: Counters,

    cookie_key: [u8; 32],
    /// Says in a cookie that it was made while this association existed (RFC 9260 section 5.2.2, Tie-Tags).
    tie: u64,
    /// The cookie to echo.
    cookie: Box<[u8]>,
    local_tag: u32,
    peer_tag: u32,
    local_initial_tsn: Serial32,
    peer_initial_tsn: Serial32,
    out_streams: u16,
    in_streams: u16,
    extensions: Extensions,
    /// When the first INIT left, while its answer may still be timed; later, when the COOKIE ECHO left last.
    init_sent: Option<Instant>,
    init_count: u32,
    /// The COOKIE ECHO goes again, or went.
    echoed_again: bool,

    queue: SendQueue,
    flight: Flight,
    inbound: Inbound,
    controller: Box<dyn Controller>,
    rto: Rto,
    mtu: usize,
    /// Bytes that may leave before the next acknowledgement.
    burst: usize,
    /// There are new messages, to which Max.Burst applies.
    refill_burst: bool,
    /// One chunk may leave although the peer's window has no room for it.
    window_probe: bool,
    pacer: Pacer,
    path_mtu: PathMtu,
    /// One packet of new data may leave as a tail loss probe, whatever the window says.
    probe_new: bool,
    last_data_sent: Instant,
    /// T3-rtx expired, and nothing was acknowledged since.
    timed_out: bool,
    /// What is outstanding left by another path than the one there is now, and nothing was acknowledged since.
    moved: bool,
    /// A send was refused for want of room; the largest that was.
    refused: Option<usize>,
    /// Retransmissions in a row without an answer (RFC 9260 section 8.1).
    errors: u32,
    heartbeat: Option<Box<(u64, Instant)>>,
    reset: reset::LazyReset,
}

impl Association {
    /// An association that is not yet set up.
    ///
    /// Many may share their settings: give each a clone of one `Arc<Config>`.
    pub fn new(config: impl Into<Arc<Config>>, mut rng: Rng) -> Self {
        let config = config.into();
        // "The Source Port Number 0 MUST NOT be used" (section 3.1)
        let port = |port| if port == 0 { DEFAULT_PORT } else { port };
        let mut cookie_key = [0; 32];
        rng.fill(&mut cookie_key);
        let initial_tsn = Serial32(config.initial_tsn.unwrap_or_else(|| rng.u32()));
        let local_tag = new_tag(&mut rng);
        let mtu = config.packet_size() & !3;
        let chunk = chunk_size(mtu);
        let mut queue = SendQueue::default();
        queue.set_scheduler(config.scheduler);
        Self {
            state: State::Closed,
            over: false,
            dead: None,
            timers: Timers::new(),
            due: Due::default(),
            outbox: None,
            answered: 0,
            events: VecDeque::new(),
            stats: Counters::default(),
            cookie_key,
            tie: rng.u64(),
            cookie: Box::default(),
            local_tag,
            peer_tag: 0,
            local_initial_tsn: initial_tsn,
            peer_initial_tsn: Serial32(0),
            out_streams: config.out_streams,
            in_streams: config.in_streams,
            extensions: Extensions::default(),
            init_sent: None,
            init_count: 0,
            echoed_again: false,
            flight: Flight::new(initial_tsn, config.rack),
            inbound: Inbound::new(&config, Serial32(0), config.in_streams, false),
            controller: config.controller.build(chunk, config.slow_start_limit, config.rack, config.initial_window),
            rto: Rto::new(&config),
            queue,
            mtu,
            burst: config.max_burst.max(1) * chunk,
            refill_burst: false,
            window_probe: false,
            pacer: Pacer::new(config.pacing, 2 * mtu, config.max_burst_bytes),
            probe_new: false,
            path_mtu: PathMtu::new(&config),
            last_data_sent: Instant::ORIGIN,
            timed_out: false,
            moved: false,
            refused: None,
            errors: 0,
            heartbeat: None,
            reset: reset::LazyReset::new(initial_tsn, Serial32(0)),
            ports: (port(config.local_port), port(config.remote_port)),
            config,
            seed: Seed::draw(&mut rng),
        }
    }

    /// Replaces congestion control. Do it before data is sent.
    pub fn set_controller(&mut self, controller: Box<dyn Controller>) {
        self.controller = controller;
        self.controller.set_chunk_size(chunk_size(self.mtu));
    }

    /// State of the association.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether it ended for good.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Streams we may send on: what we asked for until the association is up, then what was agreed.
    pub fn out_streams(&self) -> u16 {
        self.out_streams
    }

    /// Streams the peer may send on.
    pub fn in_streams(&self) -> u16 {
        self.in_streams
    }

    /// Whether the peer takes stream resets (RFC 6525).
    pub fn can_reset(&self) -> bool {
        self.extensions.re_config
    }

    /// Counts and measures.
    pub fn stats(&self) -> Stats {
        Stats {
            retransmissions: self.flight.retransmitted,
            fast_retransmissions: self.flight.fast_retransmitted,
            messages_abandoned: self.flight.abandoned + self.queue.expired,
            cwnd: self.controller.window(),
            ssthresh: self.controller.threshold(),
            in_flight: self.flight.in_flight,
            buffered: self.buffered(),
            peer_rwnd: self.flight.a_rwnd,
            a_rwnd: self.inbound.a_rwnd() as usize,
            srtt: self.rto.srtt(),
            rto: self.rto.get(),
            mtu: self.mtu,
            packets_sent: self.stats.packets_sent,
            packets_received: self.stats.packets_received,
            packets_dropped: self.stats.packets_dropped,
            chunks_dropped: self.stats.chunks_dropped,
            data_chunks_sent: self.stats.data_chunks_sent,
            data_chunks_received: self.stats.data_chunks_received,
            duplicates_received: self.stats.duplicates_received,
            data_chunks_dropped: self.stats.data_chunks_dropped,
            timeouts: self.stats.timeouts,
            tail_probes: self.stats.tail_probes,
            black_holes: self.stats.black_holes,
            sacks_sent: self.stats.sacks_sent,
            sacks_received: self.stats.sacks_received,
        }
    }

    fn buffered(&self) -> usize {
        self.queue.bytes + self.flight.outstanding
    }

    /// Whether nothing is queued and everything sent was acknowledged: a message sent now would wait for no other.
    pub fn is_drained(&self) -> bool {
        self.buffered() == 0
    }

    /// Whether [`poll_transmit`](Layer::poll_transmit) may have something to write; if not it gives `None`, whatever the time,
    /// until something is handed in, queued or due. As such a call would, it takes note that there was nothing to send.
    pub fn wants_transmit(&mut self) -> bool {
        let quiet = self.state == State::Established
            && self.queue.is_empty()
            && !self.inbound.ack.due()
            && !self.flight.wants_transmit()
            && !self.path_mtu.is_due()
            && !self.due.any()
            && self.outbox.is_none()
            && self.reset.is_idle();
        if quiet {
            self.note_want_of_data();
        }
        !quiet
    }

    /// Whether the peer is to be told at once of what arrived, or of room that reading made (RFC 9260 sections 6.2 and 6.2.1).
    pub fn owes_sack(&self) -> bool {
        self.inbound.ack.due()
    }

    /// Whether a reset of our outgoing stream was asked for and is not done.
    pub(crate) fn is_resetting(&self, stream: u16) -> bool {
        self.queue.is_resetting(stream)
    }

    /// The next message, if one is whole and its turn has come. Taking it opens the receive window again.
    pub fn receive(&mut self) -> Option<Message> {
        let message = self.inbound.take()?;
        self.give_back(message.payload.len());
        Some(message)
    }

    /// Takes the buffer of a message that [`receive`](Self::receive) gave, to use it for one to come: then receiving
    /// allocates nothing. Of no use while anybody else holds a part of it.
    pub fn recycle(&mut self, payload: Bytes) {
        self.inbound.recycle(payload);
    }

    /// Whether there may be events or messages to take.
    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        !self.events.is_empty()
            || self.inbound.has_ready()
            || self.refused.is_some()
            || self.queue.has_told()
            || self.flight.has_notices()
    }

    /// The next message; its room stays taken until [`give_back`](Self::give_back).
    pub(crate) fn take_message(&mut self) -> Option<Message> {
        self.inbound.take()
    }

    /// The application took a message of `len` bytes.
    pub(crate) fn give_back(&mut self, len: usize) {
        if self.inbound.give_back(len, self.mtu) && self.state == State::Established {
            self.inbound.ack.now();
        }
    }

    /// `len` bytes of a message that stays held turned out to be nothing.
    pub(crate) fn give_back_part(&mut self, len: usize) {
        self.inbound.give_back_part(len);
    }

    /// Bytes queued on `stream` and not yet sent for the first time.
    pub fn buffered_amount(&self, stream: u16) -> usize {
        self.queue.buffered(stream)
    }

    /// Sets the peer's port. Ignored once the association has begun, and for port 0, which no packet may bear.
    pub fn set_remote_port(&mut self, port: u16) {
        if self.state == State::Closed && port != 0 {
            self.ports.1 = port;
        }
    }

    /// Sets when [`Event::BufferedAmountLow`] is reported. Default 0 bytes.
    pub fn set_buffered_amount_low_threshold(&mut self, stream: u16, bytes: usize) {
        self.queue.set_threshold(stream, bytes);
    }

    /// Gives back what traffic took and is not needed now, as the timer of heartbeats does
    /// ([`Config::heartbeat_interval`](crate::Config::heartbeat_interval)): for who has thousands of them.
    pub fn shrink_to_fit(&mut self) {
        if self.flight.is_empty() {
            self.rest();
        }
    }

    /// Nothing has happened for a while: memory that much traffic took is given back.
    fn rest(&mut self) {
        self.inbound.ack.rest();
        self.flight.rest();
        self.queue.rest();
        self.inbound.rest();
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
    }

    fn event(&mut self, event: Event) {
        if self.events.len() < MAX_EVENTS {
            self.events.push_back(event);
        }
    }

    fn push_control(&mut self, chunk: Vec<u8>) {
        let control = &mut self.outbox.get_or_insert_default().control;
        if control.len() < MAX_CONTROL {
            control.push_back(chunk);
        } else {
            self.stats.chunks_dropped += 1;
        }
    }

    fn clear_control(&mut self) {
        if let Some(outbox) = &mut self.outbox {
            outbox.control.clear();
        }
    }

    #[inline]
    fn has_replies(&self) -> bool {
        self.outbox.as_ref().is_some_and(|outbox| !outbox.replies.is_empty())
    }

    #[inline]
    fn has_control(&self) -> bool {
        self.outbox.as_ref().is_some_and(|outbox| !outbox.control.is_empty())
    }

    /// Memory of an outbox that is empty is given back.
    fn tidy_outbox(&mut self) {
        self.outbox.take_if(|outbox| outbox.replies.is_empty() && outbox.control.is_empty());
    }

    /// Queues what answers the packet being handled. All of that must fit one packet (section 12.4): what does not is
    /// left unsaid.
    fn answer(&mut self, chunk: Vec<u8>) {
        if chunk.len() <= self.room_to_answer() {
            self.answered += chunk.len();
            self.push_control(chunk);
        } else {
            self.stats.chunks_dropped += 1;
        }
    }

    /// Bytes that one more answer to the packet being handled may have.
    fn room_to_answer(&self) -> usize {
        let whole = self.mtu - packet::HEADER_LEN;
        if self.answered == 0 { whole } else { whole.saturating_sub(self.answered + sack::SACK_LEN) }
    }

    fn push_reply(&mut self, tag: u32, chunk: Vec<u8>) {
        let replies = &mut self.outbox.get_or_insert_default().replies;
        if replies.len() < MAX_CONTROL {
            replies.push_back(Reply { tag, chunk });
        }
    }

    fn push_error(&mut self, cause: &Cause<'_>) {
        let mut chunk = Vec::new();
        abort::write_error(&mut chunk, cause);
        self.push_control(chunk);
    }

    /// Ends it, telling the peer (RFC 9260 section 9.1). What was queued is lost.
    pub fn abort(&mut self, _now: Instant) {
        if self.over {
            return;
        }
        self.send_abort(&Cause::UserInitiatedAbort(b""));
        self.end();
        self.event(Event::Closed);
    }

    fn send_abort(&mut self, cause: &Cause<'_>) {
        if self.peer_tag != 0 {
            let mut chunk = Vec::new();
            abort::write_abort(&mut chunk, 0, Some(cause));
            if let Some(outbox) = &mut self.outbox {
                outbox.replies.clear();
            }
            self.push_reply(self.peer_tag, chunk);
        }
    }

    /// Everything stops; messages received stay to be read, replies to be sent.
    fn end(&mut self) {
        self.state = State::Closed;
        self.over = true;
        self.timers.stop_all();
        self.due = Due::default();
        self.clear_control();
        self.queue.clear();
        self.queue.give_up(self.flight.drain_notices());
        self.flight.restart(self.flight.next_tsn(), false);
    }

    /// It dies of `error`; the peer is told where that is fitting.
    fn fail(&mut self, error: AssociationError) -> AssociationError {
        match error {
            AssociationError::ProtocolViolation(what) => self.send_abort(&Cause::ProtocolViolation(what.as_bytes())),
            AssociationError::RetransmissionLimit | AssociationError::PathTooSmall { .. } => {
                self.send_abort(&Cause::UserInitiatedAbort(b""));
            }
            AssociationError::NoAnswer | AssociationError::PeerAborted { .. } => {}
        }
        self.end();
        self.dead = Some(Box::new(error.clone()));
        error
    }
}

/// A Verification Tag: any number but 0.
fn new_tag(rng: &mut Rng) -> u32 {
    loop {
        let tag = rng.u32();
        if tag != 0 {
            return tag;
        }
    }
}

/// PMDCS: user bytes in the largest DATA chunk.
fn chunk_size(mtu: usize) -> usize {
    mtu.saturating_sub(packet::HEADER_LEN + data::DATA_HEADER_LEN)
}

impl Layer for Association {
    type Input<'d> = &'d [u8];
    type Yield<'s> = ();
    type Route = ();
    type Event = Event;
    type Error = AssociationError;

    fn handle_input(&mut self, now: Instant, packet: &[u8]) -> Result<(), AssociationError> {
        if let Some(error) = &self.dead {
            return Err((**error).clone());
        }
        self.on_packet(now, packet).map_err(|error| self.fail(error))
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), AssociationError> {
        if let Some(error) = &self.dead {
            return Err((**error).clone());
        }
        while let Some(timer) = self.timers.expire(now) {
            self.on_timer(now, timer).map_err(|error| self.fail(error))?;
        }
        Ok(())
    }

    fn poll_transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<()> {
        let wanted = !cfg!(debug_assertions) || self.wants_transmit();
        let sent = self.transmit(now, frame);
        debug_assert!(wanted || sent.is_none(), "what did not want to send has sent");
        sent
    }

    fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        if let Some(stream) = self.queue.take_low() {
            return Some(Event::BufferedAmountLow(stream));
        }
        if let Some(notice) = self.queue.take_given_up() {
            return Some(Event::Abandoned(notice));
        }
        if let Some((notice, delivered)) = self.flight.take_notice() {
            return Some(if delivered { Event::Delivered(notice) } else { Event::Abandoned(notice) });
        }
        if self.refused.is_some_and(|len| self.has_room(len.max(self.worth_telling()))) {
            self.refused = None;
            return Some(Event::Writable);
        }
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}
