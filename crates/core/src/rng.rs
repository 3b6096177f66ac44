//! Randomness from a seed.

use core::fmt;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// A cryptographically strong generator (ChaCha12) that is a plain value: the same seed gives the same numbers.
///
/// A driver seeds it from the operating system; a test from an integer that it prints when it fails.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    /// A generator for production: `seed` must come from the operating system's entropy.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A generator for tests and simulations. 64 bits are too few to keep a secret.
    pub fn from_test_seed(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }

    /// An independent generator whose seed is drawn from this one: give each layer its own.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        let mut seed = [0; 32];
        self.fill(&mut seed);
        Self::from_seed(seed)
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// A uniform 32-bit number.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A uniform 64-bit number.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A uniform number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Lemire's multiply-and-shift; the rejection keeps it exactly uniform.
        let threshold = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let wide = u128::from(self.u64()) * u128::from(bound);
            if wide as u64 >= threshold {
                return (wide >> 64) as u64;
            }
        }
    }

    /// A uniform number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `p` (clamped to 0..=1).
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }
}

/// What a generator is made from when one is needed: a tenth of a generator's size, for who needs numbers seldom.
#[derive(Clone)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed drawn from `rng`.
    pub fn draw(rng: &mut Rng) -> Self {
        let mut seed = [0; 32];
        rng.fill(&mut seed);
        Self(seed)
    }

    /// A generator. The next one gives other numbers.
    pub fn rng(&mut self) -> Rng {
        let mut rng = Rng::from_seed(self.0);
        rng.fill(&mut self.0);
        rng
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_numbers_and_forks_differ() {
        let (mut a, mut b) = (Rng::from_test_seed(7), Rng::from_test_seed(7));
        assert_eq!((a.u64(), a.u32()), (b.u64(), b.u32()));
        let (mut f, mut g) = (a.fork(), a.fork());
        assert_ne!(f.u64(), g.u64());
    }

    #[test]
    fn a_seed_gives_other_numbers_each_time() {
        let (mut a, mut b) = (Seed::draw(&mut Rng::from_test_seed(7)), Seed::draw(&mut Rng::from_test_seed(7)));
        let (first, second) = (a.rng().u64(), a.rng().u64());
        assert_ne!(first, second);
        assert_eq!((first, second), (b.rng().u64(), b.rng().u64()));
        assert_eq!(format!("{a:?}"), "Seed", "it is a secret");
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut rng = Rng::from_test_seed(1);
        assert_eq!(rng.below(0), 0);
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[rng.below(10) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| (800..1200).contains(&n)), "{seen:?}");
    }

    #[test]
    fn chance_keeps_its_word() {
        let mut rng = Rng::from_test_seed(2);
        assert!(!rng.chance(0.0) && rng.chance(1.0));
        let hits = (0..10_000).filter(|_| rng.chance(0.3)).count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
    }
}
