//! TCP and TLS connections of peer connections that are over: they write what they owe, the farewell last, and end.

use std::sync::Arc;
use std::task::Context;

use weft_core::Instant;
use weft_net::AsyncStreamSocket;

use super::driver::Driver;
use super::endpoint::Hub;
use crate::io::Streams;

/// Peer connections whose streams linger, at most: the oldest gives way.
const MAX_LINGERING: usize = 256;

/// Peer connections that are over but for their streams.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    all: Vec<(Streams<AsyncStreamSocket>, Alive)>,
    /// The endpoint had handles when it was looked at last.
    had_handles: bool,
}

/// Counts among the connections of the endpoint.
#[derive(Debug)]
struct Alive(Arc<Hub>);

impl Alive {
    fn new(hub: &Arc<Hub>) -> Self {
        hub.inbox().connections += 1;
        Self(Arc::clone(hub))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.inbox().connections -= 1;
    }
}

impl Lingering {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Until when the first is waited for.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.all.iter().filter_map(|(streams, _)| streams.poll_timeout()).min()
    }

    /// Takes over the streams of a connection that is over.
    pub(super) fn add(&mut self, now: Instant, hub: &Arc<Hub>, mut streams: Streams<AsyncStreamSocket>) {
        streams.leave(now);
        if !streams.is_busy() {
            return;
        }
        if self.all.len() >= MAX_LINGERING {
            self.all.remove(0);
        }
        self.all.push((streams, Alive::new(hub)));
    }
}

impl Driver {
    /// Goes on with the streams that linger. Whether one may have something to do already. Nobody waits for them any more
    /// when the last handle of the endpoint is dropped.
    pub(super) fn linger(&mut self, cx: &mut Context<'_>) -> bool {
        let dropped = std::mem::replace(&mut self.lingering.had_handles, self.wanted) && !self.wanted;
        if dropped {
            self.lingering.all.clear();
        }
        if self.lingering.is_empty() {
            return false;
        }
        let now = self.hub.clock.now();
        self.lingering.all.retain_mut(|(streams, _)| {
            streams.linger(now);
            streams.is_busy()
        });
        // All of them are asked, that each wakes the task.
        self.lingering.all.iter().filter(|(streams, _)| streams.poll_ready(cx)).count() > 0
    }
}
