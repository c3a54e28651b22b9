//! What an error knows of the call that failed.

use std::error::Error as _;

use reqwest::header::HeaderMap;
use reqwest::{Method, Request, StatusCode};
use url::Url;

use super::body::ErrorBody;
use super::{Error, ErrorKind};

/// The call that an error is about.
pub(crate) struct Call {
    operation: &'static str,
    sent: Option<(Method, Url)>,
}

impl Call {
    /// A call whose request could not even be built.
    pub fn before(operation: &'static str) -> Self {
        Self {
            operation,
            sent: None,
        }
    }

    pub fn of(request: &Request, operation: &'static str) -> Self {
        Self {
            operation,
            sent: Some((request.method().clone(), request.url().clone())),
        }
    }

    pub fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        let mut error = Error::new(kind, message);
        error.0.operation = Some(self.operation);
        if let Some((method, url)) = &self.sent {
            error.0.method = Some(method.clone());
            error.0.url = Some(url.clone());
        }
        error
    }

    /// No reply, or only a part of one.
    pub fn failed(&self, error: reqwest::Error) -> Error {
        if error.is_redirect() {
            let why = error.source().map_or_else(String::new, ToString::to_string);
            return self.error(
                ErrorKind::Connection,
                format!("the server redirects: {why}"),
            );
        }
        let (kind, message) = if error.is_timeout() {
            (ErrorKind::Timeout, "the server did not answer in time")
        } else if error.is_connect() {
            (ErrorKind::Connection, "the server cannot be reached")
        } else {
            (
                ErrorKind::Connection,
                "the connection broke before the reply was complete",
            )
        };
        // The URL is in our own error already.
        self.error(kind, message).caused_by(error.without_url())
    }

    /// A reply that is no success.
    pub fn refused(&self, status: StatusCode, headers: HeaderMap, body: impl AsRef<[u8]>) -> Error {
        let body = body.as_ref();
        let ErrorBody { message, issues } = ErrorBody::read(body);
        let message = message.unwrap_or_else(|| {
            let said = match body.first() {
                None => "the server gave no reason",
                Some(b'{' | b'[') => "the server's reason is of no known form",
                Some(_) => "the reply is not a Prefect server's: a proxy may have answered",
            };
            said.to_owned()
        });
        let mut error = self
            .error(kind_of(status), message)
            .replied(status, headers, body);
        error.0.issues = issues;
        error
    }
}

fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        410 => ErrorKind::Gone,
        422 => ErrorKind::Validation,
        423 => ErrorKind::Locked,
        429 => ErrorKind::RateLimited,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::Status,
    }
}
