//! `Throttled`: a rate-limited stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::rate_limit::RateLimit;
use crate::error::Result;

/// A rate-limited stream: see [`RateLimit::throttle`].
///
/// Each item waits until the rate allows it. If waiting fails, the stream yields the error first, and waits
/// for the same item again when it is polled again: no item is lost.
#[must_use = "streams do nothing unless they are polled"]
pub struct Throttled<S: Stream> {
    limit: RateLimit,
    /// Boxed, so that it need not be `Unpin`.
    stream: Pin<Box<S>>,
    item: Option<S::Item>,
    permission: Option<Pin<Box<dyn Future<Output = Result<()>> + Send>>>,
}

impl RateLimit {
    /// Limits a stream to this rate: it yields each item once [`acquire`](Self::acquire) succeeds.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use futures_util::{StreamExt as _, stream};
    ///
    /// let pages = stream::iter(0..100);
    /// let mut pages = client.rate_limit("partner-api").throttle(pages);
    /// while let Some(page) = pages.next().await {
    ///     println!("asking for page {}", page?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn throttle<S: Stream>(self, stream: S) -> Throttled<S> {
        Throttled {
            limit: self,
            stream: Box::pin(stream),
            item: None,
            permission: None,
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
        let permission = self
            .permission
            .get_or_insert_with(|| Box::pin(async move { limit.acquire().await }));
        let permission = ready!(permission.as_mut().poll(context));
        self.permission = None;
        Poll::Ready(match permission {
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
