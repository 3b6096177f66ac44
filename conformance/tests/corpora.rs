//! Replays the committed fuzz corpora, as they are and damaged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread,
};

use weft_conformance::fuzz::{TARGETS, run};
use weft_core::Rng;

/// Bytes of one corpus.
const CORPUS_LIMIT: u64 = 100 << 10;

fn fuzz_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The inputs of a target's corpus, by path.
fn corpus(target: &str) -> Vec<PathBuf> {
    let dir = fuzz_dir().join("corpus").join(target);
    let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Names the input when its target panics.
struct Trace<'a> {
    target: &'a str,
    path: &'a Path,
    how: String,
    data: &'a [u8],
}

impl Drop for Trace<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("target {}, {}, {}: {}", self.target, self.path.display(), self.how, self.data.escape_ascii());
        }
    }
}

fn check(target: &str, path: &Path, how: String, data: &[u8]) {
    let _trace = Trace { target, path, how, data };
    run(target, data);
}

fn names(dir: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz_dir().join(dir)).unwrap();
    entries.map(|e| e.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn each_target_has_a_corpus_and_a_fuzz_program() {
    let registered: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(registered.len(), TARGETS.len());
    assert_eq!(names("fuzz_targets"), registered);
    assert_eq!(names("corpus"), registered);
    for (target, _) in TARGETS {
        let size: u64 = corpus(target).iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!((1..=CORPUS_LIMIT).contains(&size), "the corpus of {target} has {size} bytes");
    }
}

#[test]
fn corpora_replay() {
    for (target, _) in TARGETS {
        for path in corpus(target) {
            check(target, &path, "as it is".to_owned(), &fs::read(&path).unwrap());
        }
    }
}

#[test]
fn truncated_inputs_are_survived() {
    for (target, _) in TARGETS {
        for path in corpus(target) {
            let data = fs::read(&path).unwrap();
            // Long texts are cut at some places only, to keep this short.
            let step = data.len() / 64 + 1;
            for length in (0..data.len()).step_by(step) {
                check(target, &path, format!("the first {length} bytes"), &data[..length]);
            }
        }
    }
}

#[test]
fn damaged_inputs_are_survived() {
    for (target, _) in TARGETS {
        for (path, seed) in corpus(target).iter().zip(0..) {
            let original = fs::read(path).unwrap();
            let mut rng = Rng::from_test_seed(seed);
            for round in 0..64 {
                let mut data = original.clone();
                damage(&mut data, &mut rng);
                check(target, path, format!("seed {seed}, round {round}"), &data);
            }
        }
    }
}

/// Flips bits, sets bytes to extremes, moves and repeats pieces.
fn damage(data: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..=rng.below(4) {
        if data.is_empty() {
            return;
        }
        let at = rng.below(data.len() as u64) as usize;
        match rng.below(5) {
            0 => data[at] ^= 1 << rng.below(8),
            1 => data[at] = [0, 1, 0x7F, 0x80, 0xFF][rng.below(5) as usize],
            2 => drop(data.drain(at..(at + 1 + rng.below(8) as usize).min(data.len()))),
            3 => {
                let piece = data[at..(at + 16).min(data.len())].to_vec();
                data.splice(at..at, piece);
            }
            _ => data.insert(at, rng.u32() as u8),
        }
    }
}
