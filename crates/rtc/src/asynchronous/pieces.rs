//! Channels beyond sending and receiving whole messages: pieces, delivery, priority, and `abort` beside `close`.

use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use weft_core::Instant;
use weft_sctp::{ChannelId, ChannelPiece, ChannelState, SendError};

use super::wakers::{Waiter, What};
use super::{Channel, DataChannel, SharedHandle, State};
use crate::error::Error;
use crate::sans_io::MessageKind;

/// Somebody waits for what becomes of a message.
struct Watch {
    shared: SharedHandle,
    id: ChannelId,
    notice: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.lock().with_channel(self.id, |channel| {
            channel.outcomes.remove(&self.notice);
        });
    }
}

impl DataChannel {
    /// Sends a message as [`send`](Self::send) and [`send_text`](Self::send_text) do, and waits until all of it was
    /// acknowledged. It waits for the channel to be open. Dropped while it waits for that or for room, the future has sent
    /// nothing; dropped later, the message goes its way unwatched.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`Error::NotDelivered`] when the message was given up.
    pub async fn deliver(&self, kind: MessageKind, data: impl Into<Bytes>) -> Result<(), Error> {
        let data = data.into();
        let mut watch = Watch { shared: SharedHandle::clone(&self.shared), id: self.id, notice: 0 };
        self.shared.lock().with_channel(self.id, |channel| {
            watch.notice = channel.next_notice;
            channel.next_notice += 1;
            channel.outcomes.insert(watch.notice, None);
        });
        let notice = watch.notice;
        self.send_with(|state, now, id| state.core.send_with_notice(now, id, kind, data.clone(), notice)).await?;
        let mut waiter = Waiter::new(What::ChannelState(self.id));
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            let over = state.state_of(self.id) == ChannelState::Closed;
            let outcome = state.channels.get(&self.id).and_then(|channel| channel.outcomes.get(&notice).copied());
            match outcome.flatten() {
                Some(true) => Poll::Ready(Ok(())),
                Some(false) => Poll::Ready(Err(Error::NotDelivered)),
                None if over => Poll::Ready(Err(Error::NotDelivered)),
                None => {
                    waiter.register(&self.shared, &mut state, cx);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Begins a message that is given by [`send_piece`](Self::send_piece), and so may be larger than memory. No other is
    /// sent on the channel until its last piece.
    ///
    /// # Errors
    /// [`Error::Send`] when one is begun already or the channel takes none.
    pub fn begin_message(&self, kind: MessageKind) -> Result<(), Error> {
        self.shared.lock().core.begin_message(self.id, kind)
    }

    /// The next piece of the message begun, after waiting until buffers have room; with `last` the message is complete.
    /// Cancel-safe: a piece is queued whole or not at all.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_piece(&self, piece: impl Into<Bytes>, last: bool) -> Result<(), Error> {
        let piece = piece.into();
        self.send_with(|state, now, id| state.core.send_piece(now, id, piece.clone(), last)).await
    }

    /// Whether messages of an ordered channel are handed out in pieces as they come: read them with
    /// [`recv_piece`](Self::recv_piece).
    pub fn set_piecewise(&self, on: bool) {
        let mut state = self.shared.lock();
        let now = self.shared.now();
        state.core.set_piecewise(now, self.id, on);
        state.dispatch();
    }

    /// The next message, or the next piece of one where they are read in pieces; `None` once the channel is closed and
    /// everything that arrived was taken. Cancel-safe.
    pub async fn recv_piece(&self) -> Option<ChannelPiece> {
        let mut waiter = Waiter::new(What::Readable(self.id));
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if let Some(piece) = state.core.receive_piece(self.id) {
                self.shared.tell_room(state);
                return Poll::Ready(Some(piece));
            }
            if state.state_of(self.id) == ChannelState::Closed {
                return Poll::Ready(None);
            }
            waiter.register(&self.shared, &mut state, cx);
            Poll::Pending
        })
        .await
    }

    /// Closes the channel at once: what is queued or under way is given up, what waits to be received is thrown away.
    pub fn abort(&self) {
        let mut state = self.shared.lock();
        let now = self.shared.now();
        state.core.abort_data_channel(now, self.id);
        state.with_channel(self.id, Channel::wake_all);
        state.dispatch();
        drop(state);
        self.shared.notify();
    }

    /// Changes the priority of what we send: 128 below normal, 256 normal, 512 high, 1024 extra high (RFC 8831 section
    /// 6.4).
    pub fn set_priority(&self, priority: u16) {
        self.shared.lock().core.set_priority(self.id, priority);
    }

    /// Does `send` once the channel is open, as often as it takes until buffers have room.
    async fn send_with(
        &self,
        mut send: impl FnMut(&mut State, Instant, ChannelId) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut opening = Waiter::new(What::ChannelState(self.id));
        let mut room = Waiter::new(What::Writable(self.id));
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            match state.state_of(self.id) {
                ChannelState::Connecting => {
                    opening.register(&self.shared, &mut state, cx);
                    return Poll::Pending;
                }
                ChannelState::Open => {}
                ChannelState::Closing | ChannelState::Closed => return Poll::Ready(Err(Error::Closed)),
            }
            match send(&mut state, self.shared.now(), self.id) {
                Err(Error::Send(SendError::Full)) => {
                    room.register(&self.shared, &mut state, cx);
                    Poll::Pending
                }
                result => {
                    drop(state);
                    self.shared.notify();
                    Poll::Ready(result)
                }
            }
        })
        .await
    }
}
