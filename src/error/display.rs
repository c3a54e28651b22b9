//! The text of an error, for users and for developers.

use std::fmt;

use reqwest::StatusCode;
use url::Url;

use super::{Error, ErrorKind};

/// What to do about a 401.
const CREDENTIALS: &str =
    "set PREFECT_API_KEY, or PREFECT_API_AUTH_STRING for a server with basic authentication";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.operation() {
            write!(f, "{operation}: ")?;
        }
        if let Some(status) = self.status() {
            write!(f, "{status}: ")?;
        }
        let message = self.message();
        match (self.status(), self.method(), self.url()) {
            (Some(StatusCode::UNAUTHORIZED), ..) if message == "Unauthorized" => {
                f.write_str(CREDENTIALS)
            }
            (Some(StatusCode::UNAUTHORIZED), ..) => write!(f, "{message}; {CREDENTIALS}"),
            // The server names only the kind of the object.
            (Some(_), Some(method), Some(url)) if self.kind() == ErrorKind::NotFound => {
                write!(f, "{message} ({method} {})", url.path())
            }
            _ => f.write_str(message),
        }
    }
}

/// The body and the headers are left out: they may hold secrets.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("method", &self.0.method)
            .field("url", &self.0.url.as_ref().map(Url::as_str))
            .field("status", &self.0.status)
            .field("attempts", &self.0.attempts)
            .field("may_have_happened", &self.0.may_have_happened)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}
