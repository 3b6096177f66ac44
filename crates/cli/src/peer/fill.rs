//! Bytes from a seed, so that two processes in two languages can make the same message without sending it.

/// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014): the state starts at the seed;
/// each step adds `0x9E3779B97F4A7C15` and mixes. Its 64-bit numbers, written low byte first, are the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Fill {
    state: u64,
}

impl Fill {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next `len` bytes. Every call begins with a fresh number.
    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        self.fill(&mut out);
        out
    }

    /// Fills `out` with the next bytes. Every call begins with a fresh number.
    pub(crate) fn fill(&mut self, out: &mut [u8]) {
        let (words, rest) = out.as_chunks_mut::<8>();
        for word in words {
            *word = self.next().to_le_bytes();
        }
        if !rest.is_empty() {
            let last = self.next().to_le_bytes();
            rest.iter_mut().zip(last).for_each(|(to, from)| *to = from);
        }
    }

    /// The next `len` bytes as printable ASCII: each byte `b` becomes `0x20 + b % 95`.
    pub(crate) fn text(&mut self, len: usize) -> Vec<u8> {
        let mut out = self.bytes(len);
        for byte in &mut out {
            *byte = 0x20 + *byte % 95;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_published_generator() {
        let mut fill = Fill::new(1_234_567);
        let expected = [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(std::array::from_fn(|_| fill.next()), expected);
    }

    #[test]
    fn bytes_do_not_depend_on_the_length_asked_for() {
        let long = Fill::new(7).bytes(32);
        assert_eq!(Fill::new(7).bytes(13), long[..13]);
        assert!(Fill::new(7).text(1000).iter().all(|b| (0x20..0x7f).contains(b)));
    }
}
