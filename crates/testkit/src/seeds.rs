//! Tests over many seeds.

use core::ops::Range;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The seeds to run out of `0..n`: all of them with `WEFT_SOAK=1`, a hundredth (at least one) otherwise, and only `k`
/// with `WEFT_SEED=k`.
///
/// # Panics
/// If `WEFT_SEED` is not a number.
pub fn seeds(n: u64) -> Range<u64> {
    plan(n, env::var("WEFT_SEED").ok().as_deref(), env::var("WEFT_SOAK").ok().as_deref())
}

fn plan(n: u64, seed: Option<&str>, soak: Option<&str>) -> Range<u64> {
    if let Some(text) = seed {
        let parsed = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => text.parse(),
        };
        assert!(parsed.is_ok(), "WEFT_SEED is not a number: {text}");
        let seed = parsed.unwrap_or_default();
        return seed..seed.saturating_add(1);
    }
    if soak.is_some_and(|value| value != "0") { 0..n } else { 0..n.div_ceil(100) }
}

/// Runs `test` with each of the [`seeds`] of `0..n`. When one panics, prints the line that replays it and goes on
/// panicking. `name` is the name of the test function, as `cargo test` filters by it.
///
/// # Panics
/// If `test` does.
pub fn for_seeds(name: &str, n: u64, mut test: impl FnMut(u64)) {
    for seed in seeds(n) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
            let package = env::var("CARGO_PKG_NAME").map(|name| format!(" -p {name}")).unwrap_or_default();
            eprintln!("replay with: WEFT_SEED={seed} cargo test{package} {name}");
            resume_unwind(panic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_runs_take_a_hundredth_and_soaks_all() {
        assert_eq!(plan(10_000, None, None), 0..100);
        assert_eq!(plan(10_000, None, Some("0")), 0..100);
        assert_eq!(plan(10_000, None, Some("1")), 0..10_000);
        assert_eq!(plan(5, None, None), 0..1);
        assert_eq!(plan(0, None, None), 0..0);
    }

    #[test]
    fn one_seed_is_replayed_even_outside_the_range() {
        assert_eq!(plan(10, Some("123456"), Some("1")), 123_456..123_457);
        assert_eq!(plan(10, Some("0xff"), None), 255..256);
        assert!(catch_unwind(|| plan(10, Some("x"), None)).is_err());
    }

    #[test]
    fn panics_come_through_and_stop_the_run() {
        let mut seen = Vec::new();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            for_seeds("panics_come_through_and_stop_the_run", 1_000, |seed| {
                seen.push(seed);
                assert!(seen.len() < 3, "on purpose");
            });
        }));
        // With WEFT_SEED set there is only that one.
        assert_eq!(outcome.is_err(), env::var("WEFT_SEED").is_err());
        assert!(seen.len() == 3 || env::var("WEFT_SEED").is_ok());
    }
}
