//! The lock of a connection, under which no task is woken: a task may run from within its wake-up, and look at what it was woken
//! by.

use std::cell::RefCell;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;
use std::task::Waker;

use super::State;

thread_local! {
    /// Tasks to be woken once the lock that this thread holds is let go of.
    static DUE: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// Wakes a task as soon as this thread lets go of the connection.
pub(super) fn wake_later(waker: Waker) {
    // A thread that ends has no storage any more, and nothing that runs on it.
    let mut waker = Some(waker);
    let _ = DUE.try_with(|due| due.borrow_mut().extend(waker.take()));
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The state of a connection, locked. A thread locks one at a time.
#[derive(Debug)]
pub(super) struct Guard<'a> {
    // Fields are dropped in this order.
    state: MutexGuard<'a, State>,
    _due: WakeDue,
}

/// Wakes who is due when it is dropped.
#[derive(Debug)]
struct WakeDue;

impl<'a> Guard<'a> {
    pub(super) fn new(state: MutexGuard<'a, State>) -> Self {
        Self { state, _due: WakeDue }
    }
}

impl Drop for WakeDue {
    #[inline]
    fn drop(&mut self) {
        // Mostly there are none.
        if DUE.try_with(|due| !due.borrow().is_empty()).unwrap_or(false) {
            wake_due();
        }
    }
}

fn wake_due() {
    let Ok(mut due) = DUE.try_with(|due| mem::take(&mut *due.borrow_mut())) else { return };
    // Who is woken may lock a connection, and wake others by it.
    due.drain(..).for_each(Waker::wake);
    let _ = DUE.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        // Its room is used again, unless others have come.
        if kept.is_empty() {
            *kept = due;
        }
    });
}

impl Deref for Guard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}
