//! The handle of a channel.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use weft_sctp::{ChannelId, ChannelInfo, ChannelState, SendError};

use super::peer::release;
use super::{ChannelWaiters, Shared, SharedHandle, State};
use crate::error::Error;
use crate::sans_io::{Message, MessageKind, Reliability};

/// A data channel: a cheap handle, cloned at will. Messages go to whichever clone asks first.
///
/// When the last handle of a channel is dropped the channel is closed: what was queued is still delivered as long as the
/// connection lives.
#[derive(Debug)]
pub struct DataChannel {
    shared: SharedHandle,
    id: ChannelId,
}

impl DataChannel {
    pub(super) fn new(shared: &Arc<Shared>, state: &mut State, id: ChannelId) -> Self {
        state.handles += 1;
        state.channels.entry(id).or_default().handles += 1;
        Self { shared: Arc::clone(shared), id }
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

    /// Waits until messages can be sent.
    ///
    /// # Errors
    /// [`Error::Closed`] when the channel closed instead.
    pub async fn opened(&self) -> Result<(), Error> {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            match state.state_of(self.id) {
                ChannelState::Open => Poll::Ready(Ok(())),
                ChannelState::Closing | ChannelState::Closed => Poll::Ready(Err(Error::Closed)),
                ChannelState::Connecting => {
                    state.with_channel(self.id, |waiters| waiters.state.register(cx));
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Sends a binary message, after waiting until the channel is open and buffers have room.
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
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            match state.state_of(self.id) {
                ChannelState::Connecting => {
                    state.with_channel(self.id, |waiters| waiters.state.register(cx));
                    return Poll::Pending;
                }
                ChannelState::Open => {}
                ChannelState::Closing | ChannelState::Closed => return Poll::Ready(Err(Error::Closed)),
            }
            let now = self.shared.clock.now();
            match state.core.send(now, self.id, kind, data.clone()) {
                Err(Error::Send(SendError::Full)) => {
                    state.with_channel(self.id, |waiters| waiters.writable.register(cx));
                    Poll::Pending
                }
                result => {
                    state.waiters.driver.wake();
                    Poll::Ready(result)
                }
            }
        })
        .await
    }

    /// The next message; `None` once the channel is closed and everything that arrived was taken. Cancel-safe.
    pub async fn recv(&self) -> Option<Message> {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if let Some(message) = state.core.receive(self.id) {
                // Room was made: the peer may be waiting for a window update.
                state.waiters.driver.wake();
                return Poll::Ready(Some(message));
            }
            if state.state_of(self.id) == ChannelState::Closed {
                return Poll::Ready(None);
            }
            state.with_channel(self.id, |waiters| waiters.readable.register(cx));
            Poll::Pending
        })
        .await
    }

    /// Bytes queued and not yet sent for the first time.
    pub fn buffered_amount(&self) -> usize {
        self.shared.lock().core.buffered_amount(self.id)
    }

    /// Sets the level at which [`buffered_amount_low`](Self::buffered_amount_low) returns, in bytes; 0 at first.
    pub fn set_buffered_amount_low_threshold(&self, bytes: usize) {
        self.shared.lock().core.set_buffered_amount_low_threshold(self.id, bytes);
    }

    /// Waits until no more than `bytes` are buffered, or the channel is closed. Sets the low threshold.
    pub async fn buffered_amount_low(&self, bytes: usize) {
        self.set_buffered_amount_low_threshold(bytes);
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            let closed = state.state_of(self.id) == ChannelState::Closed;
            if closed || state.core.buffered_amount(self.id) <= bytes {
                return Poll::Ready(());
            }
            state.with_channel(self.id, |waiters| waiters.low.register(cx));
            Poll::Pending
        })
        .await;
    }

    /// Begins to close the channel (W3C `close`): what is queued is delivered first.
    pub fn close(&self) {
        let mut state = self.shared.lock();
        let now = self.shared.clock.now();
        state.core.close_data_channel(now, self.id);
        state.with_channel(self.id, ChannelWaiters::wake_all);
        state.dispatch();
        state.waiters.driver.wake();
    }

    /// Waits until the channel is closed in both directions. After [`close`](Self::close) of this side that means that
    /// everything sent was acknowledged, unless the connection failed.
    pub async fn closed(&self) {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if state.state_of(self.id) == ChannelState::Closed {
                return Poll::Ready(());
            }
            state.with_channel(self.id, |waiters| waiters.state.register(cx));
            Poll::Pending
        })
        .await;
    }
}

impl State {
    fn state_of(&self, id: ChannelId) -> ChannelState {
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
        let last = state.channels.get_mut(&self.id).is_some_and(|waiters| {
            waiters.handles = waiters.handles.saturating_sub(1);
            waiters.handles == 0
        });
        if last {
            state.channels.remove(&self.id);
            if !state.core.is_closed() {
                let now = self.shared.clock.now();
                state.core.close_data_channel(now, self.id);
                state.core.discard(self.id);
                state.waiters.driver.wake();
            }
        }
        release(&self.shared, &mut state);
    }
}
