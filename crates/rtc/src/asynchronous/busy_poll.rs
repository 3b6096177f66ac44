//! Busy polling ([`Config::busy_poll`](crate::Config::busy_poll)): for a while after something came or went, the driver does not
//! sleep, but asks again.

use std::future::Future;
use std::pin::pin;
use std::task::Context;
use std::time::Duration;

use tokio::task::yield_now;
use weft_core::Instant;

/// When the driver may sleep, and which socket it asks until then.
#[derive(Debug)]
pub(super) struct BusyPoll {
    /// How long it stays awake; zero if it never does.
    window: Duration,
    until: Instant,
    /// The index of the socket that was heard last. Of another one, once interfaces have changed, until the next datagram.
    socket: usize,
}

impl BusyPoll {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, until: Instant::ORIGIN, socket: 0 }
    }

    /// A datagram came by the socket at this index.
    pub(super) fn heard(&mut self, now: Instant, socket: usize) {
        self.socket = socket;
        self.extend(now);
    }

    /// The window begins anew.
    pub(super) fn extend(&mut self, now: Instant) {
        self.until = now + self.window;
    }

    /// Whether this socket is to be asked before anybody has said that something has come by it.
    pub(super) fn asks(&self, now: Instant, socket: usize) -> bool {
        socket == self.socket && self.is_awake(now)
    }

    /// Whether the driver does not sleep now.
    pub(super) fn is_awake(&self, now: Instant) -> bool {
        now < self.until
    }

    /// Has the task polled again, after other tasks that have something to do, and for the most part after the runtime has asked
    /// for events.
    pub(super) fn yield_to_others(cx: &mut Context<'_>) {
        // The first poll registers the wake-up; nothing is left to be waited for.
        let _ = pin!(yield_now()).as_mut().poll(cx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_socket_that_was_heard_last_is_asked_until_the_window_ends() {
        let now = Instant::ORIGIN + MS;
        let mut it = BusyPoll::new(2 * MS);
        assert!(!it.is_awake(now));
        it.heard(now, 3);
        assert!(it.asks(now + MS, 3) && !it.asks(now + MS, 0));
        assert!(!it.is_awake(now + 2 * MS) && !it.asks(now + 2 * MS, 3));
        it.extend(now + 2 * MS);
        assert!(it.asks(now + 3 * MS, 3) && !it.is_awake(now + 4 * MS));
    }

    #[test]
    fn without_a_window_it_is_never_awake() {
        let (mut it, now) = (BusyPoll::new(Duration::ZERO), Instant::ORIGIN + MS);
        it.heard(now, 0);
        assert!(!it.is_awake(now) && !it.asks(now, 0));
        it.extend(now);
        assert!(!it.is_awake(now));
    }
}
