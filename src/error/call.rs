//! What an error knows of the call that failed.

use std::error::Error as _;

use reqwest::header::HeaderMap;
use reqwest::{Method, Request, StatusCode};
use url::Url;

use super::body::ErrorBody;
use super::{Error, ErrorKind};
use crate::transport::Operation;

const NO_SUCH_OPERATION: &str = "this server does not have the operation: it is of another version, or the API URL leads elsewhere";

/// The call that an error is about.
#[derive(Debug)]
pub(crate) struct Call {
    operation: Operation,
    request: Request,
    /// How often it was sent so far.
    pub attempts: u32,
}

impl Call {
    pub fn new(operation: Operation, request: Request) -> Self {
        Self {
            operation,
            request,
            attempts: 0,
        }
    }

    /// The request, as it is before each attempt.
    pub fn request(&self) -> &Request {
        &self.request
    }

    pub fn operation(&self) -> Operation {
        self.operation
    }

    pub fn method(&self) -> &Method {
        self.request.method()
    }

    pub fn url(&self) -> &Url {
        self.request.url()
    }

    /// Whether carrying it out changes anything on the server.
    pub fn changes_something(&self) -> bool {
        self.operation.changes_something(self.method())
    }

    pub fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, message).on_behalf_of(self)
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
            .error(ErrorKind::of(status), message)
            .replied(status, headers, body);
        error.0.issues = issues;
        // Every route that Prefect has says of what it does not find what that was.
        let not_routed =
            status == StatusCode::NOT_FOUND && !body.is_empty() && !error.names_an_object();
        if not_routed || status == StatusCode::METHOD_NOT_ALLOWED {
            error.0.kind = ErrorKind::Unsupported;
            error = error.explained(NO_SUCH_OPERATION);
        }
        error
    }
}
