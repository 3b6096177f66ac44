//! Receiving: whole messages, and messages in pieces.

use bytes::Bytes;
use weft_core::Instant;

use super::table::Received;
use super::{ChannelEvent, ChannelId, ChannelMessage, ChannelPiece, ChannelState, DataChannels, MessageKind, ppid};
use crate::message::{Message, Part};

impl DataChannels {
    /// The next message of a channel. It works on a closed one until that is empty, whereupon the handle is forgotten.
    ///
    /// Of a channel that is read in pieces, it gives those messages alone that came in one, and nothing while a piece of
    /// another is next: use [`receive_piece`](Self::receive_piece).
    pub fn receive(&mut self, id: ChannelId) -> Option<ChannelMessage> {
        let channel = self.table.get(id)?;
        match channel.received.front() {
            Some(received) if received.piece.part != Part::Whole => return None,
            _ => {}
        }
        let ChannelPiece { kind, data, .. } = self.receive_piece(id)?;
        Some(ChannelMessage { kind, data })
    }

    /// Lends the next message of a channel to `read`, and gives what that makes of it. Its buffer is used again for messages
    /// to come: in steady state, receiving so allocates nothing. Else as [`receive`](Self::receive).
    pub fn receive_with<T>(&mut self, id: ChannelId, read: impl FnOnce(MessageKind, &[u8]) -> T) -> Option<T> {
        let ChannelMessage { kind, data } = self.receive(id)?;
        let made = read(kind, &data);
        self.recycle(data);
        Some(made)
    }

    /// Takes the buffer of a message that was received, to use it for one to come, if nobody else holds a part of it.
    pub fn recycle(&mut self, data: Bytes) {
        self.association.recycle(data);
    }

    /// The next message of a channel, or the next piece of one where it is read in pieces
    /// ([`set_piecewise`](Self::set_piecewise)).
    pub fn receive_piece(&mut self, id: ChannelId) -> Option<ChannelPiece> {
        let channel = self.table.get_mut(id)?;
        let received = channel.received.pop_front();
        let done = channel.state == ChannelState::Closed && channel.received.is_empty();
        if let Some(received) = received.as_ref().filter(|_| !channel.orphan) {
            self.association.give_back(received.charged);
        }
        if done {
            self.forget(id);
        }
        received.map(|r| r.piece)
    }

    /// How many messages, or pieces of such, wait to be taken.
    pub fn unread(&self, id: ChannelId) -> usize {
        self.table.get(id).map_or(0, |channel| channel.received.len())
    }

    /// Whether the peer's messages are handed out in pieces as they come, so that one may be larger than memory; ordered
    /// channels only, others hand out whole messages all the same. Not read, pieces stop the peer as messages do. The
    /// limit on a message's size then counts what waits to be read, not all of it.
    pub fn set_piecewise(&mut self, now: Instant, id: ChannelId, on: bool) {
        let Some(channel) = self.table.get_mut(id) else { return };
        channel.piecewise = on;
        if let Some(stream) = channel.stream {
            self.association.set_piecewise(stream, on);
            self.pump(now);
        }
    }

    /// Drops the messages that wait to be read, and so gives their room back; of a closed channel, everything.
    pub fn discard(&mut self, id: ChannelId) {
        while self.receive_piece(id).is_some() {}
    }

    pub(super) fn take_messages(&mut self, now: Instant) {
        while let Some(message) = self.association.take_message() {
            self.on_message(now, message);
        }
    }

    /// A message with content goes to its channel.
    #[inline]
    fn on_message(&mut self, now: Instant, message: Message) {
        let kind = match message.ppid {
            ppid::STRING => MessageKind::Text,
            ppid::BINARY => MessageKind::Binary,
            _ => return self.on_other_message(now, message),
        };
        let Some(id) = self.table.on_stream(message.stream) else { return self.on_other_message(now, message) };
        match self.table.get_mut(id) {
            Some(channel) if !channel.incoming_reset && !channel.aborted => {
                channel.acknowledged = true;
                if channel.received.is_empty() {
                    self.events.push_back(ChannelEvent::Readable(id));
                }
                let Message { payload: data, part, .. } = message;
                let charged = data.len();
                channel.received.push_back(Received { piece: ChannelPiece { kind, data, part }, charged });
            }
            _ => self.on_other_message(now, message),
        }
    }

    fn on_other_message(&mut self, now: Instant, message: Message) {
        let (len, part) = (message.payload.len(), message.part);
        self.settle_reuse(message.stream);
        let (kind, empty) = match message.ppid {
            ppid::DCEP if part == Part::Whole => {
                self.association.give_back(len);
                return self.on_dcep(now, message.stream, &message.payload);
            }
            ppid::STRING => (MessageKind::Text, false),
            ppid::BINARY => (MessageKind::Binary, false),
            ppid::STRING_EMPTY => (MessageKind::Text, true),
            ppid::BINARY_EMPTY => (MessageKind::Binary, true),
            _ if part == Part::Abandoned => (MessageKind::Binary, false),
            _ => {
                self.dropped += 1;
                return self.association.give_back(len);
            }
        };
        let Some(id) = self.table.on_stream(message.stream) else {
            self.dropped += 1;
            self.association.give_back(len);
            return self.reject(now, message.stream);
        };
        let Some(channel) = self.table.get_mut(id) else { return };
        channel.acknowledged = true;
        if channel.aborted {
            return self.association.give_back(len);
        }
        if channel.received.is_empty() {
            self.events.push_back(ChannelEvent::Readable(id));
        }
        let mut charged = len;
        let mut data = message.payload;
        if empty && !data.is_empty() {
            // Whatever stood for nothing is gone; what stays charged is one byte.
            data = Bytes::new();
            charged = 1;
            self.association.give_back_part(len - 1);
        }
        channel.received.push_back(Received { piece: ChannelPiece { kind, data, part }, charged });
    }
}
