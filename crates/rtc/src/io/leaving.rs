//! TCP and TLS connections that nobody needs any more, until what they owe is written and both sides have ended.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use weft_core::{Instant, Path, Run};

use super::streams::{Stream, blocked};

/// How long one may take to end.
const LINGER: Duration = Duration::from_secs(2);

/// Connections of one peer connection that linger, at most; the oldest is let go of first.
const MAX_LEAVING: usize = 16;

/// Bytes that one may owe beside the run that its socket has taken: a farewell is short, and what was queued before is not
/// waited for.
const MAX_OWED: usize = 16 * 1024;

/// What waits to be written, in runs.
pub(super) type Backlog = VecDeque<(Run<Path>, Box<[u8]>)>;

/// A connection that ends.
#[derive(Debug)]
struct Leaving<T> {
    socket: T,
    backlog: Backlog,
    until: Instant,
}

/// Connections that end.
#[derive(Debug)]
pub(super) struct Departures<T> {
    all: VecDeque<Leaving<T>>,
}

impl<T> Default for Departures<T> {
    fn default() -> Self {
        Self { all: VecDeque::new() }
    }
}

impl<T> Departures<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Until when the first of them is waited for.
    #[cfg(feature = "tokio")]
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.all.iter().map(|leaving| leaving.until).min()
    }
}

impl<T: Stream> Departures<T> {
    /// Ends a connection.
    pub(super) fn add(&mut self, now: Instant, socket: T, mut backlog: Backlog) {
        let mut owed: usize = backlog.iter().map(|(_, bytes)| bytes.len()).sum();
        while owed > MAX_OWED
            && let Some((_, bytes)) = backlog.pop_front()
        {
            owed -= bytes.len();
        }
        let mut leaving = Leaving { socket, backlog, until: now + LINGER };
        if matches!(leaving.pump(), Ok(false)) {
            if self.all.len() >= MAX_LEAVING {
                self.all.pop_front();
            }
            self.all.push_back(leaving);
        }
    }

    /// Goes as far as it can with each.
    pub(super) fn turn(&mut self, now: Instant) {
        self.all.retain_mut(|leaving| leaving.until > now && matches!(leaving.pump(), Ok(false)));
    }
}

impl<T: Stream> Leaving<T> {
    /// Writes what is owed, then ends. Whether both sides have.
    fn pump(&mut self) -> io::Result<bool> {
        while let Some((run, bytes)) = self.backlog.front() {
            if blocked(self.socket.try_send(run, bytes))?.is_none() {
                return Ok(false);
            }
            self.backlog.pop_front();
        }
        Ok(blocked(self.socket.try_close())?.is_some())
    }
}

#[cfg(feature = "tokio")]
impl Departures<weft_net::AsyncStreamSocket> {
    /// Whether one has something to do; the task is woken when one does.
    pub(super) fn poll_ready(&self, cx: &mut std::task::Context<'_>) -> bool {
        let mut ready = false;
        for leaving in &self.all {
            let writes = leaving.socket.wants_write() || !leaving.backlog.is_empty();
            // What comes is read when everything is written: before that it would only be found ready again.
            ready |=
                if writes { leaving.socket.poll_send_ready(cx) } else { leaving.socket.poll_recv_ready(cx) }.is_ready();
        }
        ready
    }
}
