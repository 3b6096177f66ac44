//! What a case fails with: a sentence for a person.

use std::fmt;

/// Why a case failed: what was expected, and what was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    what: String,
    unsupported_by: Option<String>,
}

/// The result of a step or of a whole case.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure with this explanation.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), unsupported_by: None }
    }

    /// Not a fault: the peer of this name said that it cannot do what the case needs.
    pub fn unsupported(by: &str, what: impl Into<String>) -> Self {
        Self { what: what.into(), unsupported_by: Some(by.to_owned()) }
    }

    /// The peer that cannot do what was asked of it, when that is the reason.
    pub fn unsupported_by(&self) -> Option<&str> {
        self.unsupported_by.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::new(format!("JSON: {error}"))
    }
}

impl From<fantoccini::error::CmdError> for Failure {
    fn from(error: fantoccini::error::CmdError) -> Self {
        Self::new(format!("WebDriver: {error}"))
    }
}

/// Says what was being done when something failed.
pub trait Doing<T> {
    /// Puts `what` in front of the failure.
    fn doing(self, what: impl fmt::Display) -> Outcome<T>;
}

impl<T, E: fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, what: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| Failure::new(format!("{what}: {error}")))
    }
}

/// Fails with the message unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err($crate::failure::Failure::new(format!($($message)+)));
        }
    };
}

/// Fails unless both are equal, with both values.
#[macro_export]
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($message:tt)+) => {{
        let (left, right) = (&$left, &$right);
        if *left != *right {
            let what = format!($($message)+);
            return Err($crate::failure::Failure::new(format!("{what}: got {left:?}, expected {right:?}")));
        }
    }};
}
