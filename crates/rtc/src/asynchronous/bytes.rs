//! A channel as a stream of bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use weft_sctp::SendError;

use super::DataChannel;
use super::channel::At;
use crate::error::Error;
use crate::sans_io::MessageKind;

/// The longest message that a write becomes: what nearly every peer takes.
const MAX_WRITE: usize = 16 * 1024;

/// A data channel as tokio's `AsyncRead` and `AsyncWrite`, made by
/// [`into_byte_stream`](DataChannel::into_byte_stream).
///
/// A read takes from the messages in order, of either kind, and comes to its end when the channel is closed. A write
/// becomes binary messages of up to 16 KiB, or as many bytes as the peer takes (`a=max-message-size`). A flush waits until
/// everything has left the buffer, a shutdown until it is acknowledged and the channel closed: what a write took while there
/// was no room leaves with the next write, a flush or a shutdown, and not if the stream is dropped before. Reads and writes
/// that are given up have taken nothing. The channel should be reliable and ordered.
#[derive(Debug)]
pub struct ByteStream {
    channel: DataChannel,
    /// What is left of the message read last.
    rest: Bytes,
    /// What was written and is not given to the channel yet.
    written: Bytes,
    /// The longest message that the peer takes, as far as it matters.
    most: usize,
}

impl ByteStream {
    pub(super) fn new(channel: DataChannel) -> Self {
        Self { channel, rest: Bytes::new(), written: Bytes::new(), most: MAX_WRITE }
    }

    /// The channel underneath.
    pub fn channel(&self) -> &DataChannel {
        &self.channel
    }

    /// Gives what was written to the channel, in messages that the peer takes.
    fn poll_given(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // What the channel took as a sink goes first.
        ready!(self.channel.poll_room(cx))?;
        while !self.written.is_empty() {
            let piece = self.written.slice(..self.written.len().min(self.most));
            let DataChannel { shared, id, closing, writing, .. } = &mut self.channel;
            let at = At { shared, id: *id };
            match ready!(DataChannel::poll_send(at, cx, MessageKind::Binary, &piece, closing, writing)) {
                Ok(()) => self.written.advance(piece.len()),
                // What the peer takes is known once its description is, which may come after the write.
                Err(Error::Send(SendError::TooLarge { limit })) if (1..piece.len() as u64).contains(&limit) => {
                    self.most = limit as usize;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
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
        ready!(self.poll_given(cx)).map_err(io_error)?;
        let taken = buf.get(..buf.len().min(MAX_WRITE)).unwrap_or_default();
        self.written = Bytes::copy_from_slice(taken);
        // What does not find room waits for the next call.
        match self.poll_given(cx).map_err(io_error) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(taken.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_given(cx)).map_err(io_error)?;
        self.channel.poll_flushed(cx).map_err(io_error)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_given(cx)).map_err(io_error)?;
        self.channel.poll_finish(cx).map_err(io_error)
    }
}
