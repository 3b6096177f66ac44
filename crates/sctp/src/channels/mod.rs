//! Data channels ([RFC 8831](https://www.rfc-editor.org/rfc/rfc8831), [RFC 8832](https://www.rfc-editor.org/rfc/rfc8832)).

mod event;
mod open;
mod table;

use std::collections::VecDeque;

use bytes::Bytes;
use weft_core::{Frame, Instant, Layer, Rng};

pub use event::{
    ChannelEvent, ChannelId, ChannelInfo, ChannelInit, ChannelMessage, ChannelState, CloseReason, MessageKind, Role,
};
use table::{Channel, Table};

use crate::error::{AssociationError, SendError};
use crate::event::Event;
use crate::message::{Message, SendOptions};
use crate::{Association, Config};

/// Payload Protocol Identifiers (RFC 8831 section 8, RFC 8832 section 8.1).
mod ppid {
    pub(super) const DCEP: u32 = 50;
    pub(super) const STRING: u32 = 51;
    pub(super) const BINARY: u32 = 53;
    pub(super) const STRING_EMPTY: u32 = 56;
    pub(super) const BINARY_EMPTY: u32 = 57;
}

/// What a peer takes that says nothing about it in its SDP (RFC 8841 section 6.1).
const DEFAULT_REMOTE_MAX_MESSAGE_SIZE: u64 = 65_536;

/// Data channels over one association.
///
/// Messages not yet read count against the receive window, so that a slow reader slows the sender. Sending is bounded by
/// [`Config::send_buffer`]: [`SendError::Full`] says to wait for [`ChannelEvent::Writable`].
#[derive(Debug)]
pub struct DataChannels {
    association: Association,
    role: Option<Role>,
    remote_max: Option<u64>,
    table: Table,
    /// Channels that have no stream id because the role is not known.
    waiting: VecDeque<ChannelId>,
    events: VecDeque<ChannelEvent>,
    max_channels: usize,
    label_bytes: usize,
    max_label_bytes: usize,
    connected: bool,
    over: bool,
    /// Messages dropped: on no channel, of unknown kind, or malformed.
    dropped: u64,
}

impl DataChannels {
    /// Data channels over an association not yet set up.
    pub fn new(config: Config, rng: Rng) -> Self {
        Self {
            role: None,
            remote_max: Some(DEFAULT_REMOTE_MAX_MESSAGE_SIZE),
            table: Table::default(),
            waiting: VecDeque::new(),
            events: VecDeque::new(),
            max_channels: config.max_channels,
            label_bytes: 0,
            max_label_bytes: config.max_label_bytes,
            connected: false,
            over: false,
            dropped: 0,
            association: Association::new(config, rng),
        }
    }

    /// The association underneath.
    pub fn association(&self) -> &Association {
        &self.association
    }

    /// Messages that were dropped because they were on no channel, of no known kind, or malformed.
    pub fn dropped_messages(&self) -> u64 {
        self.dropped
    }

    /// Starts to set the association up.
    pub fn connect(&mut self, now: Instant) {
        self.association.connect(now);
    }

    /// The peer's `max-message-size`: `None` for no limit. Until it is set, 65,536 bytes (RFC 8841 section 6.1).
    pub fn set_remote_max_message_size(&mut self, bytes: Option<u64>) {
        self.remote_max = bytes;
    }

    /// The channel's stream id, once it has one.
    pub fn stream(&self, id: ChannelId) -> Option<u16> {
        self.table.get(id)?.stream
    }

    /// What is known of a channel; `None` once it is closed and read empty.
    pub fn info(&self, id: ChannelId) -> Option<ChannelInfo<'_>> {
        let channel = self.table.get(id)?;
        Some(ChannelInfo {
            label: &channel.init.label,
            protocol: &channel.init.protocol,
            ordered: channel.init.ordered,
            reliability: channel.init.reliability,
            priority: channel.init.priority,
            negotiated: channel.init.negotiated.is_some(),
            incoming: channel.incoming,
            stream: channel.stream,
            state: channel.state,
        })
    }

    /// Handles of all channels that are not both closed and read empty.
    pub fn ids(&self) -> Vec<ChannelId> {
        self.table.ids()
    }

    /// Queues a message. It may be queued before the association is up, once the channel has a stream. On
    /// [`SendError::Full`] wait for [`ChannelEvent::Writable`].
    pub fn send(&mut self, now: Instant, id: ChannelId, kind: MessageKind, data: Bytes) -> Result<(), SendError> {
        let channel = self.table.get_mut(id).ok_or(SendError::Closed)?;
        if matches!(channel.state, ChannelState::Closing | ChannelState::Closed) {
            return Err(SendError::Closed);
        }
        let stream = channel.stream.ok_or(SendError::NotOpen)?;
        if let Some(limit) = self.remote_max
            && data.len() as u64 > limit
        {
            return Err(SendError::TooLarge { limit });
        }
        // "SCTP does not support the sending of empty user messages": one zero byte goes instead (RFC 8831 section 6.6).
        let (number, payload, counted) = match (kind, data.is_empty()) {
            (MessageKind::Text, false) => (ppid::STRING, data, true),
            (MessageKind::Binary, false) => (ppid::BINARY, data, true),
            (MessageKind::Text, true) => (ppid::STRING_EMPTY, Bytes::from_static(&[0]), false),
            (MessageKind::Binary, true) => (ppid::BINARY_EMPTY, Bytes::from_static(&[0]), false),
        };
        let options = SendOptions {
            ordered: channel.init.ordered || !channel.acknowledged,
            reliability: channel.init.reliability,
            counted,
            notice: None,
        };
        let result = self.association.send(now, stream, number, payload, options);
        if result == Err(SendError::Full) {
            channel.blocked = true;
        }
        result
    }

    /// The next message of a channel. It works on a closed one until that is empty, whereupon the handle is forgotten.
    pub fn receive(&mut self, id: ChannelId) -> Option<ChannelMessage> {
        let channel = self.table.get_mut(id)?;
        let message = channel.received.pop_front();
        if let Some(message) = message.as_ref().filter(|_| !channel.orphan) {
            // An empty message came as one byte.
            self.association.give_back(message.data.len().max(1));
        }
        let done = channel.state == ChannelState::Closed && channel.received.is_empty();
        if done {
            self.forget(id);
        }
        message
    }

    /// How many messages wait to be taken by [`receive`](Self::receive).
    pub fn unread(&self, id: ChannelId) -> usize {
        self.table.get(id).map_or(0, |channel| channel.received.len())
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

    /// Closes a channel: what is queued is delivered and acknowledged first, then its streams are reset both ways, then
    /// comes [`ChannelEvent::Closed`]. On a closed channel it throws away what was not read.
    pub fn close(&mut self, now: Instant, id: ChannelId) {
        let Some(channel) = self.table.get_mut(id) else { return };
        match (channel.state, channel.stream) {
            (ChannelState::Closed, _) => self.forget(id),
            (ChannelState::Closing, _) => {}
            (_, None) => self.finish_close(id),
            (_, Some(stream)) => {
                channel.state = ChannelState::Closing;
                self.association.reset_streams(now, &[stream]);
            }
        }
    }

    /// Shuts the association down in order once everything queued is acknowledged.
    pub fn shutdown(&mut self, now: Instant) {
        self.association.shutdown(now);
        self.pump(now);
    }

    /// Ends the association at once, telling the peer. What was queued is lost.
    pub fn abort(&mut self, now: Instant) {
        self.association.abort(now);
        self.pump(now);
    }

    /// Starts over with a new association, as a new DTLS connection asks for (RFC 8841 section 9.3): channels of the one
    /// before are closed, and what arrived on them can still be read.
    pub fn renew(&mut self, config: Config, rng: Rng) {
        self.close_all();
        for id in self.table.ids() {
            if let Some(channel) = self.table.get_mut(id) {
                channel.orphan = true;
            }
        }
        self.association = Association::new(config, rng);
        (self.role, self.over) = (None, false);
        self.remote_max = Some(DEFAULT_REMOTE_MAX_MESSAGE_SIZE);
    }

    /// Sets the peer's SCTP port, as negotiated (RFC 8841 section 5). Only before the association begins.
    pub fn set_remote_port(&mut self, port: u16) {
        self.association.set_remote_port(port);
    }

    /// Drops the messages that wait to be read, and so gives their room back; of a closed channel, everything.
    pub fn discard(&mut self, id: ChannelId) {
        while self.receive(id).is_some() {}
    }

    /// Removes a channel with all that was not read.
    fn forget(&mut self, id: ChannelId) {
        let Some(channel) = self.table.remove(id) else { return };
        for message in channel.received.iter().filter(|_| !channel.orphan) {
            self.association.give_back(message.data.len().max(1));
        }
        if channel.incoming {
            let bytes = channel.init.label.len() + channel.init.protocol.len();
            self.label_bytes = self.label_bytes.saturating_sub(bytes);
        }
    }

    fn finish_close(&mut self, id: ChannelId) {
        let Some(channel) = self.table.get_mut(id) else { return };
        if channel.state == ChannelState::Closed {
            return;
        }
        channel.state = ChannelState::Closed;
        let (reason, stream, unread) = (channel.reason, channel.stream, !channel.received.is_empty());
        if let Some(stream) = stream {
            self.table.unbind(id, stream);
        }
        self.events.push_back(ChannelEvent::Closed(id, reason));
        if !unread {
            self.forget(id);
        }
    }

    /// Takes over what the association received and reports.
    fn pump(&mut self, now: Instant) {
        while let Some(event) = self.association.poll_event() {
            match event {
                Event::Established => self.on_established(),
                Event::Restarted => self.close_all(),
                Event::Readable | Event::ShuttingDown | Event::Delivered(_) | Event::Abandoned(_) => {}
                Event::Writable => {
                    for id in self.table.ids() {
                        if let Some(channel) = self.table.get_mut(id).filter(|c| c.blocked) {
                            channel.blocked = false;
                            self.events.push_back(ChannelEvent::Writable(id));
                        }
                    }
                }
                Event::BufferedAmountLow(stream) => {
                    if let Some(id) = self.table.on_stream(stream) {
                        self.events.push_back(ChannelEvent::BufferedAmountLow(id));
                    }
                }
                Event::OutgoingReset(stream, done) => self.on_outgoing_reset(stream, done),
                Event::IncomingReset(stream) => {
                    self.take_messages(now);
                    self.on_incoming_reset(now, stream);
                }
                Event::Closed => {
                    self.take_messages(now);
                    self.disconnected(None);
                }
            }
        }
        self.take_messages(now);
    }

    fn on_established(&mut self) {
        if core::mem::replace(&mut self.connected, true) {
            return;
        }
        self.events.push_back(ChannelEvent::Connected);
        let streams = self.association.out_streams().min(self.association.in_streams());
        for id in self.table.ids() {
            let Some(channel) = self.table.get_mut(id) else { continue };
            let Some(stream) = channel.stream else { continue };
            if stream >= streams {
                channel.reason = CloseReason::NoStream;
                self.finish_close(id);
            } else if channel.state == ChannelState::Connecting {
                channel.state = ChannelState::Open;
                self.events.push_back(ChannelEvent::Opened(id));
            }
        }
    }

    fn on_outgoing_reset(&mut self, stream: u16, done: bool) {
        let Some(id) = self.table.on_stream(stream) else { return };
        let Some(channel) = self.table.get_mut(id) else { return };
        channel.outgoing_reset = true;
        if channel.incoming_reset || !done {
            self.finish_close(id);
        }
    }

    /// The peer reset its direction: the channel closes, and we reset ours (RFC 8831 section 6.7).
    fn on_incoming_reset(&mut self, now: Instant, stream: u16) {
        let Some(id) = self.table.on_stream(stream) else { return };
        let Some(channel) = self.table.get_mut(id) else { return };
        channel.incoming_reset = true;
        if channel.outgoing_reset {
            self.finish_close(id);
        } else if channel.state != ChannelState::Closing {
            channel.state = ChannelState::Closing;
            channel.reason = CloseReason::Remote;
            self.events.push_back(ChannelEvent::Closing(id));
            self.association.reset_streams(now, &[stream]);
        }
    }

    fn close_all(&mut self) {
        self.waiting.clear();
        self.connected = false;
        for id in self.table.ids() {
            if let Some(channel) = self.table.get_mut(id) {
                channel.reason = CloseReason::Disconnected;
            }
            self.finish_close(id);
        }
    }

    fn disconnected(&mut self, error: Option<AssociationError>) {
        if !core::mem::replace(&mut self.over, true) {
            self.close_all();
            self.events.push_back(ChannelEvent::Disconnected(error));
        }
    }

    fn take_messages(&mut self, now: Instant) {
        while let Some(message) = self.association.take_message() {
            self.on_message(now, message);
        }
    }

    /// A message on a stream whose old channel the peer has done with: the old channel is closed, whether or not the
    /// answer to our reset has come.
    fn settle_reuse(&mut self, stream: u16) {
        let Some(id) = self.table.on_stream(stream) else { return };
        let closing = self.table.get(id).is_some_and(|c| c.incoming_reset && !c.outgoing_reset);
        if closing && self.association.settle_reset(stream) {
            self.finish_close(id);
        }
    }

    fn on_message(&mut self, now: Instant, message: Message) {
        let len = message.payload.len();
        self.settle_reuse(message.stream);
        let (kind, empty) = match message.ppid {
            ppid::DCEP => {
                self.association.give_back(len);
                return self.on_dcep(now, message.stream, &message.payload);
            }
            ppid::STRING => (MessageKind::Text, false),
            ppid::BINARY => (MessageKind::Binary, false),
            ppid::STRING_EMPTY => (MessageKind::Text, true),
            ppid::BINARY_EMPTY => (MessageKind::Binary, true),
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
        if channel.received.is_empty() {
            self.events.push_back(ChannelEvent::Readable(id));
        }
        let data = if empty { Bytes::new() } else { message.payload };
        if empty {
            // Whatever stood for nothing is gone; what stays charged is one byte.
            self.association.give_back_part(len - 1);
        }
        channel.received.push_back(ChannelMessage { kind, data });
    }
}

impl Layer for DataChannels {
    type Input<'d> = &'d [u8];
    type Yield<'s> = ();
    type Route = ();
    type Event = ChannelEvent;
    type Error = AssociationError;

    fn handle_input(&mut self, now: Instant, packet: &[u8]) -> Result<(), AssociationError> {
        let result = self.association.handle_input(now, packet);
        self.pump(now);
        result.inspect_err(|error| self.disconnected(Some(error.clone())))
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), AssociationError> {
        let result = self.association.handle_timeout(now);
        self.pump(now);
        result.inspect_err(|error| self.disconnected(Some(error.clone())))
    }

    fn poll_transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<()> {
        let sent = self.association.poll_transmit(now, frame);
        self.pump(now);
        sent
    }

    fn poll_event(&mut self) -> Option<ChannelEvent> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.association.poll_timeout()
    }
}
