//! Sending from the caller's task: a message that waits for no other needs no other task to be woken (but one
//! that stays awake for the answer, [`Config::busy_poll`](crate::Config::busy_poll)).

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use weft_core::{Instant, Path, Run, Transport};

use super::guard::Guard;
use super::{Shared, State};
use crate::io::Outgoing;

/// Longer messages, in bytes, leave with what else there is: what the task does for them is little beside the rest.
pub(super) const MAX_DIRECT: usize = 16 * 1024;

/// What a socket did not take.
#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) key: u64,
    pub(super) run: Run<Path>,
    pub(super) bytes: Box<[u8]>,
}

impl State {
    /// Whether a message sent now waits for no other.
    pub(super) fn is_drained(&self) -> bool {
        self.core.data_channels().association().is_drained()
    }
}

impl Shared {
    /// A message was queued. If it is `alone`, it leaves now. Else the task sends it with those that are queued meanwhile:
    /// many packets in one call cost little more than one.
    pub(super) fn send_queued(&self, now: Instant, mut state: Guard<'_>, alone: bool) {
        // Behind what a socket did not take, the task holds back whoever has more.
        let free = |_: &_| alone && !self.queued.load(Ordering::Acquire) && self.hub.owed.load(Ordering::Relaxed) == 0;
        let outlet = state.outlet.as_ref().filter(free).map(Arc::clone);
        let Some(outlet) = outlet else {
            drop(state);
            return self.notify();
        };
        let _entered = self.span.enter();
        let mut outgoing = Outgoing::default();
        let batch = outgoing.batch();
        batch.set_limits(outlet.limits());
        state.core.transmit_channels(now, batch);
        let owes = state.dispatch();
        let deadline = state.core.poll_timeout();
        drop(state);
        while let Some((run, bytes)) = batch.front() {
            let sent = if run.route.transport == Transport::Udp && run.route.local == outlet.local_addr() {
                outlet.try_send(run, bytes)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            };
            match sent {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.hub.push_unsent(Unsent { key: self.key, run: *run, bytes: bytes.into() });
                }
                Err(error) => tracing::debug!(%error, "not sent"),
            }
            batch.sent();
        }
        outgoing.give_back();
        // The task rings early rather than late: it need only hear of what is due before that.
        if owes || deadline.is_some_and(|at| self.alarm().is_none_or(|alarm| at < alarm)) {
            self.notify();
        } else if !self.hub.busy_poll.is_zero() {
            self.hub.wake();
        }
    }

    /// Something was read. If that made room worth telling of, the peer may be waiting for it.
    pub(super) fn tell_room(&self, state: Guard<'_>) {
        let owes = state.core.data_channels().association().owes_sack();
        drop(state);
        if owes {
            self.notify();
        }
    }
}
