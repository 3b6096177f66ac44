//! Buffers that all connections of a thread share: each needs them for the length of one call, and they are large.

use std::cell::Cell;

use weft_core::{Batch, Limits, Path};
use weft_net::RecvBuffer;

/// Bytes of the send buffer: a full run and room for what did not fit into it.
const SEND_BUFFER: usize = 128 * 1024;

/// Slots of the receive buffer: datagrams, or runs put together by the system, that one read may bring.
const RECEIVE_SLOTS: usize = 8;

thread_local! {
    static RECEIVED: Cell<Option<Box<RecvBuffer>>> = const { Cell::new(None) };
    static SPARE: Cell<Option<Box<Batch<Path>>>> = const { Cell::new(None) };
}

/// Lends the thread's receive buffer, or one of its own to a call within such a call.
pub(crate) fn with_received<T>(read: impl FnOnce(&mut RecvBuffer) -> T) -> T {
    // A thread that ends has no storage any more.
    let lent = RECEIVED.try_with(Cell::take).ok().flatten();
    let mut buffer = lent.unwrap_or_else(|| Box::new(RecvBuffer::with_slots(RECEIVE_SLOTS)));
    let outcome = read(&mut buffer);
    let _ = RECEIVED.try_with(|kept| kept.set(Some(buffer)));
    outcome
}

/// What is to be sent: the thread's send buffer while something is built, one of its own while a socket does not take it.
#[derive(Debug, Default)]
pub(crate) struct Outgoing(Option<Box<Batch<Path>>>);

impl Outgoing {
    /// The batch.
    pub(crate) fn batch(&mut self) -> &mut Batch<Path> {
        self.0.get_or_insert_with(|| {
            let spare = SPARE.try_with(Cell::take).ok().flatten();
            spare.unwrap_or_else(|| Box::new(Batch::new(SEND_BUFFER, Limits::SINGLE)))
        })
    }

    /// Whether a connection may have more to send than went in: else all of it did.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_long(&self) -> bool {
        self.0.as_ref().is_some_and(|batch| batch.len() > SEND_BUFFER / 2)
    }

    /// Gives the buffer back if nothing waits in it.
    pub(crate) fn give_back(&mut self) {
        if let Some(batch) = self.0.take_if(|batch| batch.is_empty()) {
            let _ = SPARE.try_with(|spare| spare.set(Some(batch)));
        }
    }

    /// Drops what waits.
    pub(crate) fn clear(&mut self) {
        if let Some(batch) = &mut self.0 {
            batch.clear();
        }
        self.give_back();
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.clear();
    }
}
