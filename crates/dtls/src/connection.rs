//! A connection: the handshake, the record layer and their timers put together.

use core::fmt;
use core::ops::Range;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use weft_core::{Frame, Instant, Layer, Overhead, Rng, Seed, Spent, TimerKey, Timers, Wrap};

use crate::acknowledgements::Acknowledgements;
use crate::config::{Config, MIN_MTU};
use crate::early::EarlyRecords;
use crate::error::{Error, ExportError};
use crate::event::{Counters, Event, Memory, SessionInfo};
use crate::flight::Flight;
use crate::handshake::Core;
use crate::negotiation::Handshake;
use crate::reassembly::Reassembly;
use crate::record::RecordLayer;
use crate::records::Records;
use crate::transcript::Transcript;
use crate::verifier::Verifier;
use crate::wire::{Alert, AlertDescription, ContentType};

/// A flight repeated this often goes out in smaller datagrams: perhaps the path takes no larger ones (RFC 6347
/// section 4.1.1.1).
const REPEATS_BEFORE_SMALLER: u32 = 3;
/// The size of those.
const SMALLER_MTU: usize = 512;

/// Which side of the handshake a connection plays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// The side that speaks first.
    Client,
    /// The side that waits.
    Server,
}

impl Role {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Nothing was sent yet.
    Idle,
    /// Messages go back and forth.
    Handshaking,
    /// Application data may flow.
    Connected,
    /// Over.
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    /// The flight was not answered.
    Retransmit,
    /// The handshake has taken too long.
    Deadline,
    /// Part of a flight came, the rest did not follow at once.
    Acknowledge,
}

impl TimerKey for Timer {
    const ALL: &'static [Self] = &[Self::Retransmit, Self::Deadline, Self::Acknowledge];
    fn index(self) -> usize {
        self as usize
    }
}

/// A DTLS connection as a value: see [`Layer`] for the order of calls, and the crate's documentation for an example.
///
/// # After an error
/// Every further call answers with the same error, but [`poll_transmit`](Layer::poll_transmit): it still gives out the
/// fatal alert that tells the peer.
///
/// # Alerts in the clear
/// During the handshake anybody can write a fatal alert, so one that is not protected ends nothing by itself: it is
/// remembered, and the connection dies of it only if then two retransmission timeouts pass without any progress. An
/// honest peer that gave up stays silent, and the handshake ends soon after with its alert as the reason; a forged one
/// has no effect while the true peer answers (RFC 6347 section 4.1.2.7).
pub struct Connection {
    pub(crate) config: Arc<Config>,
    pub(crate) core: Core,
    pub(crate) handshake: Handshake,
    pub(crate) phase: Phase,
    pub(crate) dead: Option<Error>,
    pub(crate) reassembly: Reassembly,
    /// Handshake records of 1.3 that the peer is to be told of.
    pub(crate) acknowledgements: Acknowledgements,
    /// Records of an epoch whose keys are not here yet, as they came.
    pub(crate) early: EarlyRecords,
    /// The newest epoch to read when they were last tried.
    pub(crate) early_tried: u16,
    /// Application data that overtook the peer's Finished.
    pub(crate) undelivered: EarlyRecords,
    /// Application data kept until now, to be yielded by the call that is running.
    pub(crate) ready: VecDeque<Vec<u8>>,
    /// Where in the datagram being handled application data lies.
    pub(crate) spans: Vec<Range<usize>>,
    /// Whether the datagram being handled holds a record later than all before.
    pub(crate) newest: bool,
    pub(crate) timers: Timers<Timer, 3>,
    /// Somebody else repeats flights.
    pub(crate) timer_rests: bool,
    /// The longest handshake datagram.
    pub(crate) mtu: usize,
    pub(crate) initial_rto: Duration,
    pub(crate) rto: Duration,
    /// Whether the current flight has timed out: the next one then keeps its timeout.
    pub(crate) flight_was_repeated: bool,
    /// Number and epoch of the message that our flight answers.
    pub(crate) answered: Option<(u16, u16)>,
    /// When the flight was last begun.
    pub(crate) flight_begun: Instant,
    pub(crate) alert: Option<Alert>,
    /// In which epoch it goes, if not in the newest.
    pub(crate) alert_epoch: Option<u16>,
    /// A fatal alert in the clear, and the timeouts since.
    pub(crate) suspicion: Option<(AlertDescription, u32)>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) info: Option<SessionInfo>,
    pub(crate) counters: Counters,
}

impl Connection {
    /// A connection that has sent nothing yet. A server waits for a ClientHello; a client is to be
    /// [started](Self::start).
    ///
    /// `rng` must be seeded from the operating system's entropy outside of tests: the ephemeral keys come from it.
    pub fn new(config: Arc<Config>, role: Role, mut rng: Rng) -> Self {
        let limits = config.limits;
        let handshake = match role {
            Role::Client => Handshake::Unstarted,
            Role::Server => Handshake::Listening,
        };
        Self {
            handshake,
            phase: Phase::Idle,
            dead: None,
            reassembly: Reassembly::new(&limits),
            acknowledgements: Acknowledgements::default(),
            early: EarlyRecords::new(&limits),
            early_tried: 0,
            undelivered: EarlyRecords::new(&limits),
            ready: VecDeque::new(),
            spans: Vec::new(),
            newest: false,
            timers: Timers::new(),
            timer_rests: false,
            mtu: config.effective_mtu(),
            initial_rto: config.initial_rto,
            rto: config.initial_rto,
            flight_was_repeated: false,
            answered: None,
            flight_begun: Instant::ORIGIN,
            alert: None,
            alert_epoch: None,
            suspicion: None,
            events: VecDeque::new(),
            info: None,
            counters: Counters::default(),
            core: Core {
                config: config.clone(),
                verifier: None,
                seed: Seed::draw(&mut rng),
                records: RecordLayer::new(&limits),
                flight: Flight::default(),
                transcript: Transcript::default(),
                connection_id: None,
                srtp_profile: None,
                application_protocol: None,
                server_name: None,
                notices: Vec::new(),
            },
            config,
        }
    }

    /// Judges the peer's certificate by `verifier` in place of [`Config::verifier`], so that connections to different
    /// peers share a configuration. Has no effect once the certificate came.
    pub fn set_verifier(&mut self, verifier: Verifier) {
        self.core.verifier = Some(verifier);
    }

    /// Begins the handshake of a client. Does nothing for a server, or a second time.
    pub fn start(&mut self, now: Instant) {
        if matches!(self.handshake, Handshake::Unstarted) && self.phase == Phase::Idle {
            let Ok(handshake) = Handshake::start(&mut self.core) else {
                self.fail(Error::Internal("key exchange"));
                return;
            };
            self.handshake = handshake;
            self.begin(now);
            self.arm_flight(now);
        }
    }

    /// Ends the connection in an orderly way: the peer is sent close_notify, and nothing can be wrapped any more. What
    /// still comes is dropped.
    pub fn close(&mut self, _now: Instant) {
        self.end(Alert::CLOSE_NOTIFY);
    }

    /// Ends the connection at once with a fatal alert, for a reason of the application's own: `access_denied`, say. Nothing
    /// can be wrapped any more, and what still comes is dropped. Before the handshake has begun there is nobody to tell: no
    /// alert is sent.
    pub fn abort(&mut self, _now: Instant, alert: AlertDescription) {
        self.end(Alert::fatal(alert));
    }

    fn end(&mut self, alert: Alert) {
        match self.phase {
            Phase::Connected | Phase::Handshaking => self.shut(Some(alert)),
            Phase::Idle | Phase::Closed => self.phase = Phase::Closed,
        }
    }

    /// What the handshake agreed on; `None` before it ended.
    pub fn info(&self) -> Option<&SessionInfo> {
        self.info.as_ref()
    }

    /// Whether application data may flow.
    pub fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What the connection holds for the peer's sake now.
    pub fn memory(&self) -> Memory {
        Memory {
            reassembly: self.reassembly.bytes(),
            early: self.early.bytes().saturating_add(self.undelivered.bytes()),
            flight: self.core.flight.held(),
        }
    }

    /// Sets the first retransmission timeout of flights to come, when the round trip becomes known after
    /// [`new`](Self::new). A flight that waits already keeps its timer.
    pub fn set_initial_rto(&mut self, rto: Duration) {
        self.initial_rto = rto;
        if self.phase == Phase::Idle {
            self.rto = rto;
        }
    }

    /// Sets the longest handshake datagram, as [`Config::mtu`] does: for when the path's MTU becomes known, or changes. What
    /// is sent from now on is cut to it.
    pub fn set_mtu(&mut self, mtu: usize) {
        self.mtu = mtu.max(MIN_MTU);
    }

    /// Fills `out` with keying material for another protocol (RFC 5705 section 4, RFC 8446 section 7.5): the same on
    /// both sides, for the same `label` and `context`. No context and an empty one differ in 1.2, and are the same in 1.3.
    pub fn export_keying_material(
        &self,
        label: &str,
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), ExportError> {
        if self.info.is_none() {
            return Err(ExportError::NotConnected);
        }
        let secrets = match &self.handshake {
            Handshake::Client12(client) => client.secrets(),
            Handshake::Server12(server) => server.secrets(),
            Handshake::Session13(session) => return session.export(label, context, out),
            _ => None,
        };
        secrets.ok_or(ExportError::NotConnected)?.export(label, context, out)
    }

    /// The handshake begins.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.phase = Phase::Handshaking;
        self.timers.set(Timer::Deadline, now + self.config.handshake_timeout);
    }

    /// A new flight waits for an answer. The timeout starts over unless the flight before this one needed repeating
    /// (RFC 6347 section 4.2.4.1).
    pub(crate) fn arm_flight(&mut self, now: Instant) {
        self.flight_begun = now;
        if !self.timer_rests {
            self.timers.set(Timer::Retransmit, now + self.rto);
        }
    }

    /// Ends all: what is pending is dropped, but for `last`.
    pub(crate) fn shut(&mut self, last: Option<Alert>) {
        self.phase = Phase::Closed;
        self.timers.stop_all();
        self.acknowledgements.clear();
        self.early.clear();
        self.undelivered.clear();
        self.core.transcript.clear();
        // A peer that has not seen our flight has no use for the epoch after it.
        self.alert_epoch = self.core.flight.unsent_epoch();
        self.core.flight.begin();
        self.alert = last;
        if last.is_none() {
            self.core.records.wipe();
        }
    }

    /// Dies of `error`, telling the peer if there is something to tell.
    pub(crate) fn fail(&mut self, error: Error) -> Error {
        tracing::debug!(%error, "connection failed");
        self.shut(error.alert_sent().map(Alert::fatal));
        self.dead = Some(error);
        error
    }

    fn retransmission_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if let Some((alert, timeouts)) = &mut self.suspicion {
            *timeouts += 1;
            if *timeouts >= 2 {
                let alert = *alert;
                return Err(self.fail(Error::AlertReceived(alert)));
            }
        }
        self.reassembly.drop_contradicted();
        if self.core.flight.is_empty() {
            // All of ours arrived: what is missing is the peer's to send again, once it knows what came.
            self.acknowledgements.send_now();
        } else {
            self.core.flight.rewind();
            self.flight_was_repeated = true;
            self.counters.retransmissions += 1;
        }
        self.rto = self.rto.saturating_mul(2).min(self.config.max_rto.max(self.initial_rto));
        self.arm_flight(now);
        Ok(())
    }

    /// The longest datagram for the flight now.
    pub(crate) fn flight_mtu(&self) -> usize {
        let mtu = self.mtu;
        if self.core.flight.repeats() < REPEATS_BEFORE_SMALLER { mtu } else { mtu.clamp(MIN_MTU, SMALLER_MTU) }
    }

    /// Whether [`poll_transmit`](Layer::poll_transmit) may have something to write; if not, it gives `None`.
    pub fn wants_transmit(&self) -> bool {
        let begins = match &self.handshake {
            Handshake::Session13(session) if self.phase == Phase::Connected => {
                session.is_used_up(&self.core) || (self.core.flight.is_empty() && session.wants_flight(&self.core))
            }
            _ => false,
        };
        begins || self.acknowledgements.is_due() || self.core.flight.is_pending() || self.alert.is_some()
    }

    /// After the handshake of 1.3: begins a flight of one message if there is one to send and nothing else is on its way.
    fn begin_message(&mut self, now: Instant) {
        self.end_without_epochs();
        let Handshake::Session13(session) = &mut self.handshake else { return };
        if self.phase == Phase::Connected && self.core.flight.is_empty() && session.begin_flight(&mut self.core) {
            self.rto = self.initial_rto;
            self.arm_flight(now);
        }
    }

    /// Writes the ACK that is due and what is pending of the flight; gives the number of records.
    fn write_handshake(&mut self, frame: &mut Frame<'_>) -> u64 {
        let acknowledge = self.acknowledgements.is_due();
        if !acknowledge && !self.core.flight.is_pending() {
            return 0;
        }
        let mtu = self.flight_mtu();
        frame.cap(mtu);
        self.core.flight.fit(mtu);
        // It has a datagram of its own, so that the flight is cut the same way with it and without.
        if acknowledge && self.acknowledgements.write(&mut self.core.records, frame) {
            return 1;
        }
        let whole = frame.len();
        self.core.flight.write(&mut self.core.records, frame).unwrap_or_else(|_| {
            frame.truncate(whole);
            0
        })
    }

    /// Writes the alert that is pending.
    fn write_alert(&mut self, frame: &mut Frame<'_>) -> bool {
        let Some(alert) = self.alert else { return false };
        let epoch = self.alert_epoch.unwrap_or_else(|| self.core.records.write_epoch());
        let sent = self.core.records.append(frame, epoch, ContentType::ALERT, &[&alert.to_bytes()]);
        if sent == Err(Spent::NoRoom) {
            return false;
        }
        self.alert = None;
        if self.phase == Phase::Closed {
            self.core.records.wipe();
        }
        sent.is_ok()
    }
}

impl Layer for Connection {
    /// One datagram, opened in place.
    type Input<'d> = &'d mut [u8];
    type Yield<'s> = Records<'s>;
    /// Where the layer below sends it is its own affair.
    type Route = ();
    type Event = Event;
    type Error = Error;

    fn handle_input<'s>(&'s mut self, now: Instant, datagram: &'s mut [u8]) -> Result<Records<'s>, Error> {
        self.spans.clear();
        self.newest = false;
        if let Some(error) = self.dead {
            return Err(error);
        }
        self.receive(now, datagram)?;
        Ok(Records::new(&mut self.ready, datagram, &self.spans, self.newest))
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if let Some(error) = self.dead {
            return Err(error);
        }
        while let Some(timer) = self.timers.expire(now) {
            match timer {
                Timer::Retransmit => self.retransmission_timeout(now)?,
                Timer::Acknowledge => self.acknowledgements.send_now(),
                Timer::Deadline => {
                    let error = self.suspicion.map_or(Error::TimedOut, |(alert, _)| Error::AlertReceived(alert));
                    return Err(self.fail(error));
                }
            }
        }
        Ok(())
    }

    fn poll_transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<()> {
        let wanted = !cfg!(debug_assertions) || self.wants_transmit();
        self.begin_message(now);
        let mut records = self.write_handshake(frame);
        if records == 0 {
            records = u64::from(self.write_alert(frame));
        }
        debug_assert!(wanted || records == 0, "what did not want to send has sent");
        self.counters.records_sent += records;
        (records > 0).then_some(())
    }

    fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if self.events.is_empty() && self.events.capacity() > 0 {
            // After the handshake there are hardly any.
            self.events = VecDeque::new();
        }
        event
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}

impl Wrap for Connection {
    fn overhead(&self) -> Option<Overhead> {
        self.is_connected().then(|| self.core.records.overhead(self.core.records.write_epoch())).flatten()
    }

    fn wrap(&mut self, frame: &mut Frame<'_>) -> Result<(), Spent> {
        if !self.is_connected() {
            return Err(Spent::NoKeys);
        }
        self.core.records.wrap(frame, ContentType::APPLICATION_DATA)?;
        self.counters.records_sent += 1;
        Ok(())
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("phase", &self.phase)
            .field("info", &self.info)
            .field("dead", &self.dead)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_acks;
#[cfg(test)]
mod tests_epochs;
#[cfg(test)]
mod tests_strict;
#[cfg(test)]
mod tests_v13;
