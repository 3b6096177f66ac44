//! What wakes the endpoint's task and remembers that it did.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

/// Sources that seldom stir ring this, and are asked only when it has rung, or when they are due: not for every datagram.
#[derive(Debug, Default)]
pub(super) struct Bell(Option<Ringing>);

#[derive(Debug)]
struct Ringing {
    rope: Arc<Rope>,
    waker: Waker,
}

#[derive(Debug)]
struct Rope {
    rung: AtomicBool,
    task: Waker,
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // First, so that the task sees it.
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl Bell {
    /// Whether it has rung since the last call, or wakes another task than before: its sources are to be asked, each with
    /// [`waker`](Self::waker).
    pub(super) fn take(&mut self, task: &Waker) -> bool {
        if let Some(Ringing { rope, .. }) = &self.0
            && rope.task.will_wake(task)
        {
            return rope.rung.load(Ordering::Relaxed) && rope.rung.swap(false, Ordering::Acquire);
        }
        let rope = Arc::new(Rope { rung: AtomicBool::new(false), task: task.clone() });
        self.0 = Some(Ringing { waker: Waker::from(Arc::clone(&rope)), rope });
        true
    }

    /// What rings it; before the first [`take`](Self::take), nothing does.
    pub(super) fn waker(&self) -> &Waker {
        self.0.as_ref().map_or(Waker::noop(), |ringing| &ringing.waker)
    }

    /// The sources are to be asked, for a reason that they do not know.
    pub(super) fn ring(&self) {
        self.waker().wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_once_that_it_rang_and_wakes_the_task() {
        #[derive(Default)]
        struct Task(AtomicBool);
        impl Wake for Task {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let (first, second) = (Arc::new(Task::default()), Arc::new(Task::default()));
        let (waker, other) = (Waker::from(Arc::clone(&first)), Waker::from(Arc::clone(&second)));
        let mut bell = Bell::default();
        assert!(bell.take(&waker) && !bell.take(&waker) && !first.0.load(Ordering::Relaxed));
        let rope = bell.waker().clone();
        rope.wake_by_ref();
        assert!(first.0.swap(false, Ordering::Relaxed));
        assert!(bell.take(&waker) && !bell.take(&waker));
        bell.ring();
        assert!(first.0.load(Ordering::Relaxed) && bell.take(&waker));
        // The sources know the waker of the task that was, and are asked anew.
        assert!(bell.take(&other) && !bell.take(&other));
        bell.ring();
        assert!(second.0.load(Ordering::Relaxed));
    }
}
