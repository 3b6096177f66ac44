//! Which sockets are looked at when a connection is polled: a look at an empty one costs a system call, and most are empty.

use std::time::Duration;

use weft_core::Instant;

/// How long after traffic a socket is looked at each time.
const AWAKE: Duration = Duration::from_secs(1);
/// How long no socket goes without a look, and up to 31 ms more.
const SWEEP: Duration = Duration::from_millis(80);

/// Which of the sockets have brought or taken something of late.
#[derive(Debug, Default)]
pub(super) struct Attention {
    awake_until: Vec<Instant>,
    sweep_at: Option<Instant>,
}

impl Attention {
    /// Something came or went by the socket with this index.
    pub(super) fn noticed(&mut self, now: Instant, index: usize) {
        if self.awake_until.len() <= index {
            self.awake_until.resize(index + 1, Instant::ORIGIN);
        }
        if let Some(until) = self.awake_until.get_mut(index) {
            *until = now + AWAKE;
        }
    }

    /// Whether the socket with this index is looked at at any time.
    pub(super) fn is_awake(&self, now: Instant, index: usize) -> bool {
        self.awake_until.get(index).is_some_and(|until| *until > now)
    }

    /// Whether all are to be looked at now. Connections with different `salt` do so at different times: many that began
    /// together are spread over their owner's frames.
    pub(super) fn sweeps(&mut self, now: Instant, salt: u16) -> bool {
        let due = self.sweep_at.is_none_or(|at| at <= now);
        if due {
            self.sweep_at = Some(now + SWEEP + Duration::from_millis(u64::from(salt % 32)));
        }
        due
    }

    /// The sockets are others.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}
