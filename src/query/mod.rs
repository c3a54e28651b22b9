//! `Query`: a question that is put together word by word, and sent by `.await`.

mod macros;
mod slot;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use crate::client::Client;
use crate::error::Result;
use crate::pager::{Page, Pager, Position};
use crate::raw;

pub(crate) use macros::{conditions, count, list, pages, setters};
pub(crate) use slot::slot;

/// A call that was not sent yet, or whose reply is still to come.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A request that a [`Query`] sends; those of the API are all there are.
pub trait Question: Clone + Send + Sync + 'static {
    /// The path parameters.
    type Within: Clone + Send + Sync + 'static;
    /// What `.await` gives.
    type Answer: Send + 'static;

    #[doc(hidden)]
    fn ask(query: Query<'_, Self>) -> Pending<'static, Self::Answer>;
}

/// A [`Question`] whose answer has pages.
pub trait Listing: Question {
    /// What is listed.
    type Item: Send + 'static;

    /// How many items a stream asks for at a time; `None` for as many as the server gives by itself.
    #[doc(hidden)]
    const STREAMED: Option<usize> = Some(100);

    /// Whether a page begins at the same item whatever its size.
    #[doc(hidden)]
    const RESIZABLE: bool = true;

    #[doc(hidden)]
    fn page(
        self,
        raw: Arc<raw::Client>,
        within: Self::Within,
        at: Position,
        limit: Option<i64>,
    ) -> Pending<'static, Page<Self::Item>>;
}

/// A question to the server, put together word by word; `.await` sends it.
///
/// The `list` and `count` methods of the handles give one. What it can say depends on what it asks
/// for: the methods below are grouped by request, and each `list` method names its own. Without a
/// word it asks for all, and without `sort` in the server's order (of runs that of their ids, which says
/// nothing). An answer with pages is read to its end: a `Vec` with everything, or, by
/// [`pager`](Self::pager), item by item in constant memory.
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
/// use prefect_sdk::types::{FlowRunSort, StateType};
///
/// let yesterday = chrono::Utc::now() - chrono::Duration::days(1);
/// let failed = client.flow_runs().list().state(StateType::Failed).since(yesterday);
/// for run in failed.sort(FlowRunSort::StartTimeDesc).await? {
///     println!("{:?} {}", run.name, run.id);
/// }
/// let crashed = client.flow_runs().count().state(StateType::Crashed).await?;
/// println!("and {crashed} crashed");
/// # Ok(())
/// # }
/// ```
#[must_use = "a query does nothing unless it is awaited, or its pager is"]
pub struct Query<'a, R: Question> {
    pub(crate) client: &'a Client,
    pub(crate) within: R::Within,
    pub(crate) request: R,
    page_size: Option<usize>,
}

impl<'a, R: Question> Query<'a, R> {
    pub(crate) fn new(client: &'a Client, within: R::Within, request: R) -> Self {
        Self {
            client,
            within,
            request,
            page_size: None,
        }
    }

    /// For a list, what replaces a filter is a change of mind; see [`Bulk`](crate::Bulk).
    pub(crate) fn says_filter(&mut self, _replaced: bool) {}

    pub(crate) fn says_word(&mut self) {}

    pub(crate) fn items_at_a_time(&self) -> Option<i64> {
        self.page_size
            .map(|size| i64::try_from(size).unwrap_or(i64::MAX))
    }
}

impl<R: Listing> Query<'_, R> {
    /// How many items to ask for at a time. By itself a list that is awaited asks for as many as the
    /// server gives (200), a stream for 100, which takes half the memory; of events both get 50. If the
    /// server allows fewer, it is asked for those; 0 counts as 1.
    pub fn page_size(mut self, items: usize) -> Self {
        self.page_size = Some(items.max(1));
        self
    }

    /// The items one by one, as a stream in constant memory. Nothing is sent before it is polled.
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
        let limit = self.page_size.or(R::STREAMED);
        self.read(limit)
    }

    /// All items.
    pub(crate) fn collect(self) -> Pending<'static, Vec<R::Item>> {
        let limit = self.page_size;
        Box::pin(self.read(limit).try_collect())
    }

    fn read(self, limit: Option<usize>) -> Pager<R::Item> {
        let raw = self.client.shared_raw();
        let (within, request) = (self.within, self.request);
        Pager::new(limit, R::RESIZABLE, move |at, limit| {
            request.clone().page(raw.clone(), within.clone(), at, limit)
        })
    }

    /// The first so many items. No more are asked for than these, but for pages by number and events,
    /// whose pages have one size.
    ///
    /// # Errors
    ///
    /// Those of any call.
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

    /// The first item, if there is one.
    ///
    /// # Errors
    ///
    /// Those of any call.
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

impl<'a, R: Question> IntoFuture for Query<'a, R> {
    type Output = Result<R::Answer>;
    type IntoFuture = Pending<'static, R::Answer>;

    fn into_future(self) -> Self::IntoFuture {
        R::ask(self)
    }
}

impl<R: Question> Clone for Query<'_, R> {
    fn clone(&self) -> Self {
        Self {
            client: self.client,
            within: self.within.clone(),
            request: self.request.clone(),
            page_size: self.page_size,
        }
    }
}

impl<R: Question + fmt::Debug> fmt::Debug for Query<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Query").field(&self.request).finish()
    }
}
