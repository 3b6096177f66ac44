//! Busy polling: for a while after something came or went, the driver does not sleep, but asks again.

use std::future::Future;
use std::pin::pin;
use std::task::Context;
use std::time::Duration;

use tokio::task::yield_now;
use weft_core::Instant;

/// When the driver may sleep, and which socket it asks until then.
#[derive(Debug)]
pub(super) struct Vigil {
    /// How long it lasts; zero if never ([`Config::busy_poll`](crate::Config::busy_poll)).
    window: Duration,
    until: Instant,
    /// The place of the socket that something came by last.
    socket: usize,
}

impl Vigil {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, until: Instant::ORIGIN, socket: 0 }
    }

    /// Something came by this socket.
    pub(super) fn heard(&mut self, now: Instant, socket: usize) {
        self.socket = socket;
        self.stirred(now);
    }

    /// An application did something, or a datagram came.
    pub(super) fn stirred(&mut self, now: Instant) {
        self.until = now + self.window;
    }

    /// Whether this socket is to be asked, though nobody has said that something has come by it.
    pub(super) fn watches(&self, now: Instant, socket: usize) -> bool {
        socket == self.socket && self.lasts(now)
    }

    /// Whether the driver stays awake.
    pub(super) fn lasts(&self, now: Instant) -> bool {
        now < self.until
    }

    /// Has the task polled again, once other tasks and the system's events have had their turn.
    pub(super) fn yield_to_others(cx: &mut Context<'_>) {
        // The first poll registers the wake-up; nothing is left to be waited for.
        let _ = pin!(yield_now()).as_mut().poll(cx);
    }
}
