//! Which sockets are looked at when a connection is polled: a look at an empty one costs a system call, and most are empty.

use std::time::Duration;

use weft_core::Instant;

/// How long after traffic a socket is looked at each time: longer than from one consent check to the next (RFC 7675 section
/// 5.1: 4 to 6 s), so that the one in use is never left.
const AWAKE: Duration = Duration::from_secs(10);
/// How long a socket goes without a look.
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

    /// Whether all are to be looked at now. Where `salt` differs this is at different times: many connections that began
    /// together are spread over their owner's frames.
    pub(super) fn sweeps(&mut self, now: Instant, salt: u16) -> bool {
        let Some(at) = self.sweep_at else {
            self.sweep_at = Some(now + SWEEP * u32::from(salt % 16) / 16);
            return true;
        };
        if at > now {
            return false;
        }
        // In step with the ones before, unless nobody asked for long.
        self.sweep_at = Some((at + SWEEP).max(now));
        true
    }

    /// The sockets are others.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_fall_asleep_and_are_looked_at_now_and_then() {
        let at = Instant::from_millis;
        let mut attention = Attention::default();
        attention.noticed(at(1_000), 2);
        assert!(!attention.is_awake(at(1_000), 0) && !attention.is_awake(at(1_000), 7));
        assert!(attention.is_awake(at(10_999), 2) && !attention.is_awake(at(11_000), 2));
        let sweeps = |attention: &mut Attention, salt| {
            (0..800).filter(|ms| attention.sweeps(at(20_000 + ms), salt)).collect::<Vec<_>>()
        };
        assert_eq!(sweeps(&mut Attention::default(), 8), [0, 40, 120, 200, 280, 360, 440, 520, 600, 680, 760]);
        assert_eq!(sweeps(&mut Attention::default(), 17), [0, 5, 85, 165, 245, 325, 405, 485, 565, 645, 725]);
        attention.reset();
        assert!(!attention.is_awake(at(1_000), 2) && attention.sweeps(at(1_000), 0));
    }
}
