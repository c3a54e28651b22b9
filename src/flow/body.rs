//! Running a function: its value, its error or its panic, unless it is dropped before.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;

use futures_util::FutureExt as _;
use futures_util::future::{Either, select};

use super::flow::BoxError;
use super::stop::Stop;

/// Runs a function to its end, or until it is to be dropped, which is `None`. A panic is an error.
pub(super) async fn run<T>(
    body: impl Future<Output = Result<T, BoxError>>,
    stop: &Stop,
) -> Option<Result<T, BoxError>> {
    let body = catch_panic(body);
    match select(pin!(body), pin!(stop.body_dropped())).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => None,
    }
}

/// The output of a future, or its panic as an error.
pub(super) async fn catch_panic<T>(
    body: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, BoxError> {
    let caught = AssertUnwindSafe(body).catch_unwind().await;
    caught.unwrap_or_else(|panic| Err(Box::new(Panicked(message(&*panic)))))
}

/// A panic in a function of the program's.
#[derive(Debug)]
struct Panicked(String);

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.0)
    }
}

impl std::error::Error for Panicked {}

pub(super) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a message".to_owned())
}

/// Runs a function of the program's so that the layer of `logs` knows whose lines it writes.
#[cfg(feature = "logs")]
pub(super) use crate::logs::scope as log_scope;

#[cfg(not(feature = "logs"))]
pub(super) fn log_scope<F>(_: (uuid::Uuid, Option<uuid::Uuid>), function: F) -> F {
    function
}
