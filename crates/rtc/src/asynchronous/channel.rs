//! The handle of a channel.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use weft_core::Instant;
use weft_sctp::{ChannelId, ChannelInfo, ChannelState, CloseReason, SendError};

use super::bytes::ByteStream;
use super::direct::MAX_DIRECT;
use super::peer::release;
use super::wakers::{Waiter, What};
use super::{Channel, Shared, SharedHandle, State};
use crate::error::Error;
use crate::sans_io::{Message, MessageKind, Reliability};

/// A data channel: a cheap handle, cloned at will. Messages go to whichever clone asks first.
///
/// It is also a `Stream` of [`Message`]s, which ends when the channel is closed, and a `Sink` for them, whose flush waits
/// until all have left the buffer and whose close is [`finish`](Self::finish); and
/// [`into_byte_stream`](Self::into_byte_stream) makes it tokio's `AsyncRead` and `AsyncWrite`. A message that the sink took
/// while there was no room is the handle's: flush or close the sink before the handle is dropped.
///
/// When the last handle of a channel is dropped the channel is closed: what was queued is still delivered as long as the
/// connection lives.
#[derive(Debug)]
pub struct DataChannel {
    pub(super) shared: SharedHandle,
    pub(super) id: ChannelId,
    /// For the `Stream` and `Sink`.
    pub(super) reading: Waiter,
    pub(super) writing: Waiter,
    pub(super) flushing: Waiter,
    pub(super) closing: Waiter,
    /// What the `Sink` took and the channel did not yet.
    pub(super) pending: Option<Message>,
}

/// A channel, apart from what its handle keeps.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) shared: &'a SharedHandle,
    pub(super) id: ChannelId,
}

impl DataChannel {
    pub(super) fn new(shared: &Arc<Shared>, state: &mut State, id: ChannelId) -> Self {
        state.handles += 1;
        state.channel(id).handles += 1;
        Self {
            reading: Waiter::new(What::Readable(id)),
            writing: Waiter::new(What::Writable(id)),
            flushing: Waiter::new(What::Low(id)),
            closing: Waiter::new(What::ChannelState(id)),
            pending: None,
            shared: Arc::clone(shared),
            id,
        }
    }

    /// Its label; empty once it is closed and read to the end.
    pub fn label(&self) -> String {
        self.info(|info| info.label.to_owned()).unwrap_or_default()
    }

    /// Its subprotocol; empty once it is closed and read to the end.
    pub fn protocol(&self) -> String {
        self.info(|info| info.protocol.to_owned()).unwrap_or_default()
    }

    /// Its stream (W3C `id`); `None` before the DTLS roles are known.
    pub fn stream(&self) -> Option<u16> {
        self.info(|info| info.stream).flatten()
    }

    /// Whether messages keep their order.
    pub fn is_ordered(&self) -> bool {
        self.info(|info| info.ordered).unwrap_or(true)
    }

    /// How hard delivery is tried.
    pub fn reliability(&self) -> Reliability {
        self.info(|info| info.reliability).unwrap_or(Reliability::Reliable)
    }

    fn at(&self) -> At<'_> {
        At { shared: &self.shared, id: self.id }
    }

    fn info<T>(&self, read: impl FnOnce(ChannelInfo<'_>) -> T) -> Option<T> {
        self.shared.lock().core.data_channel(self.id).map(read)
    }

    /// `readyState`.
    pub fn state(&self) -> ChannelState {
        self.shared.lock().state_of(self.id)
    }

    /// The handle that [`sans_io`](crate::sans_io) knows it by.
    pub fn id(&self) -> ChannelId {
        self.id
    }

    /// Waits until messages can be sent. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::Closed`] when the channel closed instead.
    pub async fn opened(&self) -> Result<(), Error> {
        let mut waiter = Waiter::new(What::ChannelState(self.id));
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            match state.state_of(self.id) {
                ChannelState::Open => Poll::Ready(Ok(())),
                ChannelState::Closing | ChannelState::Closed => Poll::Ready(Err(Error::Closed)),
                ChannelState::Connecting => {
                    waiter.register(&self.shared, &mut state, cx);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Sends a binary message, after waiting until buffers have room. It may be given before the channel is open: once both
    /// descriptions are known it is queued, and leaves as soon as SCTP may send, a round trip before the channel opens.
    ///
    /// Cancel-safe: a message is queued whole or not at all.
    ///
    /// # Errors
    /// [`Error::Send`] when it is larger than the peer accepts (the channel lives on); [`Error::Closed`].
    pub async fn send(&self, data: impl Into<Bytes>) -> Result<(), Error> {
        self.send_message(MessageKind::Binary, data.into()).await
    }

    /// Sends a text message; else as [`send`](Self::send).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_text(&self, text: impl Into<String>) -> Result<(), Error> {
        self.send_message(MessageKind::Text, Bytes::from(text.into())).await
    }

    async fn send_message(&self, kind: MessageKind, data: Bytes) -> Result<(), Error> {
        let mut opening = Waiter::new(What::ChannelState(self.id));
        let mut room = Waiter::new(What::Writable(self.id));
        poll_fn(|cx| Self::poll_send(self.at(), cx, kind, &data, &mut opening, &mut room)).await
    }

    /// Queues a message, or waits until it can be.
    pub(super) fn poll_send(
        at: At<'_>,
        cx: &mut Context<'_>,
        kind: MessageKind,
        data: &Bytes,
        opening: &mut Waiter,
        room: &mut Waiter,
    ) -> Poll<Result<(), Error>> {
        let mut state = at.shared.lock();
        if matches!(state.state_of(at.id), ChannelState::Closing | ChannelState::Closed) {
            return Poll::Ready(Err(Error::Closed));
        }
        let (now, alone) = (at.shared.now(), state.is_drained());
        match state.core.send(now, at.id, kind, data.clone()) {
            // It has no stream before the descriptions are exchanged.
            Err(Error::Send(SendError::NotOpen)) => {
                opening.register(at.shared, &mut state, cx);
                Poll::Pending
            }
            Err(Error::Send(SendError::Full)) => {
                room.register(at.shared, &mut state, cx);
                Poll::Pending
            }
            result => {
                at.shared.send_queued(now, state, alone && data.len() <= MAX_DIRECT);
                Poll::Ready(result)
            }
        }
    }

    /// The next message; `None` once the channel is closed and everything that arrived was taken. Cancel-safe.
    pub async fn recv(&self) -> Option<Message> {
        let mut waiter = Waiter::new(What::Readable(self.id));
        poll_fn(|cx| Self::poll_recv(self.at(), cx, &mut waiter)).await
    }

    /// Lends the next message to `read`, and gives what that makes of it; else as [`recv`](Self::recv). The message's buffer
    /// is used again for messages to come: in steady state, receiving so allocates nothing. Cancel-safe.
    pub async fn recv_with<T>(&self, read: impl FnOnce(MessageKind, &[u8]) -> T) -> Option<T> {
        let Message { kind, data } = self.recv().await?;
        // Nothing is locked meanwhile: it may do what it likes.
        let made = read(kind, &data);
        self.shared.lock().core.recycle(data);
        Some(made)
    }

    pub(super) fn poll_recv(at: At<'_>, cx: &mut Context<'_>, waiter: &mut Waiter) -> Poll<Option<Message>> {
        let mut state = at.shared.lock();
        if let Some(message) = state.core.receive(at.id) {
            waiter.end(&mut state);
            at.shared.tell_room(state);
            return Poll::Ready(Some(message));
        }
        if state.state_of(at.id) == ChannelState::Closed {
            return Poll::Ready(None);
        }
        waiter.register(at.shared, &mut state, cx);
        Poll::Pending
    }

    /// Bytes queued and not yet sent for the first time.
    pub fn buffered_amount(&self) -> usize {
        self.shared.lock().core.buffered_amount(self.id)
    }

    /// Waits until no more than `bytes` are buffered, or the channel is closed. Tasks may wait for different amounts at the
    /// same time. Cancel-safe.
    pub async fn buffered_amount_low(&self, bytes: usize) {
        let mut waiter = Waiter::new(What::Low(self.id));
        poll_fn(|cx| Self::poll_low(self.at(), cx, bytes, &mut waiter)).await;
    }

    pub(super) fn poll_low(at: At<'_>, cx: &mut Context<'_>, bytes: usize, waiter: &mut Waiter) -> Poll<()> {
        let mut state = at.shared.lock();
        let closed = state.state_of(at.id) == ChannelState::Closed;
        if closed || state.core.buffered_amount(at.id) <= bytes {
            return Poll::Ready(());
        }
        waiter.register_at(at.shared, &mut state, cx, bytes);
        let highest = state.channels.get(&at.id).and_then(|channel| channel.low.highest_threshold());
        state.core.set_buffered_amount_low_threshold(at.id, highest.unwrap_or(bytes));
        Poll::Pending
    }

    /// Tokio's `AsyncRead` and `AsyncWrite` over this channel: bytes without the bounds of messages.
    pub fn into_byte_stream(self) -> ByteStream {
        ByteStream::new(self)
    }

    /// Closes the channel and waits until everything sent was delivered and acknowledged: nothing is lost. Dropping the
    /// future leaves the channel closing.
    ///
    /// # Errors
    /// [`Error::Closed`] when the connection failed or was closed before that.
    pub async fn finish(&self) -> Result<(), Error> {
        self.close();
        let mut waiter = Waiter::new(What::ChannelState(self.id));
        poll_fn(|cx| Self::poll_finished(self.at(), cx, &mut waiter)).await
    }

    pub(super) fn poll_finished(at: At<'_>, cx: &mut Context<'_>, waiter: &mut Waiter) -> Poll<Result<(), Error>> {
        let mut state = at.shared.lock();
        let reason = state.channels.get(&at.id).and_then(|channel| channel.closed);
        match reason {
            Some(CloseReason::Local | CloseReason::Remote) => return Poll::Ready(Ok(())),
            Some(_) => return Poll::Ready(Err(Error::Closed)),
            None if state.is_over() => return Poll::Ready(Err(Error::Closed)),
            None => {}
        }
        waiter.register(at.shared, &mut state, cx);
        Poll::Pending
    }

    /// Begins to close the channel (W3C `close`): what is queued is delivered first, and what has arrived can be read still.
    pub fn close(&self) {
        let mut state = self.shared.lock();
        // Once more it would wake who waits for this for nothing.
        if !state.close_channel(self.shared.now(), self.id) {
            return;
        }
        state.with_channel(self.id, Channel::wake_all);
        state.dispatch();
        drop(state);
        self.shared.notify();
    }

    /// Waits until the channel is closed in both directions, by whatever way. Cancel-safe.
    pub async fn closed(&self) {
        let mut waiter = Waiter::new(What::ChannelState(self.id));
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if state.state_of(self.id) == ChannelState::Closed {
                return Poll::Ready(());
            }
            waiter.register(&self.shared, &mut state, cx);
            Poll::Pending
        })
        .await;
    }
}

impl State {
    /// Closes a channel unless that was done, by whichever side: the core would throw away what waits to be read. Whether it
    /// did.
    pub(super) fn close_channel(&mut self, now: Instant, id: ChannelId) -> bool {
        let open = matches!(self.state_of(id), ChannelState::Connecting | ChannelState::Open);
        if open {
            self.core.close_data_channel(now, id);
        }
        open
    }

    pub(super) fn state_of(&self, id: ChannelId) -> ChannelState {
        if self.is_over() {
            return ChannelState::Closed;
        }
        self.core.data_channel(id).map_or(ChannelState::Closed, |info| info.state)
    }
}

impl Clone for DataChannel {
    fn clone(&self) -> Self {
        Self::new(&self.shared, &mut self.shared.lock(), self.id)
    }
}

impl Drop for DataChannel {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let last = state.channels.get_mut(&self.id).is_some_and(|channel| {
            channel.handles = channel.handles.saturating_sub(1);
            channel.handles == 0
        });
        let closes = last && !state.core.is_closed();
        if last {
            state.channels.remove(&self.id);
        }
        if closes {
            let now = self.shared.now();
            state.core.close_data_channel(now, self.id);
            state.core.discard(self.id);
        }
        release(&self.shared, state);
        if closes {
            self.shared.notify();
        }
    }
}
