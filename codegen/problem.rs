//! The one error of the build: where in the document, and what is wrong there.

use std::fmt;

/// Something in the document that the build does not know how to turn into Rust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON path into the document, `$` for the whole of it.
    pub at: String,
    /// A sentence for the maintainer who has to fix it.
    pub message: String,
}

impl Problem {
    pub fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

impl std::error::Error for Problem {}

pub type Result<T, E = Problem> = std::result::Result<T, E>;
