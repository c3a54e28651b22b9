//! `Query`: a request that is built by chaining filters, and sent by `.await`.

use std::fmt;
use std::future::IntoFuture;

use futures_core::future::BoxFuture;

use super::pager::Pager;
use super::request::{ListRequest, QueryRequest, pager};
use crate::client::Client;
use crate::error::Result;

/// A request that is built by chaining filters; `.await` sends it and returns the whole answer.
///
/// The `list` and `count` methods of the resources return one. Which filters there are depends on the
/// request: the methods below are grouped by request, and each `list` method names its own. Without a filter
/// everything matches, and without `sort` the order is the server's (flow runs come in the order of their ids,
/// which means nothing). An answer with pages is read to its end: `.await` returns a `Vec` with all items, and
/// [`pager`](Self::pager) a stream of items in constant memory.
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
/// use prefect_sdk::types::{FlowRunSort, StateType};
///
/// let yesterday = chrono::Utc::now() - chrono::Duration::days(1);
/// let failed = client.flow_runs().list().state(StateType::Failed).expected_since(yesterday);
/// for run in failed.sort(FlowRunSort::StartTimeDesc).await? {
///     println!("{:?} {}", run.name, run.id);
/// }
/// let crashed = client.flow_runs().count().state(StateType::Crashed).await?;
/// println!("and {crashed} crashed");
/// # Ok(())
/// # }
/// ```
#[must_use = "a query does nothing unless it is awaited, or its pager is"]
pub struct Query<'a, R: QueryRequest> {
    client: &'a Client,
    path_params: R::PathParams,
    pub(crate) request: R,
    page_size: Option<usize>,
}

impl<'a, R: QueryRequest> Query<'a, R> {
    pub(crate) fn new(client: &'a Client, path_params: R::PathParams, request: R) -> Self {
        Self {
            client,
            path_params,
            request,
            page_size: None,
        }
    }

    /// A query may replace a filter; only [`Bulk`](crate::Bulk) refuses that.
    pub(crate) fn note_filter(&mut self, _replaced: bool) {}

    pub(crate) fn note_condition(&mut self) {}
}

impl<R: ListRequest> Query<'_, R> {
    /// Sets how many items are requested at a time. By default, an awaited list requests as many as the
    /// server returns (200), and a stream 100, which takes half the memory; events come 50 at a time in both
    /// cases. If the server allows fewer, as many as it allows are requested; 0 counts as 1.
    pub fn page_size(mut self, items: usize) -> Self {
        self.page_size = Some(items.max(1));
        self
    }

    /// Returns the items one by one, as a stream in constant memory. Nothing is sent before it is polled.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let mut flows = client.flows().list().pager();
    /// while let Some(flow) = flows.next().await {
    ///     println!("{}", flow?.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn pager(self) -> Pager<R::Item> {
        let page_size = self.page_size.or(R::STREAM_PAGE_SIZE);
        let raw = self.client.shared_raw();
        pager(self.request, raw, self.path_params, page_size)
    }

    /// Returns the first `items` items. No more than these are requested, except for numbered pages and
    /// events, whose page size is fixed.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::FlowRunSort;
    ///
    /// let runs = client.flow_runs().list().sort(FlowRunSort::StartTimeDesc);
    /// for run in runs.at_most(20).await? {
    ///     println!("{}", run.id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn at_most(self, items: usize) -> Result<Vec<R::Item>> {
        self.pager().try_collect_at_most(items).await
    }

    /// The same as [`at_most`](Self::at_most).
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let twenty = client.flows().list().limit(20).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn limit(self, items: usize) -> Result<Vec<R::Item>> {
        self.at_most(items).await
    }

    /// Returns the first item, if there is one.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::FlowRunSort;
    ///
    /// let runs = client.flow_runs().list().flow_name("etl");
    /// let latest = runs.sort(FlowRunSort::StartTimeDesc).first().await?;
    /// println!("{:?}", latest.map(|run| run.id));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn first(self) -> Result<Option<R::Item>> {
        Ok(self.at_most(1).await?.pop())
    }
}

impl<'a, R: QueryRequest> IntoFuture for Query<'a, R> {
    type Output = Result<R::Output>;
    type IntoFuture = BoxFuture<'static, Result<R::Output>>;

    fn into_future(self) -> Self::IntoFuture {
        let raw = self.client.shared_raw();
        self.request.send(raw, self.path_params, self.page_size)
    }
}

impl<R: QueryRequest> Clone for Query<'_, R> {
    fn clone(&self) -> Self {
        Self {
            client: self.client,
            path_params: self.path_params.clone(),
            request: self.request.clone(),
            page_size: self.page_size,
        }
    }
}

impl<R: QueryRequest + fmt::Debug> fmt::Debug for Query<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Query").field(&self.request).finish()
    }
}
