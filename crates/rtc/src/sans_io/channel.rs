//! Channels of a peer connection.

use bytes::Bytes;
use weft_core::Instant;
use weft_sctp::{ChannelId, ChannelInfo};
pub use weft_sctp::{ChannelInit as DataChannelInit, ChannelMessage as Message, MessageKind, Reliability};

use super::PeerConnection;
use crate::error::Error;

impl PeerConnection {
    /// Creates a data channel (W3C `createDataChannel`). Allowed before, during and after negotiation; its
    /// [`Event::Open`](crate::Event::Open) follows when the association is up and, in band, as soon as data may be sent (RFC 8832).
    ///
    /// # Errors
    /// [`Error::Closed`], or [`Error::Open`] when the options contradict each other or no stream is left.
    pub fn create_data_channel(&mut self, now: Instant, init: DataChannelInit) -> Result<ChannelId, Error> {
        self.ensure_open()?;
        let id = self.channels.open(now, init)?;
        self.tally.created(id);
        self.channels_wanted = true;
        self.update_negotiation_needed();
        self.settle(now);
        Ok(id)
    }

    /// Queues a message. It is copied when it is sent, not here.
    ///
    /// # Errors
    /// [`Error::Send`]: too large for the peer, not open, or buffers full, in which case [`Event::Writable`](crate::Event::Writable) tells when
    /// to try again. The channel lives on.
    pub fn send(&mut self, now: Instant, id: ChannelId, kind: MessageKind, data: Bytes) -> Result<(), Error> {
        self.ensure_open()?;
        let bytes = data.len();
        self.channels.send(now, id, kind, data)?;
        self.tally.sent(id, bytes, true);
        Ok(())
    }

    /// The next message that arrived on the channel. Until it is taken it counts against the receive buffer, so a slow
    /// reader slows the sender. Messages that arrived before a channel closed can be taken after.
    pub fn receive(&mut self, id: ChannelId) -> Option<Message> {
        let message = self.channels.receive(id)?;
        self.tally.received(id, message.data.len(), true);
        Some(message)
    }

    /// Lends the next message of the channel to `read`, and gives what that makes of it. Its buffer is used again for messages
    /// to come: in steady state, receiving so allocates nothing. Else as [`receive`](Self::receive).
    pub fn receive_with<T>(&mut self, id: ChannelId, read: impl FnOnce(MessageKind, &[u8]) -> T) -> Option<T> {
        let Message { kind, data } = self.receive(id)?;
        let made = read(kind, &data);
        self.recycle(data);
        Some(made)
    }

    /// Takes the buffer of a message that was received, to use it for one to come, if nobody else holds a part of it.
    pub fn recycle(&mut self, data: Bytes) {
        self.channels.recycle(data);
    }

    /// Closes a channel (W3C `close`): what is queued is delivered first. [`Event::Closed`](crate::Event::Closed) follows when both directions
    /// are reset.
    pub fn close_data_channel(&mut self, now: Instant, id: ChannelId) {
        self.channels.close(now, id);
        self.settle(now);
    }

    /// Drops the messages of a channel that wait to be read, and so opens the peer's window again. A closed channel is
    /// forgotten with them.
    pub fn discard(&mut self, id: ChannelId) {
        self.channels.discard(id);
    }

    /// Bytes of the channel's messages that were queued and not yet sent for the first time (W3C `bufferedAmount`).
    pub fn buffered_amount(&self, id: ChannelId) -> usize {
        self.channels.buffered_amount(id)
    }

    /// Sets the threshold for [`Event::BufferedAmountLow`](crate::Event::BufferedAmountLow), in bytes.
    pub fn set_buffered_amount_low_threshold(&mut self, id: ChannelId, bytes: usize) {
        self.channels.set_buffered_amount_low_threshold(id, bytes);
    }

    /// Label, protocol, options, stream and state of a channel.
    pub fn data_channel(&self, id: ChannelId) -> Option<ChannelInfo<'_>> {
        self.channels.info(id)
    }

    /// The channels and the association under them.
    pub fn data_channels(&self) -> &weft_sctp::DataChannels {
        &self.channels
    }

    pub(super) fn ensure_open(&self) -> Result<(), Error> {
        if self.states.closed { Err(Error::Closed) } else { Ok(()) }
    }
}
