//! `Requests`: what the server of a kit was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;

use super::fake::Call;
use super::operation::{Op, Parts, Request};

/// How many requests a kit remembers: the newest.
const MAX_REMEMBERED: usize = 100_000;

/// One request, as it came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// The name of the operation: that of its method in [`raw`](crate::raw).
    pub operation: &'static str,
    /// The values of the placeholders in the path, decoded.
    pub path: Vec<(&'static str, String)>,
    /// The pairs of the query, decoded.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: bytes::Bytes,
    /// When it came, by the clock of the kit.
    pub at: DateTime<Utc>,
}

impl ReceivedRequest {
    pub(super) fn call(&self) -> Call<'_> {
        Call {
            operation: self.operation,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        }
    }
}

/// The requests that a server has received, in their order: see [`TestServer::requests`](super::TestServer::requests).
///
/// Those of a client's own accord are among them, such as the one that checks the server's version.
#[derive(Clone, Debug)]
pub struct Requests(Vec<Arc<ReceivedRequest>>);

impl Requests {
    /// The requests of one operation, decoded. (One whose parts are no values of their types is left out.)
    pub fn of<R: Request>(&self, operation: Op<R>) -> Vec<R> {
        let requests = self
            .0
            .iter()
            .filter(|request| request.operation == operation.name());
        requests
            .filter_map(|request| R::read(&Parts(&request.call())).ok())
            .collect()
    }

    /// How many requests of one operation there are.
    pub fn count<R>(&self, operation: Op<R>) -> usize {
        self.0
            .iter()
            .filter(|request| request.operation == operation.name())
            .count()
    }

    /// The names of the operations, in the order of the requests.
    pub fn operations(&self) -> Vec<&'static str> {
        self.0.iter().map(|request| request.operation).collect()
    }

    /// The requests as they came.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ReceivedRequest> {
        self.0.iter().map(|request| &**request)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The requests as the server writes them down.
#[derive(Default)]
pub(super) struct Journal(Mutex<VecDeque<Arc<ReceivedRequest>>>);

impl Journal {
    pub(super) fn add(&self, request: Arc<ReceivedRequest>) {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() == MAX_REMEMBERED {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    pub(super) fn all(&self) -> Requests {
        let requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Requests(requests.iter().cloned().collect())
    }
}
