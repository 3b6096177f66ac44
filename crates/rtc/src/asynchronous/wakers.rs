//! Tasks that wait for one thing.

use std::task::{Context, Waker};

use weft_sctp::ChannelId;

use super::guard::wake_later;
use super::{SharedHandle, State};

/// Tasks to be woken when something happens, each with what it waits for.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    waiting: Vec<Waiting>,
    /// Names the next one.
    next: u64,
}

#[derive(Debug)]
struct Waiting {
    key: u64,
    waker: Waker,
    threshold: usize,
}

impl Wakers {
    /// Wakes the task of `cx` next time. `key` is what was returned before, if this is the same wait going on.
    fn register(&mut self, key: Option<u64>, cx: &Context<'_>, threshold: usize) -> u64 {
        if let Some(known) = self.waiting.iter_mut().find(|waiting| Some(waiting.key) == key) {
            known.waker.clone_from(cx.waker());
            return known.key;
        }
        self.next += 1;
        if self.waiting.is_empty() {
            // Mostly nobody else waits.
            self.waiting.reserve_exact(1);
        }
        self.waiting.push(Waiting { key: self.next, waker: cx.waker().clone(), threshold });
        self.next
    }

    /// Nobody waits under this name any more. Whom it would have woken: to drop that may run a task's end, which no lock is
    /// held for.
    #[must_use]
    fn remove(&mut self, key: u64) -> Option<Waker> {
        let at = self.waiting.iter().position(|waiting| waiting.key == key)?;
        Some(self.waiting.remove(at).waker)
    }

    /// Wakes all of them, once, when the connection is let go of.
    pub(super) fn wake(&mut self) {
        self.waiting.drain(..).for_each(|waiting| wake_later(waiting.waker));
    }

    /// The highest threshold that somebody waits for.
    pub(super) fn highest_threshold(&self) -> Option<usize> {
        self.waiting.iter().map(|waiting| waiting.threshold).max()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

/// What can be waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// An event of the connection.
    Event,
    /// A channel of the other side.
    Incoming,
    /// A change of the connection's state.
    State,
    /// A message on a channel.
    Readable(ChannelId),
    /// Room to send on a channel.
    Writable(ChannelId),
    /// A change of a channel's state.
    ChannelState(ChannelId),
    /// Little enough being buffered on a channel.
    Low(ChannelId),
}

/// One wait. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub(super) struct Waiter {
    what: What,
    /// Whom it waits on, and under which name.
    wait: Option<(SharedHandle, u64)>,
}

impl Waiter {
    pub(super) fn new(what: What) -> Self {
        Self { what, wait: None }
    }

    /// Wakes the task of `cx` when it is worth to look again. `state` is that of `shared`, the same each time.
    pub(super) fn register(&mut self, shared: &SharedHandle, state: &mut State, cx: &Context<'_>) {
        self.register_at(shared, state, cx, 0);
    }

    /// As [`register`](Self::register), for at most `threshold` buffered bytes.
    pub(super) fn register_at(&mut self, shared: &SharedHandle, state: &mut State, cx: &Context<'_>, threshold: usize) {
        let Some(wakers) = state.wakers(self.what) else { return };
        match &mut self.wait {
            Some((_, key)) => *key = wakers.register(Some(*key), cx, threshold),
            None => self.wait = Some((SharedHandle::clone(shared), wakers.register(None, cx, threshold))),
        }
    }

    /// The wait is over.
    pub(super) fn end(&mut self, state: &mut State) {
        let Some((_, key)) = self.wait.take() else { return };
        // It is the running task's: others hold it, too.
        let _ = state.wakers(self.what).and_then(|wakers| wakers.remove(key));
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let Some((shared, key)) = self.wait.take() else { return };
        let _waker = shared.lock().wakers(self.what).and_then(|wakers| wakers.remove(key));
    }
}
