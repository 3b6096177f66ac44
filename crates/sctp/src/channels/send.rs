//! Sending: whole messages, and messages in pieces.

use bytes::Bytes;
use weft_core::Instant;

use super::table::{Channel, Writing};
use super::{ChannelEvent, ChannelId, ChannelState, DataChannels, MessageKind, ppid};
use crate::error::SendError;
use crate::message::SendOptions;

impl DataChannels {
    /// Queues a message. It may be queued before the association is up, once the channel has a stream.
    ///
    /// # Errors
    /// On [`SendError::Full`] wait for [`ChannelEvent::Writable`]; [`SendError::TooLarge`] leaves the channel as it was.
    pub fn send(&mut self, now: Instant, id: ChannelId, kind: MessageKind, data: Bytes) -> Result<(), SendError> {
        self.send_message(now, id, kind, data, None)
    }

    /// As [`send`](Self::send); what becomes of the message is told with `notice`, a number of the caller's choice:
    /// [`ChannelEvent::Delivered`] once all of it was acknowledged, or [`ChannelEvent::Abandoned`].
    ///
    /// # Errors
    /// As [`send`](Self::send). A message that was not taken is not told of.
    pub fn send_with_notice(
        &mut self,
        now: Instant,
        id: ChannelId,
        kind: MessageKind,
        data: Bytes,
        notice: u64,
    ) -> Result<(), SendError> {
        self.send_message(now, id, kind, data, Some(notice))
    }

    fn send_message(
        &mut self,
        now: Instant,
        id: ChannelId,
        kind: MessageKind,
        data: Bytes,
        notice: Option<u64>,
    ) -> Result<(), SendError> {
        let channel = self.table.get(id).ok_or(SendError::Closed)?;
        let stream = channel.writable()?;
        if channel.writing.is_some() {
            return Err(SendError::Unfinished);
        }
        let options = channel.options();
        self.check_size(data.len() as u64)?;
        // "SCTP does not support the sending of empty user messages": one zero byte goes instead (RFC 8831 section 6.6).
        let (payload, empty) = if data.is_empty() { (Bytes::from_static(&[0]), true) } else { (data, false) };
        let notice = notice.map(|notice| self.watch(id, notice));
        let options = SendOptions { counted: !empty, notice, ..options };
        let result = self.association.send(now, stream, number(kind, empty), payload, options);
        if result.is_err()
            && let Some(number) = options.notice
        {
            self.notices.remove(&number);
        }
        if result.is_err() { self.note_full(id, result) } else { result }
    }

    /// Begins a message that is given in pieces, and so may be larger than memory: [`send_piece`](Self::send_piece). Until
    /// its last piece the channel takes no other.
    ///
    /// Where the peer does not interleave messages (RFC 8260), nothing of other channels leaves between its first and last
    /// byte: give the pieces swiftly then ([`interleaves`](crate::Association::interleaves) tells).
    ///
    /// # Errors
    /// [`SendError::Unfinished`] when one is begun already; [`SendError::NotOpen`]; [`SendError::Closed`].
    pub fn begin_message(&mut self, id: ChannelId, kind: MessageKind) -> Result<(), SendError> {
        let channel = self.table.get_mut(id).ok_or(SendError::Closed)?;
        channel.writable()?;
        if channel.writing.is_some() {
            return Err(SendError::Unfinished);
        }
        channel.writing = Some(Writing { kind, len: 0, begun: false });
        Ok(())
    }

    /// The next piece of the message begun; with `last` the message is complete. Pieces may be empty, and all of them
    /// together.
    ///
    /// # Errors
    /// A piece that is refused was not taken: [`SendError::Full`] ([`ChannelEvent::Writable`] follows),
    /// [`SendError::TooLarge`] when the message would exceed what the peer accepts, [`SendError::NotBegun`].
    pub fn send_piece(&mut self, now: Instant, id: ChannelId, piece: Bytes, last: bool) -> Result<(), SendError> {
        let channel = self.table.get(id).ok_or(SendError::Closed)?;
        let writing = channel.writing.ok_or(SendError::NotBegun)?;
        let stream = channel.stream.ok_or(SendError::NotOpen)?;
        let options = channel.options();
        let len = writing.len.saturating_add(piece.len() as u64);
        self.check_size(len)?;
        if len == 0 {
            if last {
                self.set_writing(id, None);
                let result = self.send(now, id, writing.kind, Bytes::new());
                if result.is_err() {
                    self.set_writing(id, Some(writing));
                }
                return result;
            }
            return Ok(());
        }
        if !writing.begun {
            let result = self.association.begin_message(now, stream, number(writing.kind, false), options);
            self.note_full(id, result)?;
            self.set_writing(id, Some(Writing { begun: true, ..writing }));
        }
        let result = self.association.send_piece(stream, piece, last);
        self.note_full(id, result)?;
        self.set_writing(id, (!last).then_some(Writing { len, begun: true, ..writing }));
        Ok(())
    }

    fn set_writing(&mut self, id: ChannelId, writing: Option<Writing>) {
        if let Some(channel) = self.table.get_mut(id) {
            channel.writing = writing;
        }
    }

    fn check_size(&self, len: u64) -> Result<(), SendError> {
        match self.remote_max {
            Some(limit) if len > limit => Err(SendError::TooLarge { limit }),
            _ => Ok(()),
        }
    }

    fn note_full(&mut self, id: ChannelId, result: Result<(), SendError>) -> Result<(), SendError> {
        if result == Err(SendError::Full)
            && let Some(channel) = self.table.get_mut(id)
        {
            channel.blocked = true;
        }
        result
    }

    /// The number by which the association tells of a message that is told of with `notice`.
    fn watch(&mut self, id: ChannelId, notice: u64) -> u64 {
        let number = self.next_notice;
        self.next_notice += 1;
        self.notices.insert(number, (id, notice));
        number
    }

    /// A message that somebody watches was delivered or given up.
    pub(super) fn tell(&mut self, number: u64, delivered: bool) {
        if let Some((id, notice)) = self.notices.remove(&number) {
            self.events.push_back(if delivered {
                ChannelEvent::Delivered(id, notice)
            } else {
                ChannelEvent::Abandoned(id, notice)
            });
        }
    }

    /// Bytes queued on a channel and not yet sent for the first time.
    pub fn buffered_amount(&self, id: ChannelId) -> usize {
        self.stream(id).map_or(0, |stream| self.association.buffered_amount(stream))
    }

    /// Sets when [`ChannelEvent::BufferedAmountLow`] is reported. Default 0 bytes.
    pub fn set_buffered_amount_low_threshold(&mut self, id: ChannelId, bytes: usize) {
        let Some(channel) = self.table.get_mut(id) else { return };
        channel.threshold = bytes;
        if let Some(stream) = channel.stream {
            self.association.set_buffered_amount_low_threshold(stream, bytes);
        }
    }

    /// Changes the priority of what we send on a channel: its weight, where the scheduler is
    /// [`WeightedFair`](crate::Scheduler::WeightedFair) as [`Config::rtc`](crate::Config::rtc) has it. The peer keeps its own.
    pub fn set_priority(&mut self, id: ChannelId, priority: u16) {
        let Some(channel) = self.table.get_mut(id) else { return };
        channel.init.priority = priority;
        if let Some(stream) = channel.stream {
            self.association.set_priority(stream, priority);
        }
    }

    /// Another scheduler for what we send (RFC 8260 section 3).
    pub fn set_scheduler(&mut self, scheduler: crate::Scheduler) {
        self.association.set_scheduler(scheduler);
    }
}

impl Channel {
    /// Its stream, if messages are taken.
    #[inline]
    fn writable(&self) -> Result<u16, SendError> {
        if matches!(self.state, ChannelState::Closing | ChannelState::Closed) {
            return Err(SendError::Closed);
        }
        self.stream.ok_or(SendError::NotOpen)
    }

    #[inline]
    fn options(&self) -> SendOptions {
        SendOptions {
            ordered: self.init.ordered || !self.acknowledged,
            reliability: self.init.reliability,
            ..SendOptions::default()
        }
    }
}

fn number(kind: MessageKind, empty: bool) -> u32 {
    match (kind, empty) {
        (MessageKind::Text, false) => ppid::STRING,
        (MessageKind::Binary, false) => ppid::BINARY,
        (MessageKind::Text, true) => ppid::STRING_EMPTY,
        (MessageKind::Binary, true) => ppid::BINARY_EMPTY,
    }
}
