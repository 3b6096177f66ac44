//! Lines of standard output, written by a thread of their own so that a reader that is slow, or stops, does not stop the
//! connection.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use serde::Serialize;
use weft_net::Clock;

/// With more than this many bytes unwritten, messages are left in the connection's receive buffer, which slows the peer.
const ENOUGH: usize = 4 * 1024 * 1024;

/// How long [`Output::flush`] waits for a reader that does not read.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way out. Every line gets the time.
#[derive(Debug)]
pub(super) struct Output {
    clock: Clock,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    written: Condvar,
    waker: AtomicWaker,
}

#[derive(Debug, Default)]
struct Queue {
    /// Lines not yet taken by the writer.
    lines: Vec<u8>,
    /// Bytes the writer is busy with.
    writing: usize,
    /// The reader has gone.
    broken: bool,
}

#[derive(Serialize)]
struct Line<'a, T> {
    event: &'a str,
    #[serde(flatten)]
    body: &'a T,
    at_ms: f64,
}

impl Output {
    /// Starts the writer.
    pub(super) fn new(clock: Clock) -> Self {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        std::thread::spawn(move || writer.write(&mut io::stdout()));
        Self { clock, shared }
    }

    /// Writes one event.
    pub(super) fn event(&self, event: &str, body: &impl Serialize) {
        let at_ms = (self.clock.now().as_nanos() / 1_000) as f64 / 1_000.0;
        let mut queue = self.shared.lock();
        let before = queue.lines.len();
        if let Err(error) = serde_json::to_writer(&mut queue.lines, &Line { event, body, at_ms }) {
            queue.lines.truncate(before);
            tracing::error!(%error, event, "an event could not be written");
            return;
        }
        queue.lines.push(b'\n');
        self.shared.filled.notify_one();
    }

    /// Waits until everything is written, or the reader has not read for a second.
    pub(super) fn flush(&self) {
        let queue = self.shared.lock();
        let busy = |queue: &mut Queue| queue.pending() > 0 && !queue.broken;
        drop(self.shared.written.wait_timeout_while(queue, PATIENCE, busy));
    }

    /// Whether so much is unwritten that messages have to wait.
    pub(super) fn is_full(&self) -> bool {
        self.shared.lock().pending() > ENOUGH
    }

    /// Whether nobody reads any more.
    pub(super) fn is_broken(&self) -> bool {
        self.shared.lock().broken
    }

    /// Wakes the task of `cx` when something was written.
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.shared.waker.register(cx.waker());
    }
}

impl Queue {
    fn pending(&self) -> usize {
        self.lines.len() + self.writing
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, out: &mut impl Write) {
        let mut lines = Vec::new();
        loop {
            let queue = self.lock();
            let idle = |queue: &mut Queue| queue.lines.is_empty();
            let mut queue = self.filled.wait_while(queue, idle).unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut queue.lines, &mut lines);
            queue.writing = lines.len();
            drop(queue);
            let result = out.write_all(&lines).and_then(|()| out.flush());
            lines.clear();
            let mut queue = self.lock();
            queue.writing = 0;
            queue.broken = result.is_err();
            drop(queue);
            self.written.notify_all();
            self.waker.wake();
            if result.is_err() {
                return;
            }
        }
    }
}
