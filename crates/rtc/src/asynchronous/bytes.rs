//! A channel as a stream of bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::DataChannel;
use crate::error::Error;
use crate::sans_io::{Message, MessageKind};

/// The longest message that a write becomes: what every peer takes.
const MAX_WRITE: usize = 16 * 1024;

/// A data channel as tokio's `AsyncRead` and `AsyncWrite`, made by
/// [`into_byte_stream`](DataChannel::into_byte_stream).
///
/// A read takes from the messages in order, of either kind, and comes to its end when the channel is closed. A write
/// becomes binary messages of up to 16 KiB. A flush waits until everything has left the buffer, a shutdown until it is
/// acknowledged and the channel closed. The channel should be reliable and ordered.
#[derive(Debug)]
pub struct ByteStream {
    channel: DataChannel,
    /// What is left of the message read last.
    rest: Bytes,
}

impl ByteStream {
    pub(super) fn new(channel: DataChannel) -> Self {
        Self { channel, rest: Bytes::new() }
    }

    /// The channel underneath.
    pub fn channel(&self) -> &DataChannel {
        &self.channel
    }
}

fn io_error(error: Error) -> io::Error {
    let kind = if matches!(error, Error::Closed) { io::ErrorKind::BrokenPipe } else { io::ErrorKind::InvalidInput };
    io::Error::new(kind, error)
}

impl AsyncRead for ByteStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.channel).poll_next(cx)) {
                Some(message) => self.rest = message.data,
                None => return Poll::Ready(Ok(())),
            }
        }
        let taken = self.rest.len().min(buf.remaining());
        buf.put_slice(self.rest.get(..taken).unwrap_or_default());
        self.rest.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.channel.poll_room(cx)).map_err(io_error)?;
        let taken = buf.get(..buf.len().min(MAX_WRITE)).unwrap_or_default();
        if taken.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let message = Message { kind: MessageKind::Binary, data: Bytes::copy_from_slice(taken) };
        self.channel.take(message, cx).map_err(io_error)?;
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.channel.poll_flushed(cx).map_err(io_error)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.channel.poll_finish(cx).map_err(io_error)
    }
}
