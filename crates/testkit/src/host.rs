//! What stands at the ends of links.

use core::fmt;
use std::collections::VecDeque;

use weft_core::{Datagram, Frame, Instant, Layer, Path};

use crate::{A_V4, B_V4};

/// An end of a [`Pair`](crate::Pair): a stack of layers, or one layer in a [`Node`].
pub trait Host {
    /// Told once which path leads to the other side, and again when that changes.
    fn assign(&mut self, path: Path) {
        let _ = path;
    }

    /// A datagram arrived. Several that arrive at the same instant are handed in one after the other before
    /// [`transmit`](Self::transmit) is called.
    fn receive(&mut self, now: Instant, datagram: Datagram<'_>);

    /// Writes the next datagram into the empty `frame`; `None` when there is none.
    fn transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path>;

    /// Called after the last [`transmit`](Self::transmit): the time to collect events.
    fn settle(&mut self, now: Instant) {
        let _ = now;
    }

    /// Fires due timers.
    fn timeout(&mut self, now: Instant);

    /// When [`timeout`](Self::timeout) wants to be called.
    fn next_timeout(&self) -> Option<Instant>;
}

/// A route that a [`Node`] can turn into a path. Implement it for a layer's own kind of route.
pub trait ToPath {
    /// The path to take, given the one to the other side.
    fn to_path(self, assigned: Path) -> Path;
}

impl ToPath for () {
    fn to_path(self, assigned: Path) -> Path {
        assigned
    }
}

impl ToPath for Path {
    fn to_path(self, _: Path) -> Path {
        self
    }
}

type OnYield<L, T> = Box<dyn for<'s> FnMut(&mut T, Instant, <L as Layer>::Yield<'s>)>;

/// One [`Layer`] as a [`Host`].
///
/// It serves every layer whose input can be made of a datagram (`Datagram`, `&mut [u8]`, `&[u8]`) and whose route is a
/// [`Path`] or `()`. What the layer yields goes into `collected`, by a closure given to
/// [`collecting`](Self::collecting); its events are collected in `events`.
///
/// After an error the layer gets neither input nor timeouts, but what it still wants to transmit is sent.
pub struct Node<L: Layer + 'static, T = ()> {
    /// The layer.
    pub layer: L,
    /// What the closure made of the yields.
    pub collected: T,
    /// The events so far that the test has not removed, oldest first.
    pub events: VecDeque<L::Event>,
    /// Why the layer died.
    pub error: Option<L::Error>,
    /// Path to the other side, as assigned.
    pub path: Path,
    on_yield: OnYield<L, T>,
}

impl<L: Layer + 'static> Node<L> {
    /// A node that drops what its layer yields.
    pub fn new(layer: L) -> Self {
        Self::collecting(layer, (), |(), _, _| {})
    }
}

impl<L: Layer + 'static, T> Node<L, T> {
    /// A node that hands what its layer yields to `on_yield`, with `collected` to put it in.
    pub fn collecting<F>(layer: L, collected: T, on_yield: F) -> Self
    where
        F: for<'s> FnMut(&mut T, Instant, L::Yield<'s>) + 'static,
    {
        let path = Path::udp(A_V4, B_V4);
        Self { layer, collected, events: VecDeque::new(), error: None, path, on_yield: Box::new(on_yield) }
    }

    /// Removes and returns the first event for which `wanted` says yes.
    pub fn take_event(&mut self, wanted: impl FnMut(&L::Event) -> bool) -> Option<L::Event> {
        let at = self.events.iter().position(wanted)?;
        self.events.remove(at)
    }
}

impl<L, T> Host for Node<L, T>
where
    L: Layer + 'static,
    L::Route: ToPath,
    for<'d> L::Input<'d>: From<Datagram<'d>>,
{
    fn assign(&mut self, path: Path) {
        self.path = path;
    }

    fn receive(&mut self, now: Instant, datagram: Datagram<'_>) {
        if self.error.is_some() {
            return;
        }
        match self.layer.handle_input(now, datagram.into()) {
            Ok(yielded) => (self.on_yield)(&mut self.collected, now, yielded),
            Err(error) => self.error = Some(error),
        }
    }

    fn transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        Some(self.layer.poll_transmit(now, frame)?.to_path(self.path))
    }

    fn settle(&mut self, _: Instant) {
        self.events.extend(core::iter::from_fn(|| self.layer.poll_event()));
    }

    fn timeout(&mut self, now: Instant) {
        if self.error.is_none() {
            self.error = self.layer.handle_timeout(now).err();
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        if self.error.is_some() { None } else { self.layer.poll_timeout() }
    }
}

impl<L, T> fmt::Debug for Node<L, T>
where
    L: Layer + fmt::Debug,
    L::Event: fmt::Debug,
    L::Error: fmt::Debug,
    T: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("layer", &self.layer)
            .field("collected", &self.collected)
            .field("events", &self.events)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
