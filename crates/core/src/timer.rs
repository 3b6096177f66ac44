//! A small table of deadlines.

use core::marker::PhantomData;

use crate::Instant;

/// Names the timers of a layer: usually a fieldless enum.
///
pub trait TimerKey: Copy + 'static {
    /// All of them, in the order in which equal deadlines fire.
    const ALL: &'static [Self];
    /// Position of this one in [`ALL`](Self::ALL); [`Timers`] ignores one that is out of range.
    fn index(self) -> usize;
}

/// Deadlines of `N` timers named by `K`, with no allocation.
///
/// Looking for the next deadline is a scan over `N` slots, which beats a heap at the sizes layers need (a dozen). A timer
/// set to [`Instant::FAR_FUTURE`] is at rest.
#[derive(Clone, Debug)]
pub struct Timers<K, const N: usize> {
    slots: [Instant; N],
    key: PhantomData<K>,
}

impl<K: TimerKey, const N: usize> Default for Timers<K, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: TimerKey, const N: usize> Timers<K, N> {
    /// A table with every timer at rest.
    pub const fn new() -> Self {
        const { assert!(N == K::ALL.len(), "N is the number of keys") };
        Self { slots: [Instant::FAR_FUTURE; N], key: PhantomData }
    }

    /// Sets `key` to fire at `at`, replacing an earlier setting.
    #[inline]
    pub fn set(&mut self, key: K, at: Instant) {
        if let Some(slot) = self.slots.get_mut(key.index()) {
            *slot = at;
        }
    }

    /// Sets `key` unless it already runs.
    #[inline]
    pub fn set_if_idle(&mut self, key: K, at: Instant) {
        if let Some(slot) = self.slots.get_mut(key.index())
            && *slot == Instant::FAR_FUTURE
        {
            *slot = at;
        }
    }

    /// Puts `key` to rest.
    #[inline]
    pub fn stop(&mut self, key: K) {
        self.set(key, Instant::FAR_FUTURE);
    }

    /// Puts every timer to rest.
    pub fn stop_all(&mut self) {
        self.slots = [Instant::FAR_FUTURE; N];
    }

    /// When `key` fires; `None` at rest.
    #[inline]
    pub fn get(&self, key: K) -> Option<Instant> {
        self.slots.get(key.index()).copied().filter(|at| *at != Instant::FAR_FUTURE)
    }

    /// Whether `key` runs.
    #[inline]
    pub fn is_set(&self, key: K) -> bool {
        self.get(key).is_some()
    }

    /// The earliest deadline.
    #[inline]
    pub fn next(&self) -> Option<Instant> {
        let earliest = self.slots.iter().fold(Instant::FAR_FUTURE, |least, at| least.min(*at));
        (earliest != Instant::FAR_FUTURE).then_some(earliest)
    }

    /// Takes the earliest timer that is due at `now` and puts it to rest; of equal ones the first of `K::ALL`.
    ///
    /// Call it until `None`. A handler that sets a timer again to a time not after `now` makes it fire again, so always
    /// move deadlines forward.
    pub fn expire(&mut self, now: Instant) -> Option<K> {
        let key = K::ALL
            .iter()
            .filter_map(|&key| Some((self.get(key).filter(|at| *at <= now)?, key)))
            .min_by_key(|&(at, _)| at)?
            .1;
        self.stop(key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Key {
        A,
        B,
    }
    impl TimerKey for Key {
        const ALL: &'static [Self] = &[Self::A, Self::B];
        fn index(self) -> usize {
            self as usize
        }
    }

    #[test]
    fn fires_in_order_and_once() {
        let t = Instant::from_millis;
        let mut timers = Timers::<Key, 2>::new();
        assert_eq!(timers.next(), None);
        timers.set(Key::A, t(20));
        timers.set(Key::B, t(10));
        timers.set_if_idle(Key::B, t(5));
        assert_eq!((timers.next(), timers.get(Key::B)), (Some(t(10)), Some(t(10))));
        assert_eq!(timers.expire(t(9)), None);
        assert_eq!(timers.expire(t(30)), Some(Key::B));
        assert_eq!(timers.expire(t(30)), Some(Key::A));
        assert_eq!((timers.expire(t(30)), timers.next()), (None, None));
    }

    #[test]
    fn equal_deadlines_fire_in_declared_order() {
        let mut timers = Timers::<Key, 2>::new();
        timers.set(Key::B, Instant::ORIGIN);
        timers.set(Key::A, Instant::ORIGIN);
        assert_eq!(timers.expire(Instant::ORIGIN), Some(Key::A));
        timers.stop_all();
        assert!(!timers.is_set(Key::B));
    }
}
