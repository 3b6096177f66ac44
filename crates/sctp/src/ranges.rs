//! A set of TSNs beyond a cumulative point, as ranges.

use std::collections::VecDeque;

use weft_core::Serial32;

/// Ranges of TSNs, disjoint, not adjacent, in order, all within half the circle after a moving base.
#[derive(Debug, Default)]
pub(crate) struct Ranges(VecDeque<(Serial32, Serial32)>);

impl Ranges {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn iter(&self) -> std::collections::vec_deque::Iter<'_, (Serial32, Serial32)> {
        self.0.iter()
    }

    pub(crate) fn last(&self) -> Option<Serial32> {
        self.0.back().map(|range| range.1)
    }

    /// Index of the first range that does not end before `tsn`.
    fn at_or_after(&self, tsn: Serial32) -> usize {
        match self.0.back() {
            None => 0,
            Some((_, end)) if end.precedes(tsn) => self.0.len(),
            _ => self.0.partition_point(|(_, end)| end.precedes(tsn)),
        }
    }

    /// The first range that holds `tsn` or lies after it.
    pub(crate) fn next_from(&self, tsn: Serial32) -> Option<(Serial32, Serial32)> {
        self.0.get(self.at_or_after(tsn)).copied()
    }

    pub(crate) fn contains(&self, tsn: Serial32) -> bool {
        self.next_from(tsn).is_some_and(|(start, _)| start.precedes_or_is(tsn))
    }

    /// Adds `first..=last`, joining what it touches.
    pub(crate) fn insert(&mut self, first: Serial32, last: Serial32) {
        // A range that ends right before `first` is joined too.
        let at = self.at_or_after(first.previous());
        let (mut start, mut end) = (first, last);
        let mut joined = 0;
        while let Some(&(s, e)) = self.0.get(at + joined) {
            if s.follows(last.next()) {
                break;
            }
            if s.precedes(start) {
                start = s;
            }
            end = end.later(e);
            joined += 1;
        }
        match (joined, self.0.get_mut(at)) {
            (0, _) | (_, None) => self.0.insert(at, (start, end)),
            (_, Some(slot)) => {
                *slot = (start, end);
                if joined > 1 {
                    self.0.drain(at + 1..at + joined);
                }
            }
        }
    }

    /// Removes everything up to `base`; if what follows it is in the set, removes that range too and gives its end.
    pub(crate) fn advance(&mut self, base: Serial32) -> Serial32 {
        let mut base = base;
        while let Some(front) = self.0.front_mut() {
            if front.1.precedes_or_is(base) {
                self.0.pop_front();
            } else if front.0.precedes_or_is(base.next()) {
                base = front.1;
                self.0.pop_front();
            } else {
                break;
            }
        }
        base
    }

    /// Removes everything up to `base`.
    pub(crate) fn trim(&mut self, base: Serial32) {
        while let Some(front) = self.0.front_mut() {
            if front.1.precedes_or_is(base) {
                self.0.pop_front();
            } else {
                if front.0.precedes_or_is(base) {
                    front.0 = base.next();
                }
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &Ranges) -> Vec<(u32, u32)> {
        ranges.iter().map(|(a, b)| (a.0, b.0)).collect()
    }

    #[test]
    fn joins_what_it_touches_across_the_wrap() {
        let mut r = Ranges::default();
        let t = |n: u32| Serial32(n.wrapping_sub(5));
        r.insert(t(2), t(2));
        r.insert(t(6), t(7));
        r.insert(t(4), t(4));
        assert_eq!(r.len(), 3);
        r.insert(t(3), t(3));
        assert_eq!(set(&r), [(t(2).0, t(4).0), (t(6).0, t(7).0)]);
        r.insert(t(5), t(5));
        assert_eq!(set(&r), [(t(2).0, t(7).0)]);
        assert!(r.contains(t(7)) && !r.contains(t(8)) && !r.contains(t(1)));
        r.insert(t(20), t(30));
        r.insert(t(1), t(40));
        assert_eq!(set(&r), [(t(1).0, t(40).0)]);
        assert_eq!(r.advance(t(0)), t(40));
        assert!(r.is_empty());
    }

    #[test]
    fn agrees_with_a_plain_set() {
        let mut rng = weft_core::Rng::from_test_seed(9);
        for _ in 0..200 {
            let base = Serial32(rng.u32());
            let mut r = Ranges::default();
            let mut plain = std::collections::BTreeSet::new();
            for _ in 0..60 {
                let (a, n) = (rng.below(100) as u32 + 1, rng.below(4) as u32);
                r.insert(base.plus(a), base.plus(a + n));
                plain.extend(a..=a + n);
                for k in 0..110 {
                    assert_eq!(r.contains(base.plus(k)), plain.contains(&k));
                }
                assert!(r.iter().zip(r.iter().skip(1)).all(|(x, y)| y.0.since(x.1) > 1));
            }
            let cut = rng.below(100) as u32;
            r.trim(base.plus(cut));
            plain.retain(|k| *k > cut);
            assert_eq!(r.iter().map(|(a, b)| b.since(*a) as usize + 1).sum::<usize>(), plain.len());
        }
    }
}
