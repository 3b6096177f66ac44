//! The one interface of all layers.

use crate::{Frame, Instant, Overhead};

/// A protocol layer as a value: bytes and time go in, bytes and events come out, and nothing else happens.
///
/// # Order of calls
/// Hand in what arrived ([`handle_input`](Self::handle_input)) and let due timers fire
/// ([`handle_timeout`](Self::handle_timeout)); then drain, in this order: [`poll_transmit`](Self::poll_transmit) until
/// `None`, [`poll_event`](Self::poll_event) until `None`, and read [`poll_timeout`](Self::poll_timeout). Several
/// datagrams that arrived together are best handed in together before draining: acknowledgements then leave together.
/// No call is ever required for correctness of another; a forgotten drain only delays what it would have given.
///
/// # Errors
/// An `Err` is final: this instance is dead, and says who is to blame. What the network sends wrongly (truncated,
/// forged, replayed, out of window) is counted and dropped, and is never an `Err`.
pub trait Layer {
    /// What comes in: a datagram, or what the layer below yielded of it.
    type Input<'d>
    where
        Self: 'd;
    /// What `handle_input` lends to the layer above. All state changes are finished when it returns: dropping a yield
    /// loses its payload alone.
    type Yield<'s>
    where
        Self: 's;
    /// Where a transmitted frame goes; `()` where the layer below decides.
    type Route;
    /// What happened.
    type Event;
    /// Why this instance is dead.
    type Error;

    /// Handles what arrived at `now`.
    fn handle_input<'s>(&'s mut self, now: Instant, input: Self::Input<'s>) -> Result<Self::Yield<'s>, Self::Error>;

    /// Fires every timer that is due at `now`. Calling it early or often is harmless.
    fn handle_timeout(&mut self, now: Instant) -> Result<(), Self::Error>;

    /// Writes the next datagram into `frame`, which is empty and has its head and tail room reserved; `None`, and the
    /// frame untouched, when there is nothing to send now.
    fn poll_transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Self::Route>;

    /// The next event, oldest first.
    fn poll_event(&mut self) -> Option<Self::Event>;

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; `None` while no timer runs.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// A layer that wraps the datagrams of the layer above in place: DTLS seals, TURN prepends a channel header.
pub trait Wrap {
    /// The room [`wrap`](Self::wrap) takes of every frame; `None` while nothing can be wrapped (no keys yet).
    ///
    /// It is fixed within an epoch. Whatever changes it (a key update, a connection id, a TURN channel bound) starts a
    /// new run in the [`Batch`](crate::Batch), because the lengths then differ.
    fn overhead(&self) -> Option<Overhead>;

    /// Wraps the content of `frame` in place, using exactly [`overhead`](Self::overhead) of its room.
    fn wrap(&mut self, frame: &mut Frame<'_>) -> Result<(), Spent>;
}

/// Why a frame could not be wrapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Spent {
    /// There are no keys (yet, or any more): nothing can be wrapped now.
    #[error("no keys to wrap with")]
    NoKeys,
    /// The keys may seal no more records, and no new ones could be had.
    #[error("the keys may wrap no more")]
    KeysExhausted,
    /// The frame has less head or tail room than `overhead` asks for.
    #[error("the frame has too little room")]
    NoRoom,
}
