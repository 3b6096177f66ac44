//! Real time and real randomness.

use std::io;
use std::sync::OnceLock;
use std::time;

use weft_core::Instant;

/// Maps the system's monotonic clock onto [`Instant`]: it counts from when the first clock of the process was made.
///
/// All layers of one driver share one clock, and all clocks of a process agree: timers that wait for a tick
/// ([`Instant::round_up`]) ring together, of whichever driver they are.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: time::Instant,
}

impl Clock {
    /// A clock that agrees with all others of the process; the first one shows [`Instant::ORIGIN`] now.
    pub fn new() -> Self {
        static ORIGIN: OnceLock<time::Instant> = OnceLock::new();
        Self { origin: *ORIGIN.get_or_init(time::Instant::now) }
    }

    /// What it shows.
    pub fn now(&self) -> Instant {
        self.from_std(time::Instant::now())
    }

    /// What it shows at `at`; [`Instant::ORIGIN`] for times before the first was made.
    #[allow(clippy::wrong_self_convention)] // the clock is the converter, not what is converted
    pub fn from_std(&self, at: time::Instant) -> Instant {
        Instant::ORIGIN + at.saturating_duration_since(self.origin)
    }

    /// The system's time when it shows `at`, to sleep until; `None` if that is further away than the system can express.
    pub fn to_std(&self, at: Instant) -> Option<time::Instant> {
        self.origin.checked_add(at - Instant::ORIGIN)
    }

    /// How long until it shows `at`; zero if that is past.
    pub fn until(&self, at: Instant) -> time::Duration {
        at - self.now()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// A seed for [`weft_core::Rng`] from the operating system's entropy.
///
/// # Errors
/// If the operating system has none to give.
pub fn entropy_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn both_ways_agree() {
        let clock = Clock::new();
        let at = Instant::from_millis(1_500);
        assert_eq!(clock.from_std(clock.to_std(at).unwrap()), at);
        assert_eq!(clock.from_std(clock.origin.checked_sub(Duration::from_secs(1)).unwrap()), Instant::ORIGIN);
        let (before, after) = (clock.now(), clock.now());
        assert!(before <= after);
        assert_eq!(clock.until(Instant::ORIGIN), Duration::ZERO);
        assert!(clock.until(clock.now() + Duration::from_secs(3_600)) > Duration::from_secs(3_590));
    }

    #[test]
    fn all_clocks_agree() {
        let (first, at) = (Clock::new(), time::Instant::now());
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(Clock::new().from_std(at), first.from_std(at));
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(entropy_seed().unwrap(), entropy_seed().unwrap());
    }
}
