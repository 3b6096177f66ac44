//! Channels beyond sending and receiving whole messages: pieces, notices, priority, `finish` and `abort`.

use bytes::Bytes;
use weft_core::Instant;
use weft_sctp::{ChannelId, ChannelPiece, MessageKind, Part, Scheduler};

use super::PeerConnection;
use crate::error::Error;

impl PeerConnection {
    /// As [`send`](Self::send); [`Event::Delivered`](crate::Event::Delivered) or
    /// [`Event::Abandoned`](crate::Event::Abandoned) tells with `notice`, a number of the caller's choice, what became of
    /// the message.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_with_notice(
        &mut self,
        now: Instant,
        id: ChannelId,
        kind: MessageKind,
        data: Bytes,
        notice: u64,
    ) -> Result<(), Error> {
        self.ensure_open()?;
        let bytes = data.len();
        self.channels.send_with_notice(now, id, kind, data, notice)?;
        self.tally.sent(id, bytes, true);
        Ok(())
    }

    /// Begins a message that is given by [`send_piece`](Self::send_piece), and so may be larger than memory.
    ///
    /// # Errors
    /// [`Error::Send`] when one is begun already or the channel takes none.
    pub fn begin_message(&mut self, id: ChannelId, kind: MessageKind) -> Result<(), Error> {
        self.ensure_open()?;
        self.channels.begin_message(id, kind)?;
        Ok(())
    }

    /// The next piece of the message begun; with `last` the message is complete.
    ///
    /// # Errors
    /// [`Error::Send`], as for [`send`](Self::send): the piece was not taken, and the message stays as it was.
    pub fn send_piece(&mut self, now: Instant, id: ChannelId, piece: Bytes, last: bool) -> Result<(), Error> {
        self.ensure_open()?;
        let bytes = piece.len();
        self.channels.send_piece(now, id, piece, last)?;
        self.tally.sent(id, bytes, last);
        Ok(())
    }

    /// Whether messages of an ordered channel are handed out in pieces as they come, so that one may be larger than
    /// memory: read them with [`receive_piece`](Self::receive_piece).
    pub fn set_piecewise(&mut self, now: Instant, id: ChannelId, on: bool) {
        self.channels.set_piecewise(now, id, on);
        self.settle(now);
    }

    /// The next message of a channel, or the next piece of one where it is read in pieces.
    pub fn receive_piece(&mut self, id: ChannelId) -> Option<ChannelPiece> {
        let piece = self.channels.receive_piece(id)?;
        self.tally.received(id, piece.data.len(), matches!(piece.part, Part::Whole | Part::Last));
        Some(piece)
    }

    /// Closes a channel as [`close_data_channel`](Self::close_data_channel) does, and tells with
    /// [`Event::Finished`](crate::Event::Finished) when everything sent on it was acknowledged.
    pub fn finish_data_channel(&mut self, now: Instant, id: ChannelId) {
        self.channels.finish(now, id);
        self.settle(now);
    }

    /// Closes a channel without delivering what is queued or under way.
    pub fn abort_data_channel(&mut self, now: Instant, id: ChannelId) {
        self.channels.abort_channel(now, id);
        self.settle(now);
    }

    /// Changes the priority of what we send on a channel: its weight beside the others (RFC 8831 section 6.4).
    pub fn set_priority(&mut self, id: ChannelId, priority: u16) {
        self.channels.set_priority(id, priority);
    }

    /// Another scheduler for what we send on all channels (RFC 8260 section 3); weighted fair queueing by default.
    pub fn set_scheduler(&mut self, scheduler: Scheduler) {
        self.channels.set_scheduler(scheduler);
    }
}
