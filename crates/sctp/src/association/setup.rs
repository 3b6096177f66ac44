//! Setting it up ([RFC 9260 section 5](https://www.rfc-editor.org/rfc/rfc9260#section-5)).

use weft_core::{Instant, Serial32};

use super::cookie::StateCookie;
use super::{Association, Due, Timer, new_tag, reset};
use crate::error::AssociationError;
use crate::event::{Event, State};
use crate::inbound::Inbound;
use crate::wire::init::Extensions;
use crate::wire::{Cause, Chunk, Init, Packet, Params, Unknown, abort, kind, padded, param, put_param, shutdown};

/// The most of an INIT's unknown parameters that is reported, bytes.
const MAX_REPORT: usize = 256;

/// The least window an INIT or INIT ACK may offer, bytes (section 3.3.2).
pub(super) const MIN_RWND: u32 = 1500;

/// What the parameters of an INIT or INIT ACK come to.
pub(super) enum Verdict {
    /// Unknown parameters to report, each whole with its padding.
    Fine(Vec<Vec<u8>>),
    /// The association is refused: an ABORT with this cause.
    Refuse(Vec<u8>),
}

fn known(kind: u16, partial_reliability: bool) -> bool {
    matches!(
        kind,
        param::STATE_COOKIE
            | param::UNRECOGNIZED
            | param::IPV4_ADDRESS
            | param::IPV6_ADDRESS
            | param::COOKIE_PRESERVATIVE
            | param::SUPPORTED_ADDRESS_TYPES
            | param::ZERO_CHECKSUM
            | param::SUPPORTED_EXTENSIONS
    ) || (kind == param::FORWARD_TSN_SUPPORTED && partial_reliability)
}

fn refuse(cause: &Cause<'_>) -> Verdict {
    let mut chunk = Vec::new();
    abort::write_abort(&mut chunk, 0, Some(cause));
    Verdict::Refuse(chunk)
}

/// Looks at the parameters by their action bits (section 3.2.1).
pub(super) fn judge(init: &Init<'_>, partial_reliability: bool) -> Verdict {
    if init.outbound_streams == 0 || init.inbound_streams == 0 || init.a_rwnd < MIN_RWND {
        return refuse(&Cause::InvalidParameter);
    }
    if !init.params.well_formed() {
        return refuse(&Cause::ProtocolViolation(b"a parameter's length is impossible"));
    }
    let (mut report, mut reported) = (Vec::new(), 0);
    for p in init.params.clone() {
        if p.kind == param::HOST_NAME_ADDRESS {
            return refuse(&Cause::UnresolvableAddress(p.raw));
        }
        if known(p.kind, partial_reliability) {
            continue;
        }
        let action = Unknown::param(p.kind);
        if action.report && reported + p.raw.len() <= MAX_REPORT {
            reported += p.raw.len();
            report.push(p.raw.to_vec());
        }
        if !action.skip {
            break;
        }
    }
    Verdict::Fine(report)
}

impl Association {
    /// Starts to set the association up. Both sides may.
    pub fn connect(&mut self, now: Instant) {
        if self.state == State::Closed && !self.over {
            self.state = State::CookieWait;
            self.init_count = 0;
            self.init_sent = Some(now);
            self.send_init(now);
        }
    }

    fn send_init(&mut self, now: Instant) {
        self.due.init = true;
        self.timers.set(Timer::T1Init, now + self.rto.get());
    }

    fn offered(&self) -> Extensions {
        Extensions {
            forward_tsn: self.config.partial_reliability,
            re_config: self.config.stream_reset,
            zero_checksum: self.config.zero_checksum,
            interleaving: self.config.interleaving,
            i_forward_tsn: self.config.interleaving && self.config.partial_reliability,
        }
    }

    fn init_fields(&self, tag: u32, tsn: Serial32) -> Init<'static> {
        Init {
            initiate_tag: tag,
            a_rwnd: u32::try_from(self.config.receive_buffer).unwrap_or(u32::MAX).max(MIN_RWND),
            outbound_streams: self.config.out_streams.max(1),
            inbound_streams: self.config.in_streams.max(1),
            initial_tsn: tsn,
            params: Params::new(&[]),
        }
    }

    /// The INIT chunk.
    pub(super) fn init_chunk(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.init_fields(self.local_tag, self.local_initial_tsn).write(&mut out, kind::INIT, self.offered(), |_| {});
        out
    }

    /// What both sides offer.
    pub(super) fn agreed(&self, theirs: Extensions) -> Extensions {
        let ours = self.offered();
        let interleaving = ours.interleaving && theirs.interleaving;
        Extensions {
            // Each belongs to one kind of chunk and must not be used with the other (RFC 8260 section 2.3.1).
            forward_tsn: !interleaving && ours.forward_tsn && theirs.forward_tsn,
            i_forward_tsn: interleaving && ours.i_forward_tsn && theirs.i_forward_tsn,
            interleaving,
            re_config: ours.re_config && theirs.re_config,
            // Each direction is on its own (RFC 9653): this is what the peer takes.
            zero_checksum: theirs.zero_checksum,
        }
    }

    /// An INIT came, in any state (sections 5.1 B, 5.2.1, 5.2.2).
    pub(super) fn on_init(&mut self, now: Instant, init: &Init<'_>) {
        if init.initiate_tag == 0 {
            self.stats.chunks_dropped += 1;
            return;
        }
        if self.state == State::ShutdownAckSent {
            // "it MUST discard the INIT chunk and retransmit the SHUTDOWN ACK chunk" (section 9.2).
            self.due.shutdown_ack = true;
            return;
        }
        let report = match judge(init, self.config.partial_reliability) {
            Verdict::Fine(report) => report,
            Verdict::Refuse(chunk) => return self.push_reply(init.initiate_tag, chunk),
        };
        let (tag, tsn, tie) = match self.state {
            State::Closed | State::CookieWait => (self.local_tag, self.local_initial_tsn, 0),
            State::CookieEchoed => (self.local_tag, self.local_initial_tsn, self.tie),
            // "Create a new random Initiate Tag" for a peer that may have started anew.
            _ => {
                let mut rng = self.seed.rng();
                (new_tag(&mut rng), Serial32(rng.u32()), self.tie)
            }
        };
        let cookie = StateCookie {
            made: now,
            local_tag: tag,
            peer_tag: init.initiate_tag,
            local_tsn: tsn,
            peer_tsn: init.initial_tsn,
            peer_rwnd: init.a_rwnd,
            out_streams: self.config.out_streams.min(init.inbound_streams),
            in_streams: self.config.in_streams.min(init.outbound_streams),
            extensions: self.agreed(init.extensions()),
            tie,
        }
        .seal(&self.cookie_key);
        let mut chunk = Vec::new();
        let mut fields = self.init_fields(tag, tsn);
        // "the value MUST NOT be greater than the MIS value sent in the INIT chunk" (section 3.3.3).
        fields.outbound_streams = fields.outbound_streams.min(init.inbound_streams);
        let mut offered = self.offered();
        offered.zero_checksum &= self.config.zero_checksum_unasked || init.extensions().zero_checksum;
        fields.write(&mut chunk, kind::INIT_ACK, offered, |out| {
            put_param(out, param::STATE_COOKIE, |out| out.extend_from_slice(&cookie));
            for unknown in &report {
                put_param(out, param::UNRECOGNIZED, |out| out.extend_from_slice(unknown));
            }
        });
        self.push_reply(init.initiate_tag, chunk);
    }

    /// An INIT ACK came (section 5.1 C).
    pub(super) fn on_init_ack(&mut self, now: Instant, init: &Init<'_>) -> Result<(), AssociationError> {
        if self.state != State::CookieWait {
            self.stats.chunks_dropped += 1;
            return Ok(()); // "If an INIT ACK chunk is received ... in any state other than COOKIE-WAIT": discard it
        }
        if init.initiate_tag == 0 {
            return Err(AssociationError::ProtocolViolation("INIT ACK with an Initiate Tag of 0"));
        }
        if init.a_rwnd < MIN_RWND {
            // "MUST discard the packet, SHOULD send a packet in response containing an ABORT chunk ... and MUST NOT change
            // the state" (section 3.3.3).
            self.stats.chunks_dropped += 1;
            let mut chunk = Vec::new();
            abort::write_abort(&mut chunk, 0, Some(&Cause::InvalidParameter));
            self.push_reply(init.initiate_tag, chunk);
            return Ok(());
        }
        self.peer_tag = init.initiate_tag;
        let report = match judge(init, self.config.partial_reliability) {
            Verdict::Fine(report) => report,
            Verdict::Refuse(chunk) => {
                self.push_reply(init.initiate_tag, chunk);
                self.peer_tag = 0;
                return Err(AssociationError::ProtocolViolation("INIT ACK with impossible fields"));
            }
        };
        let Some(cookie) = init.params.find(param::STATE_COOKIE) else {
            self.send_abort(&Cause::MissingParameter(param::STATE_COOKIE));
            self.peer_tag = 0;
            return Err(AssociationError::ProtocolViolation("INIT ACK without a cookie"));
        };
        self.cookie = cookie.into();
        self.out_streams = self.config.out_streams.min(init.inbound_streams);
        self.in_streams = self.config.in_streams.min(init.outbound_streams);
        self.extensions = self.agreed(init.extensions());
        self.meet_peer(init.initial_tsn, init.a_rwnd);
        if let Some(sent) = self.init_sent.take() {
            self.rto.sample(now - sent);
        }
        self.timers.stop(Timer::T1Init);
        self.due.init = false;
        self.state = State::CookieEchoed;
        self.init_count = 0;
        self.send_cookie_echo(now);
        if !report.is_empty() {
            let mut all = Vec::new();
            for unknown in report {
                all.resize(padded(all.len()), 0);
                all.extend_from_slice(&unknown);
            }
            self.push_error(&Cause::UnrecognizedParameters(&all));
        }
        Ok(())
    }

    fn send_cookie_echo(&mut self, now: Instant) {
        self.due.cookie_echo = true;
        self.init_sent = Some(now);
        self.timers.set(Timer::T1Cookie, now + self.rto.get());
    }

    /// The peer sends what only an association that is up sends, so it is the COOKIE ACK that was lost: asks for it again,
    /// however far T1-cookie was backed off, but not more often than RTO.Min.
    pub(super) fn ask_for_cookie_ack(&mut self, now: Instant, packet: &Packet<'_>) {
        let up = |chunk: Chunk<'_>| matches!(chunk.kind, kind::DATA | kind::I_DATA | kind::HEARTBEAT);
        let soon = self.init_sent.is_some_and(|sent| now - sent < self.config.rto_min);
        if !soon && packet.chunks().any(up) {
            self.flight.lose_all();
            self.echoed_again = true;
            self.due.cookie_echo = true;
            self.init_sent = Some(now);
        }
    }

    /// The peer's side of the association is known.
    pub(super) fn meet_peer(&mut self, tsn: Serial32, a_rwnd: u32) {
        self.peer_initial_tsn = tsn;
        let interleaving = self.extensions.interleaving;
        self.inbound = Inbound::new(&self.config, tsn, self.in_streams, interleaving);
        self.queue.interleaving = interleaving;
        self.flight.interleaving = interleaving;
        self.flight.a_rwnd = a_rwnd as usize;
        self.flight.can_abandon = self.extensions.forward_tsn || self.extensions.i_forward_tsn;
        if self.flight.can_abandon {
            self.queue.release_withheld();
        }
        self.reset.meet_peer(self.local_initial_tsn, tsn);
    }

    /// A COOKIE ECHO came (sections 5.1 D, 5.1.5, 5.2.4). `false`: what follows it in the packet is not to be looked at.
    pub(super) fn on_cookie_echo(&mut self, now: Instant, packet_tag: u32, bytes: &[u8]) -> bool {
        let Some(cookie) = StateCookie::open(&self.cookie_key, bytes).filter(|c| c.local_tag == packet_tag) else {
            self.stats.chunks_dropped += 1;
            return false;
        };
        let (local, peer) = (cookie.local_tag == self.local_tag, cookie.peer_tag == self.peer_tag);
        let exists = self.state != State::Closed;
        let age = now - cookie.made;
        if age > self.config.cookie_lifetime && !(exists && local && peer) {
            let excess = age.saturating_sub(self.config.cookie_lifetime).as_micros();
            let mut chunk = Vec::new();
            abort::write_error(&mut chunk, &Cause::StaleCookie(u32::try_from(excess).unwrap_or(u32::MAX)));
            self.push_reply(cookie.peer_tag, chunk);
            return false;
        }
        match (exists, local, peer) {
            (false, ..) => self.accept(now, &cookie),
            // Action D: both tags match.
            (true, true, true) => match self.state {
                State::CookieEchoed => self.established(now),
                _ => self.due.cookie_ack = true,
            },
            // Action B: both sides opened at the same time.
            (true, true, false) if matches!(self.state, State::CookieWait | State::CookieEchoed) => {
                self.accept(now, &cookie);
            }
            (true, true, false) if self.state == State::Established => {
                self.peer_tag = cookie.peer_tag;
                self.due.cookie_ack = true;
            }
            // Action A: the peer started anew.
            (true, false, false) if cookie.tie == self.tie => {
                if self.state == State::ShutdownAckSent {
                    let mut chunk = Vec::new();
                    // SHUTDOWN ACK first: by it a peer that started anew knows what to answer (section 8.5.1 E).
                    shutdown::write_ack(&mut chunk);
                    abort::write_error(&mut chunk, &Cause::CookieWhileShuttingDown);
                    self.push_reply(self.peer_tag, chunk);
                    return false;
                }
                self.restart(now, &cookie);
            }
            // Action C and all else: "silently discard".
            _ => {
                self.stats.chunks_dropped += 1;
                return false;
            }
        }
        true
    }

    fn accept(&mut self, now: Instant, cookie: &StateCookie) {
        self.local_tag = cookie.local_tag;
        self.peer_tag = cookie.peer_tag;
        self.out_streams = cookie.out_streams;
        self.in_streams = cookie.in_streams;
        self.extensions = cookie.extensions;
        self.meet_peer(cookie.peer_tsn, cookie.peer_rwnd);
        self.established(now);
    }

    fn established(&mut self, now: Instant) {
        self.timers.stop(Timer::T1Init);
        self.timers.stop(Timer::T1Cookie);
        self.due.init = false;
        self.due.cookie_echo = false;
        self.due.cookie_ack = true;
        self.enter_established(now);
    }

    pub(super) fn enter_established(&mut self, now: Instant) {
        self.state = State::Established;
        self.errors = 0;
        self.init_count = 0;
        self.cookie = Box::default();
        if !self.flight.is_empty() {
            self.timers.set(Timer::T3Rtx, now + self.rto.get());
        }
        self.schedule_heartbeat(now);
        self.start_path_mtu(now);
        self.event(Event::Established);
    }

    fn restart(&mut self, now: Instant, cookie: &StateCookie) {
        self.timers.stop_all();
        self.due = Due::default();
        self.clear_control();
        self.queue.clear();
        self.reset = reset::LazyReset::new(cookie.local_tsn, cookie.peer_tsn);
        self.queue.give_up(self.flight.drain_notices());
        self.flight.restart(cookie.local_tsn, self.config.rack);
        self.local_initial_tsn = cookie.local_tsn;
        self.controller.restart();
        self.timed_out = false;
        self.moved = false;
        self.tie = self.seed.rng().u64();
        self.event(Event::Restarted);
        self.accept(now, cookie);
    }

    /// A COOKIE ACK came (section 5.1 E).
    pub(super) fn on_cookie_ack(&mut self, now: Instant) {
        if self.state != State::CookieEchoed {
            self.stats.chunks_dropped += 1;
            return; // "An endpoint MUST silently discard it"
        }
        self.timers.stop(Timer::T1Cookie);
        self.due.cookie_echo = false;
        self.enter_established(now);
    }

    /// Our cookie came back too late (section 5.2.6): ask for a new one.
    pub(super) fn on_stale_cookie(&mut self, now: Instant) -> Result<(), AssociationError> {
        if self.state != State::CookieEchoed {
            return Ok(());
        }
        self.init_count += 1;
        if self.config.max_init_retransmits.is_some_and(|max| self.init_count > max) {
            return Err(AssociationError::NoAnswer);
        }
        self.timers.stop(Timer::T1Cookie);
        self.due.cookie_echo = false;
        self.state = State::CookieWait;
        self.peer_tag = 0;
        self.flight.lose_all();
        self.init_sent = None;
        self.send_init(now);
        Ok(())
    }

    /// T1-init or T1-cookie expired (sections 4, 5.1.6).
    pub(super) fn on_t1(&mut self, now: Instant) -> Result<(), AssociationError> {
        self.init_count += 1;
        if self.config.max_init_retransmits.is_some_and(|max| self.init_count > max) {
            return Err(AssociationError::NoAnswer);
        }
        self.init_sent = None;
        self.rto.back_off();
        if self.state == State::CookieWait {
            self.send_init(now);
        } else {
            // The data that went with it goes with it again if it is little, else it follows the COOKIE ACK.
            self.flight.lose_all();
            self.echoed_again = true;
            self.send_cookie_echo(now);
        }
        Ok(())
    }
}
