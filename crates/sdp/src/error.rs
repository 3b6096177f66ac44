//! What is wrong with a description, and where.

use std::fmt;

/// A text that does not follow the grammar, with the place where it leaves it.
///
/// ```
/// let error = weft_sdp::Session::parse("v=0\r\no=- 1 x IN IP4 0.0.0.0\r\n").unwrap_err();
/// assert_eq!(error.to_string(), "line 2, column 7: expected a session version (digits)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: expected {expected}")]
pub struct ParseError {
    /// Line, counted from 1.
    pub line: usize,
    /// Character within the line, counted from 1.
    pub column: usize,
    /// What should have stood there.
    pub expected: Expected,
}

/// What should have stood where a text was found wrong. Reads well after "expected".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// An element of the grammar.
    Grammar(&'static str),
    /// Fewer of something: a limit of [`Limits`](crate::Limits) was passed.
    AtMost {
        /// The limit.
        limit: usize,
        /// What was counted.
        of: &'static str,
    },
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grammar(what) => f.write_str(what),
            Self::AtMost { limit, of } => write!(f, "at most {limit} {of}"),
        }
    }
}

/// A fault within one line: how many bytes into it, and what was expected there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) offset: usize,
    pub(crate) expected: Expected,
}

impl Fault {
    pub(crate) fn new(offset: usize, expected: &'static str) -> Self {
        Self { offset, expected: Expected::Grammar(expected) }
    }

    /// The fault in `text`, which stands `before` characters into line `line`.
    pub(crate) fn at(self, line: usize, before: usize, text: &str) -> ParseError {
        let column = before + text.char_indices().take_while(|(at, _)| *at < self.offset).count() + 1;
        ParseError { line, column, expected: self.expected }
    }
}
