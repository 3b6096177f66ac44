//! Tables by names that we give ourselves.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by such names: nobody else can choose them, so that its hash has nobody to withstand.
pub(super) type Table<K, V> = HashMap<K, V, BuildHasherDefault<Counted>>;

/// Spreads numbers that were counted up.
#[derive(Clone, Copy, Default)]
pub(super) struct Counted(u64);

impl Hasher for Counted {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 over the golden ratio: numbers in a row are far apart.
        self.0 = (self.0.rotate_left(32) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
