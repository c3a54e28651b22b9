//! `Download`: the body of a reply, as it comes.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use progenitor_client::ByteStream;

use crate::error::{Error, ErrorKind, Result};

/// The body of a reply, as it comes: a [`Stream`], with [`next`](Self::next) for programs that have no
/// other use for one.
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
#[must_use = "a download is read by polling it"]
pub struct Download {
    bytes: ByteStream,
    operation: &'static str,
}

impl Download {
    pub(crate) fn new(bytes: ByteStream, operation: &'static str) -> Self {
        Self { bytes, operation }
    }

    /// The next part; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Connection`](crate::ErrorKind::Connection) or [`Timeout`](crate::ErrorKind::Timeout) when it
    /// breaks off; what came before is not repeated.
    ///
    /// ```no_run
    /// # async fn example(mut download: prefect_sdk::Download) -> prefect_sdk::Result<()> {
    /// while let Some(part) = download.next().await {
    ///     println!("{} bytes", part?.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        poll_fn(|context| self.poll(context)).await
    }

    /// All of it, in memory.
    ///
    /// # Errors
    ///
    /// Those of [`next`](Self::next).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let csv = client.flow_runs().download_logs(id).await?.try_collect().await?;
    /// println!("{} bytes of CSV", csv.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn try_collect(mut self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(part) = self.next().await {
            all.extend_from_slice(&part?);
        }
        Ok(all)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let operation = self.operation;
        let failed = |error: reqwest::Error| {
            let kind = match error.is_timeout() {
                true => ErrorKind::Timeout,
                false => ErrorKind::Connection,
            };
            Error::new(kind, "the reply broke off")
                .of(operation)
                .caused_by(error.without_url())
        };
        let next = self.bytes.as_mut().poll_next(context);
        next.map(|next| next.map(|part| part.map_err(failed)))
    }
}

impl Stream for Download {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}
