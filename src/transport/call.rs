//! `Call`: the request of a call, and its errors.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};
use url::Url;

use super::connection_error;
use super::idempotency::Idempotency;
use super::operation::Operation;
use super::request::Request;
use super::route::Route;
use crate::error::{Error, ErrorKind};

/// A request and its operation.
pub(crate) struct Call {
    operation: Operation,
    request: Request,
    route: Arc<Route>,
    /// How many times the request has been sent.
    pub attempts: u32,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("operation", &self.operation)
            .field("request", &self.request)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

impl Call {
    pub(super) fn new(operation: Operation, request: Request, route: Arc<Route>) -> Self {
        Self {
            operation,
            request,
            route,
            attempts: 0,
        }
    }

    /// The request, before interceptors and CSRF tokens change it for an attempt.
    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    pub(super) fn operation(&self) -> Operation {
        self.operation
    }

    pub(super) fn method(&self) -> &Method {
        &self.request.method
    }

    pub(super) fn url(&self) -> &Url {
        &self.request.url
    }

    /// Whether the call changes anything on the server.
    pub(super) fn changes_state(&self) -> bool {
        Idempotency::of(self.operation, self.method()) != Idempotency::Safe
    }

    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        self.describe(self.advised(Error::new(kind, message)))
    }

    /// The error of a call whose reply is missing or incomplete.
    pub(super) fn unanswered(&self, error: reqwest::Error) -> Error {
        if error.is_redirect() {
            let why = error.source().map_or_else(String::new, ToString::to_string);
            return self.error(
                ErrorKind::Connection,
                format!("the server redirects: {why}"),
            );
        }
        let kind = match error.is_timeout() {
            true => ErrorKind::Timeout,
            false => ErrorKind::Connection,
        };
        let message = connection_error::describe(self.url(), &error, &self.route);
        // The URL is in our own error already.
        self.error(kind, message).with_source(error.without_url())
    }

    /// The error of a redirect that is not followed.
    pub(super) fn redirected(&self, status: StatusCode, headers: HeaderMap) -> Error {
        let target = headers
            .get(LOCATION)
            .and_then(|target| target.to_str().ok());
        let target = target.and_then(|target| self.url().join(target).ok());
        let why = match target.filter(|target| target.origin() != self.url().origin()) {
            Some(elsewhere) => format!(
                "the redirect leads to {}; is that the API URL to use?",
                elsewhere.origin().ascii_serialization()
            ),
            None => format!("{status} does not keep the method"),
        };
        let message = format!("the server redirects: {why}");
        let error = self.error(ErrorKind::Connection, message);
        error.with_response(status, headers, [])
    }

    /// The error of a reply that is not a success.
    pub(super) fn refused(
        &self,
        status: StatusCode,
        headers: HeaderMap,
        body: impl AsRef<[u8]>,
    ) -> Error {
        let error = Error::from_response(status, headers, body.as_ref());
        self.describe(self.advised(error))
    }

    /// Adds advice to an error which shows that no API answers at the URL.
    fn advised(&self, error: Error) -> Error {
        match (&self.route.api_url_advice, error.kind()) {
            (Some(advice), ErrorKind::Unsupported | ErrorKind::UnexpectedBody) => {
                error.detail(advice)
            }
            _ => error,
        }
    }

    /// Adds this call to an error.
    pub(super) fn describe(&self, error: Error) -> Error {
        let (operation, method) = (self.operation.name(), self.method().clone());
        error.with_request(operation, method, self.url().clone(), self.attempts)
    }
}
