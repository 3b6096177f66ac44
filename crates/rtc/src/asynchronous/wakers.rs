//! Tasks that wait for one thing.

use std::task::{Context, Waker};

/// Tasks to be woken when something happens. Tasks that wait several times are kept once, so the list is as long as the
/// number of tasks that wait at the same time.
#[derive(Debug, Default)]
pub(super) struct Wakers(Vec<Waker>);

impl Wakers {
    /// Wakes the task of `cx` next time.
    pub(super) fn register(&mut self, cx: &Context<'_>) {
        if !self.0.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.0.push(cx.waker().clone());
        }
    }

    /// Wakes all of them, once.
    pub(super) fn wake(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}
