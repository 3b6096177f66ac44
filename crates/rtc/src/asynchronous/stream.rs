//! A channel as `Stream` and `Sink` of messages.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;

use super::DataChannel;
use super::channel::At;
use crate::error::Error;
use crate::sans_io::Message;

impl Stream for DataChannel {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let Self { shared, id, reading, .. } = &mut *self;
        Self::poll_recv(At { shared, id: *id }, cx, reading)
    }
}

impl DataChannel {
    /// Sends what the sink took and the channel did not: then there is room for another message.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { shared, id, closing, writing, pending, .. } = self;
        let Some(message) = pending.take() else { return Poll::Ready(Ok(())) };
        let polled = Self::poll_send(At { shared, id: *id }, cx, message.kind, &message.data, closing, writing);
        if polled.is_pending() {
            *pending = Some(message);
        }
        polled
    }

    /// Waits until all that was sent has left the buffer.
    pub(super) fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        let Self { shared, id, flushing, .. } = self;
        Self::poll_low(At { shared, id: *id }, cx, 0, flushing).map(Ok)
    }

    /// Sends the rest, closes, and waits until everything was acknowledged.
    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        self.close();
        let Self { shared, id, closing, .. } = self;
        Self::poll_finished(At { shared, id: *id }, cx, closing)
    }
}

impl Sink<Message> for DataChannel {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_room(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.pending = Some(message);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_flushed(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_finish(cx)
    }
}
