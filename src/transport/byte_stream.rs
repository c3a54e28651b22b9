//! `ByteStream`: the body of a reply, part by part.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt as _, stream};

use super::call::Call;
use super::outcome::BegunStream;
use crate::error::{ErrorKind, Result};

/// The body of a reply, part by part: a [`Stream`], with [`next`](Self::next) for programs that do not use
/// streams otherwise.
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
/// use std::io::Write as _;
///
/// let mut logs = client.flow_runs().download_logs(id).await?;
/// while let Some(part) = logs.next().await {
///     std::io::stdout().write_all(&part?).expect("a terminal");
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "streams do nothing unless they are polled"]
pub struct ByteStream {
    bytes: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send + Sync>>,
    call: Call,
}

impl ByteStream {
    pub(super) fn new(begun: BegunStream, call: Call) -> Self {
        let first = stream::iter(begun.first.map(Ok));
        Self {
            bytes: Box::pin(first.chain(begun.response.bytes_stream())),
            call,
        }
    }

    /// Returns the next part, or `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Connection`](crate::ErrorKind::Connection) or [`Timeout`](crate::ErrorKind::Timeout) when the
    /// stream breaks off. It is not resumed; only its beginning is requested again.
    ///
    /// ```no_run
    /// # async fn example(mut stream: prefect_sdk::raw::ByteStream) -> prefect_sdk::Result<()> {
    /// while let Some(part) = stream.next().await {
    ///     println!("{} bytes", part?.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        poll_fn(|context| self.poll(context)).await
    }

    /// Reads the whole body into memory.
    ///
    /// # Errors
    ///
    /// The errors of [`next`](Self::next).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let csv = client.flow_runs().download_logs(id).await?.try_collect().await?;
    /// println!("{} bytes of CSV", csv.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn try_collect(mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(part) = self.next().await {
            body.extend_from_slice(&part?);
        }
        Ok(body)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let call = &self.call;
        let failed = |error: reqwest::Error| {
            let kind = match error.is_timeout() {
                true => ErrorKind::Timeout,
                false => ErrorKind::Connection,
            };
            let failed = call.error(kind, "the reply broke off");
            failed.with_source(error.without_url())
        };
        let next = self.bytes.as_mut().poll_next(context);
        next.map(|next| next.map(|part| part.map_err(failed)))
    }
}

impl Stream for ByteStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream")
            .field("operation", &self.call.operation().name())
            .finish_non_exhaustive()
    }
}
