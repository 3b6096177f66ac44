//! Closing a channel ([RFC 8831 section 6.7](https://www.rfc-editor.org/rfc/rfc8831#section-6.7)): in order, after
//! everything is acknowledged, or at once.

use weft_core::Instant;

use super::{ChannelEvent, ChannelId, ChannelState, CloseReason, DataChannels, ppid};
use crate::error::AssociationError;

impl DataChannels {
    /// Closes a channel: what is queued is delivered and acknowledged first, then its streams are reset both ways, then
    /// comes [`ChannelEvent::Closed`]. A message given in pieces that is not complete is given up. On a closed channel it
    /// throws away what was not read.
    pub fn close(&mut self, now: Instant, id: ChannelId) {
        let Some(channel) = self.table.get_mut(id) else { return };
        match (channel.state, channel.stream) {
            (ChannelState::Closed, _) => self.forget(id),
            (ChannelState::Closing, _) => {}
            (_, None) => self.finish_close(id),
            (_, Some(stream)) => {
                channel.state = ChannelState::Closing;
                if channel.writing.take().is_some() {
                    self.association.abandon_open(stream);
                }
                self.association.reset_streams(now, &[stream]);
            }
        }
    }

    /// As [`close`](Self::close), and tells with [`ChannelEvent::Finished`] when everything sent on the channel was
    /// acknowledged (or given up, where its reliability is limited). What the peer still sends can be read until it
    /// closes its side.
    pub fn finish(&mut self, now: Instant, id: ChannelId) {
        if let Some(channel) = self.table.get_mut(id)
            && channel.state != ChannelState::Closed
        {
            channel.finishing = true;
        }
        if self.table.get(id).is_some_and(|c| c.state != ChannelState::Closed) {
            self.close(now, id);
        }
    }

    /// Closes a channel without delivering what is queued or under way: that is given up, what waits to be read is thrown
    /// away, and its streams are reset at once. A channel being closed can still be aborted.
    pub fn abort_channel(&mut self, now: Instant, id: ChannelId) {
        let Some(channel) = self.table.get_mut(id) else { return };
        channel.aborted = true;
        let (state, stream) = (channel.state, channel.stream);
        self.discard(id);
        match (state, stream) {
            (ChannelState::Closed, _) => self.forget(id),
            (_, None) => self.finish_close(id),
            (_, Some(stream)) => {
                // The peer must learn of the channel to close its side: DCEP messages are reliable (RFC 8832 section 6).
                self.association.abandon_all_but(stream, ppid::DCEP);
                self.close(now, id);
            }
        }
        self.pump(now);
    }

    /// Removes a channel with all that was not read.
    pub(super) fn forget(&mut self, id: ChannelId) {
        let Some(channel) = self.table.remove(id) else { return };
        for received in channel.received.iter().filter(|_| !channel.orphan) {
            self.association.give_back(received.charged);
        }
        if channel.incoming {
            let bytes = channel.init.label.len() + channel.init.protocol.len();
            self.label_bytes = self.label_bytes.saturating_sub(bytes);
        }
    }

    pub(super) fn finish_close(&mut self, id: ChannelId) {
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

    /// Everything sent on a stream to be reset was acknowledged.
    pub(super) fn on_flushed(&mut self, stream: u16) {
        if let Some(id) = self.table.on_stream(stream)
            && let Some(channel) = self.table.get_mut(id)
            && core::mem::take(&mut channel.finishing)
        {
            self.events.push_back(ChannelEvent::Finished(id));
        }
    }

    pub(super) fn on_outgoing_reset(&mut self, stream: u16, done: bool) {
        let Some(id) = self.table.on_stream(stream) else { return };
        let Some(channel) = self.table.get_mut(id) else { return };
        channel.outgoing_reset = true;
        if channel.incoming_reset || !done {
            self.finish_close(id);
        }
    }

    /// The peer reset its direction: the channel closes, and we reset ours.
    pub(super) fn on_incoming_reset(&mut self, now: Instant, stream: u16) {
        let Some(id) = self.table.on_stream(stream) else { return };
        let Some(channel) = self.table.get_mut(id) else { return };
        channel.incoming_reset = true;
        if channel.outgoing_reset {
            self.finish_close(id);
        } else if channel.state != ChannelState::Closing {
            channel.reason = CloseReason::Remote;
            self.events.push_back(ChannelEvent::Closing(id));
            self.close(now, id);
        }
    }

    pub(super) fn close_all(&mut self) {
        self.waiting.clear();
        self.connected = false;
        for id in self.table.ids() {
            if let Some(channel) = self.table.get_mut(id) {
                channel.reason = CloseReason::Disconnected;
            }
            self.finish_close(id);
        }
    }

    pub(super) fn disconnected(&mut self, error: Option<AssociationError>) {
        if !core::mem::replace(&mut self.over, true) {
            self.close_all();
            self.events.push_back(ChannelEvent::Disconnected(error));
        }
    }

    /// A message on a stream whose old channel the peer has done with: the old channel is closed, whether or not the
    /// answer to our reset has come.
    pub(super) fn settle_reuse(&mut self, stream: u16) {
        let Some(id) = self.table.on_stream(stream) else { return };
        let closing = self.table.get(id).is_some_and(|c| c.incoming_reset && !c.outgoing_reset);
        if closing && self.association.settle_reset(stream) {
            self.finish_close(id);
        }
    }
}
