//! Everything a peer was told and said, for the person who looks for the reason of a failure.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Lines kept of one peer.
const LINES: usize = 20_000;
/// Bytes kept of one line.
const LINE: usize = 6_000;

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The suite told the peer.
    Command,
    /// The peer told the suite.
    Event,
    /// The peer's own log.
    Log,
    /// A remark of the suite's.
    Note,
}

impl Direction {
    /// What a line of the text begins with, after the time.
    pub fn mark(self) -> char {
        match self {
            Self::Command => '>',
            Self::Event => '<',
            Self::Log => '|',
            Self::Note => '#',
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    lines: Vec<(Duration, Direction, String)>,
    left_out: usize,
}

/// The lines of one peer, on a clock that all peers of a run share. Clones are the same transcript.
#[derive(Debug, Clone)]
pub struct Transcript {
    name: Arc<str>,
    inner: Arc<Mutex<Inner>>,
}

impl Transcript {
    /// An empty one for the peer of this name.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), inner: Arc::default() }
    }

    /// The peer's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a line; a very long one is cut.
    pub fn add(&self, direction: Direction, line: &str) {
        static START: OnceLock<Instant> = OnceLock::new();
        let at = START.get_or_init(Instant::now).elapsed();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.lines.len() == LINES {
            inner.left_out += 1;
            return;
        }
        let text = cut(line, LINE);
        inner.lines.push((at, direction, text));
    }

    /// The whole of it: milliseconds, who (`>` told, `<` said, `|` logged, `#` remark), and the line.
    pub fn text(&self) -> String {
        self.last(usize::MAX, usize::MAX)
    }

    /// Its last `count` lines, each cut to about `width` bytes.
    pub fn last(&self, count: usize, width: usize) -> String {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (at, direction, line) in inner.lines.iter().skip(inner.lines.len().saturating_sub(count)) {
            let _ = writeln!(text, "{:>10.3} {} {}", at.as_secs_f64() * 1000.0, direction.mark(), cut(line, width));
        }
        if inner.left_out > 0 {
            let _ = writeln!(text, "({} lines left out)", inner.left_out);
        }
        text
    }
}

/// The line, or its beginning and how much was left out.
fn cut(line: &str, width: usize) -> String {
    match line.char_indices().map(|(at, _)| at).find(|at| *at >= width) {
        Some(end) => format!("{}… ({} bytes more)", line.get(..end).unwrap_or_default(), line.len() - end),
        None => line.to_owned(),
    }
}
