//! Taking messages from the application.

use core::time::Duration;

use bytes::Bytes;
use weft_core::{Instant, Serial32};

use super::Association;
use crate::error::SendError;
use crate::event::State;
use crate::message::{Reliability, SendOptions};
use crate::outbound::{OutMessage, Piece, Pieces, Scheduler};
use crate::wire::data;

/// Message number `turn` of the association, with what `options` say.
#[inline]
fn message(
    now: Instant,
    stream: u16,
    ppid: u32,
    payload: Bytes,
    options: &SendOptions,
    pieces: Option<Box<Pieces>>,
    turn: u64,
) -> OutMessage {
    let (max_retransmits, expires) = match options.reliability {
        Reliability::Reliable => (u16::MAX, Instant::FAR_FUTURE),
        Reliability::MaxRetransmits(n) => (n.min(u16::MAX - 1), Instant::FAR_FUTURE),
        Reliability::MaxLifetime(millis) => (u16::MAX, now + Duration::from_millis(u64::from(millis))),
    };
    let flags = if options.ordered { data::BEGIN } else { data::BEGIN | data::UNORDERED };
    let piece = Piece { payload, ppid, mid: Serial32(0), fsn: 0, stream, max_retransmits, flags, expires };
    OutMessage { piece, pieces, counted: options.counted, notice: options.notice, turn }
}

impl Association {
    /// Queues a message. It is taken in every state before a shutdown, and goes out when the association is up (some of
    /// it already with the COOKIE ECHO).
    ///
    /// # Errors
    /// [`SendError::Full`] leaves the message to the caller until [`Event::Writable`](crate::Event::Writable). The
    /// association lives on after any of them.
    pub fn send(
        &mut self,
        now: Instant,
        stream: u16,
        ppid: u32,
        payload: Bytes,
        options: SendOptions,
    ) -> Result<(), SendError> {
        self.may_send(stream)?;
        if payload.is_empty() {
            return Err(SendError::Empty);
        }
        self.take_room(stream, payload.len())?;
        self.refill_burst = true; // "When the time comes for the sender to transmit"
        self.queue.push(stream, |turn| message(now, stream, ppid, payload, &options, None, turn));
        Ok(())
    }

    /// Begins a message that is given in pieces by [`send_piece`](Self::send_piece), and so may be larger than memory. On
    /// its stream nothing else is taken until its last piece. Where messages are not interleaved nothing else leaves
    /// between its first and last byte either (RFC 9260 section 6.9): then give its pieces swiftly.
    ///
    /// A peer that takes no FORWARD TSN cannot be told that a message was given up; to it, nothing of the message leaves
    /// before all of it was given.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn begin_message(
        &mut self,
        now: Instant,
        stream: u16,
        ppid: u32,
        options: SendOptions,
    ) -> Result<(), SendError> {
        self.may_send(stream)?;
        self.take_room(stream, 0)?;
        let pieces = Some(Box::new(Pieces::new(!self.flight.can_abandon)));
        self.queue.push(stream, |turn| message(now, stream, ppid, Bytes::new(), &options, pieces, turn));
        Ok(())
    }

    /// One more piece of the message begun on `stream`; with `last` the message is complete.
    ///
    /// # Errors
    /// [`SendError::NotBegun`] without [`begin_message`](Self::begin_message); [`SendError::Empty`] when all pieces
    /// together are empty; [`SendError::Full`]; [`SendError::TooLarge`] when it has to be kept whole and the send buffer
    /// cannot hold it.
    pub fn send_piece(&mut self, stream: u16, piece: Bytes, last: bool) -> Result<(), SendError> {
        let Some(open) = self.queue.open(stream) else { return Err(SendError::NotBegun) };
        if self.over {
            return Err(SendError::Closed);
        }
        if last && piece.is_empty() && open.is_blank() {
            return Err(SendError::Empty);
        }
        if open.is_withheld() && open.remaining().saturating_add(piece.len()) > self.config.send_buffer {
            return Err(SendError::TooLarge { limit: self.config.send_buffer as u64 });
        }
        if !piece.is_empty() {
            self.take_room(stream, piece.len())?;
        }
        self.queue.add_piece(stream, piece, last);
        Ok(())
    }

    /// Gives up everything queued and outstanding on a stream, if the peer can be told (RFC 3758); what was begun is
    /// finished else. A message being given in pieces ends here.
    pub fn abandon_stream(&mut self, stream: u16) {
        self.abandon(stream, None);
    }

    /// As [`abandon_stream`](Self::abandon_stream), but for messages of Payload Protocol Identifier `ppid`.
    pub(crate) fn abandon_all_but(&mut self, stream: u16, ppid: u32) {
        self.abandon(stream, Some(ppid));
    }

    fn abandon(&mut self, stream: u16, keep: Option<u32>) {
        self.queue.drop_waiting(stream, keep);
        if self.flight.can_abandon {
            if self.queue.front_ppid(stream) != keep {
                self.abandon_begun(stream);
            }
            self.flight.abandon_stream(stream, keep);
        }
    }

    /// Gives up the message at the front of a stream, if part of it was sent.
    pub(super) fn abandon_begun(&mut self, stream: u16) {
        let Some((unordered, mid)) = self.queue.begun(stream) else { return };
        if !self.flight.abandon_open(stream, unordered, mid)
            && let Some(stub) = self.queue.stub(stream)
        {
            self.flight.push_abandoned(stub);
        }
        self.queue.drop_begun(stream);
        self.flight.forget_open_abandoned(stream);
    }

    /// Gives up the message that is being given in pieces on a stream.
    pub(crate) fn abandon_open(&mut self, stream: u16) {
        self.queue.drop_open(stream);
        if self.flight.can_abandon && self.queue.open(stream).is_some() {
            self.abandon_begun(stream);
        }
    }

    /// Whether messages of different streams are interleaved (RFC 8260).
    pub fn interleaves(&self) -> bool {
        self.extensions.interleaving
    }

    #[inline]
    fn may_send(&self, stream: u16) -> Result<(), SendError> {
        let open = matches!(self.state, State::Closed | State::CookieWait | State::CookieEchoed | State::Established);
        if !open || self.over {
            return Err(SendError::Closed);
        }
        if stream >= self.out_streams {
            return Err(SendError::NotOpen);
        }
        self.queue.may_push(stream)
    }

    /// Queues a short message that must not be refused: ordered, reliable, not counted.
    pub(crate) fn send_control(&mut self, now: Instant, stream: u16, ppid: u32, payload: Bytes) {
        if !self.over && !payload.is_empty() {
            let options = SendOptions { counted: false, ..SendOptions::default() };
            self.queue.push(stream, |turn| message(now, stream, ppid, payload, &options, None, turn));
        }
    }

    /// Room for `len` more bytes on a stream.
    #[inline]
    fn take_room(&mut self, stream: u16, len: usize) -> Result<(), SendError> {
        if self.has_room(len) || (self.queue.is_drained(stream) && self.has_spare(len)) {
            return Ok(());
        }
        self.refused = Some(self.refused.unwrap_or(0).max(len));
        Err(SendError::Full)
    }

    #[inline]
    pub(super) fn has_room(&self, len: usize) -> bool {
        let buffered = self.buffered();
        let after = buffered.saturating_add(len);
        let bytes = buffered == 0 || after <= self.config.send_buffer || after <= self.grown_buffer();
        bytes && self.queue.messages < self.config.max_send_entries
    }

    /// Room that is worth waking those who wait for it: a quarter of the buffer. They were woken for each message that
    /// left else, all of them, and most in vain.
    pub(super) fn worth_telling(&self) -> usize {
        self.config.send_buffer.max(self.grown_buffer()) / 4
    }

    /// A path that holds more than the buffer could never be filled.
    fn grown_buffer(&self) -> usize {
        self.controller.window().saturating_mul(2).min(self.config.max_send_buffer)
    }

    /// A stream with nothing queued is not to wait for those that filled the buffer: half as much again is for them.
    fn has_spare(&self, len: usize) -> bool {
        let most = self.config.send_buffer.saturating_add(self.config.send_buffer / 2);
        self.buffered().saturating_add(len) <= most && self.queue.messages < self.config.max_send_entries
    }

    /// Which stream's data goes next.
    pub fn scheduler(&self) -> Scheduler {
        self.queue.scheduler()
    }

    /// Another scheduler, from the next message on; from the next chunk where messages are interleaved.
    pub fn set_scheduler(&mut self, scheduler: Scheduler) {
        self.queue.set_scheduler(scheduler);
    }

    /// Priority of an outgoing stream: weight of [`Scheduler::WeightedFair`], rank of [`Scheduler::Priority`]. Default 256.
    pub fn priority(&self, stream: u16) -> u16 {
        self.queue.priority(stream)
    }

    /// Sets the priority of an outgoing stream, until it is reset.
    pub fn set_priority(&mut self, stream: u16, priority: u16) {
        self.queue.set_priority(stream, priority);
    }

    /// Hands out messages of an incoming stream in pieces, as they come, so that one may be larger than memory: until the
    /// stream is reset, and ordered messages only (others are handed out whole). See [`Part`](crate::Part).
    pub fn set_piecewise(&mut self, stream: u16, on: bool) {
        let had_ready = self.inbound.has_ready();
        self.inbound.set_piecewise(stream, on);
        if !had_ready && self.inbound.has_ready() {
            self.event(crate::Event::Readable);
        }
    }
}
