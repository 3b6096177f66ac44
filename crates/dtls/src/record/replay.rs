//! Anti-replay (RFC 6347 section 4.1.2.6), with a window of 1024 records.

const WORDS: usize = 16;
const BITS: u64 = 64;
/// Numbers that can be told new from old. One word's worth less than the bitmap holds, because words are recycled whole.
const WINDOW: u64 = (WORDS as u64 - 1) * BITS;

/// Remembers which sequence numbers were seen. The bitmap is a ring of words, so that nothing is ever shifted
/// (RFC 6479).
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplayWindow {
    /// One more than the highest number marked.
    next: u64,
    words: [u64; WORDS],
}

fn place(sequence: u64) -> (usize, u64) {
    ((sequence / BITS) as usize % WORDS, 1 << (sequence % BITS))
}

impl ReplayWindow {
    /// One more than the highest number marked.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Whether a record of this number may still be new. Changes nothing: an unauthenticated record must not.
    #[inline]
    pub(crate) fn may_be_new(&self, sequence: u64) -> bool {
        if sequence >= self.next {
            return true;
        }
        if self.next - sequence > WINDOW {
            return false;
        }
        let (word, bit) = place(sequence);
        self.words.get(word).is_some_and(|w| w & bit == 0)
    }

    /// Marks the number of an authenticated record.
    #[inline]
    pub(crate) fn mark(&mut self, sequence: u64) {
        if sequence >= self.next {
            let last = self.next.saturating_sub(1) / BITS;
            for step in 1..=(sequence / BITS - last).min(WORDS as u64) {
                if let Some(word) = self.words.get_mut((last + step) as usize % WORDS) {
                    *word = 0;
                }
            }
            self.next = sequence + 1;
        }
        let (word, bit) = place(sequence);
        if let Some(w) = self.words.get_mut(word) {
            *w |= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use weft_core::Rng;

    use super::*;

    //= rfc6347#4.1.2.6
    //# The receiver packet counter for this session MUST be initialized to zero when the session is established.
    #[test]
    fn agrees_with_a_set_on_random_walks() {
        for seed in 0..50 {
            let mut rng = Rng::from_test_seed(seed);
            let (mut window, mut seen, mut top) = (ReplayWindow::default(), BTreeSet::new(), 0_u64);
            for _ in 0..4000 {
                let jump = if rng.chance(0.02) { rng.below(3000) } else { rng.below(4) };
                let sequence = if rng.chance(0.5) { top + jump } else { top.saturating_sub(rng.below(1100)) };
                let too_old = top + 1 > sequence + WINDOW && !seen.is_empty();
                let expected = !seen.contains(&sequence) && !too_old;
                assert_eq!(window.may_be_new(sequence), expected, "seed {seed} sequence {sequence} top {top}");
                if expected {
                    window.mark(sequence);
                    seen.insert(sequence);
                    top = top.max(sequence);
                }
            }
        }
    }

    #[test]
    fn a_jump_over_the_whole_ring_forgets_all() {
        let mut window = ReplayWindow::default();
        (0..WINDOW).for_each(|n| window.mark(n));
        window.mark(1 << 47);
        assert!(!window.may_be_new(1 << 47) && !window.may_be_new(5));
        assert!(window.may_be_new((1 << 47) - 1) && window.may_be_new((1 << 47) - WINDOW + 1));
    }
}
