//! `Throttled`: a stream at a rate.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::rate_limit::RateLimit;
use crate::error::Result;

/// The items of a stream at a rate: see [`RateLimit::throttle`].
///
/// An item that is there waits for its turn. If that fails, the error comes in its place, and it is tried
/// again when this is polled again: no item is lost.
#[must_use = "streams do nothing unless they are polled"]
pub struct Throttled<S: Stream> {
    limit: RateLimit,
    /// Boxed, so that it need not be `Unpin`.
    stream: Pin<Box<S>>,
    item: Option<S::Item>,
    turn: Option<Pin<Box<dyn Future<Output = Result<()>> + Send>>>,
}

impl<S: Stream> Throttled<S> {
    pub(super) fn new(limit: RateLimit, stream: S) -> Self {
        Self {
            limit,
            stream: Box::pin(stream),
            item: None,
            turn: None,
        }
    }
}

impl<S: Stream> Unpin for Throttled<S> {}

impl<S: Stream> Stream for Throttled<S> {
    type Item = Result<S::Item>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.item.is_none() {
            match ready!(self.stream.as_mut().poll_next(context)) {
                Some(item) => self.item = Some(item),
                None => return Poll::Ready(None),
            }
        }
        let limit = self.limit.clone();
        let turn = self
            .turn
            .get_or_insert_with(|| Box::pin(async move { limit.acquire().await }));
        let turn = ready!(turn.as_mut().poll(context));
        self.turn = None;
        Poll::Ready(match turn {
            Ok(()) => self.item.take().map(Ok),
            Err(error) => Some(Err(error)),
        })
    }
}

impl<S: Stream> fmt::Debug for Throttled<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttled")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
