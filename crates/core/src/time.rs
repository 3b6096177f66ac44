//! Points in time.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A point in time: nanoseconds since an origin that the caller chose.
///
/// `std::time::Instant` cannot be made by a test and does not exist on wasm32, so layers use this one. A driver maps
/// its clock onto it (`weft-net` has one); a test counts from [`Instant::ORIGIN`]. All arithmetic saturates: it lasts
/// 584 years and never panics.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The first representable instant, where virtual clocks start.
    pub const ORIGIN: Self = Self(0);
    /// The last representable instant.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after [`Instant::ORIGIN`].
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant `millis` milliseconds after [`Instant::ORIGIN`].
    #[inline]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since [`Instant::ORIGIN`].
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since [`Instant::ORIGIN`], rounded down.
    #[inline]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The earliest of these, of those that there are.
    #[inline]
    pub fn earliest<const N: usize>(times: [Option<Self>; N]) -> Option<Self> {
        let least = times.iter().fold(Self::FAR_FUTURE, |least, at| least.min(at.unwrap_or(Self::FAR_FUTURE)));
        // One that is never reached is as good as none.
        (least != Self::FAR_FUTURE).then_some(least)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    #[inline]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The first instant at or after `self` that is a whole number of `step` after [`Instant::ORIGIN`]; `self` for a `step` of zero.
    ///
    /// Timers that may be a little late and share a clock ring together by this, so that thousands of them wake a machine as
    /// often as a few.
    #[must_use]
    #[inline]
    pub const fn round_up(self, step: Duration) -> Self {
        match nanos(step) {
            0 => self,
            step => Self(self.0.div_ceil(step).saturating_mul(step)),
        }
    }
}

#[inline]
const fn nanos(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1_000_000_000).saturating_add(d.subsec_nanos() as u64)
}

impl Add<Duration> for Instant {
    type Output = Self;
    #[inline]
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(nanos(rhs)))
    }
}

impl AddAssign<Duration> for Instant {
    #[inline]
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    #[inline]
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(rhs)))
    }
}

impl Sub for Instant {
    type Output = Duration;
    /// As [`Instant::saturating_duration_since`].
    #[inline]
    fn sub(self, rhs: Self) -> Duration {
        self.saturating_duration_since(rhs)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}ms", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Instant::FAR_FUTURE + Duration::from_secs(1), Instant::FAR_FUTURE);
        assert_eq!(Instant::ORIGIN + Duration::MAX, Instant::FAR_FUTURE);
        assert_eq!(Instant::ORIGIN - Duration::from_secs(1), Instant::ORIGIN);
        assert_eq!(Instant::ORIGIN - Instant::from_millis(5), Duration::ZERO);
    }

    #[test]
    fn the_earliest_is_of_those_that_there_are() {
        let (soon, late) = (Some(Instant::from_millis(1)), Some(Instant::from_millis(2)));
        assert_eq!(Instant::earliest([late, None, soon]), soon);
        assert_eq!(Instant::earliest([Some(Instant::ORIGIN), soon]), Some(Instant::ORIGIN));
        assert_eq!(Instant::earliest([None, None, Some(Instant::FAR_FUTURE)]), None);
        assert_eq!(Instant::earliest([]), None);
    }

    #[test]
    fn units_agree() {
        let t = Instant::from_millis(1500);
        assert_eq!(t, Instant::ORIGIN + Duration::from_millis(1500));
        assert_eq!((t.as_millis(), t.as_nanos()), (1500, 1_500_000_000));
        assert_eq!(format!("{t:?}"), "1500.000000ms");
    }

    #[test]
    fn ticks_are_whole_steps_and_never_early() {
        let tick = Duration::from_millis(50);
        for (at, rung) in [(0, 0), (1, 50), (49, 50), (50, 50), (51, 100)] {
            assert_eq!(Instant::from_millis(at).round_up(tick), Instant::from_millis(rung));
        }
        assert_eq!(Instant::FAR_FUTURE.round_up(tick), Instant::FAR_FUTURE);
        assert_eq!(Instant::from_nanos(7).round_up(Duration::ZERO), Instant::from_nanos(7));
    }
}
