//! `Bulk`: an operation on many objects at once, which cannot be all objects by accident.

mod filter_check;
mod macros;

use std::collections::HashSet;
use std::fmt;
use std::future::IntoFuture;

use futures_core::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub(crate) use macros::bulk_request;

use super::query::Query;
use super::request::{ListRequest, QueryRequest};
use crate::client::Client;
use crate::error::{Error, Result};

/// The most objects that the server accepts in one bulk request.
const OBJECTS_PER_REQUEST: usize = 50;

/// The progress of a bulk operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many objects have been processed.
    pub done: usize,
    /// How many objects there are.
    pub total: usize,
}

/// An operation on all objects that match its filters; `.await` executes it.
///
/// `delete_many` and `set_state_many` of the resources return one. A bulk operation requires a condition or
/// an explicit [`all()`](Self::all) and is refused without either, because the server treats a filter that
/// is missing, empty or null, or under a misspelt key, as *everything*.
///
/// The objects that match are listed first, and then processed by id, as many at a time as the server
/// allows (50): objects that match only later are left alone. The filter of the objects themselves is sent
/// with their ids, so objects that no longer match it are left alone, too (except if the parts of the
/// filter are alternatives, `Operator::Or`). [`dry_run`](Self::dry_run) only counts. What was done before
/// an error stays done; to do the rest, execute the operation again.
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
/// use prefect_sdk::types::StateType;
///
/// let last_month = chrono::Utc::now() - chrono::Duration::days(30);
/// let old = || client.flow_runs().delete_many().state(StateType::Completed).ended_until(last_month);
/// println!("{} runs would be deleted", old().dry_run().await?);
/// let deleted = old()
///     .on_progress(|progress| println!("{}/{}", progress.done, progress.total))
///     .await?;
/// println!("{} were", deleted.len());
/// # Ok(())
/// # }
/// ```
#[must_use = "a bulk operation does nothing unless it is awaited"]
pub struct Bulk<'a, R: BulkRequest> {
    client: &'a Client,
    /// The request that changes or deletes the objects.
    pub(crate) work: R,
    /// The request that lists the objects.
    pub(crate) request: R::List,
    all: bool,
    filter_order: FilterOrder,
    /// What is left alone, although it matches.
    exceptions: Vec<Exception<'a, R>>,
    progress: Option<Box<dyn FnMut(Progress) + Send + 'a>>,
}

/// In which order single conditions and whole filters were set.
#[derive(Clone, Copy, Debug, Default)]
struct FilterOrder {
    filter: bool,
    /// A whole filter replaced one that was already set.
    replaced: bool,
    condition_after_filter: bool,
}

/// The conditions that the filter of a request can have.
pub trait Conditions {
    /// The paths of all conditions, including those of `operator`.
    #[doc(hidden)]
    const PATHS: &'static [&'static str];
}

/// What a bulk operation is about, as it is listed.
type Item<R> = <<R as BulkRequest>::List as ListRequest>::Item;

/// Whether an object is left alone.
type Exception<'a, R> = Box<dyn FnMut(&Item<R>) -> bool + Send + 'a>;

/// A request that changes or deletes many objects.
pub trait BulkRequest: Conditions + Clone + Send + Sync + 'static {
    /// What the server returns for each object.
    type Outcome: Send + 'static;
    #[doc(hidden)]
    type List: ListRequest<PathParams = ()> + Default + Serialize;
    #[doc(hidden)]
    type Count: QueryRequest<PathParams = (), Output = i64> + DeserializeOwned;

    /// The list in an order in which no two items are equal, if there is one.
    #[doc(hidden)]
    fn sorted(list: Self::List) -> Self::List;
    #[doc(hidden)]
    fn id(item: &Item<Self>) -> Uuid;
    #[doc(hidden)]
    fn tags(item: &Item<Self>) -> &[String];
    /// The same request, restricted to these of the listed objects.
    #[doc(hidden)]
    fn only(&self, list: &Self::List, ids: &[Uuid]) -> Self;
    #[doc(hidden)]
    fn send<'a>(
        self,
        client: &'a Client,
        ids: &'a [Uuid],
    ) -> BoxFuture<'a, Result<Vec<Self::Outcome>>>;
}

impl<'a, R: BulkRequest> Bulk<'a, R> {
    pub(crate) fn new(client: &'a Client, work: R) -> Self {
        Self {
            client,
            work,
            request: R::List::default(),
            all: false,
            filter_order: FilterOrder::default(),
            exceptions: Vec::new(),
            progress: None,
        }
    }

    pub(crate) fn note_filter(&mut self, replaced: bool) {
        self.filter_order.filter = true;
        self.filter_order.replaced |= replaced;
    }

    pub(crate) fn note_condition(&mut self) {
        self.filter_order.condition_after_filter |= self.filter_order.filter;
    }

    /// Confirms that all objects are meant. Required if there is no condition, refused if there is one.
    pub fn all(mut self) -> Self {
        self.all = true;
        self
    }

    /// Leaves those objects alone for which `is_kept` is true. It sees each object that matches once, as it is listed,
    /// unless an earlier exception keeps it. An exception is no condition.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let old = client.flow_runs().delete_many().older_than(std::time::Duration::from_secs(30 * 86_400));
    /// let deleted = old.except(|run| run.run_count > Some(3)).except_tag("keep").await?;
    /// println!("{} runs are deleted", deleted.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn except(mut self, is_kept: impl FnMut(&Item<R>) -> bool + Send + 'a) -> Self {
        self.exceptions.push(Box::new(is_kept));
        self
    }

    /// Leaves objects with this tag alone.
    pub fn except_tag(self, tag: impl Into<String>) -> Self {
        let tag = tag.into();
        self.except(move |item| R::tags(item).contains(&tag))
    }

    /// Runs `call` before the first request that changes anything, and after each such request.
    pub fn on_progress(mut self, call: impl FnMut(Progress) + Send + 'a) -> Self {
        self.progress = Some(Box::new(call));
        self
    }

    /// Counts the objects that match now: `POST …/count`, or, if there are exceptions, by listing them. Nothing is
    /// changed.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) as for the operation itself, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let how_many = client.flows().delete_many().tag("temporary").dry_run().await?;
    /// println!("{how_many} flows");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn dry_run(mut self) -> Result<i64> {
        let filters = self.check()?;
        if !self.exceptions.is_empty() {
            return Ok(self.matching().await?.len() as i64);
        }
        let count: R::Count = serde_json::from_slice(&filters).map_err(not_serializable)?;
        Query::new(self.client, (), count).await
    }

    /// Checks the filters and returns them as JSON.
    fn check(&self) -> Result<Vec<u8>> {
        if self.filter_order.replaced {
            return Err(Error::invalid_request(
                "a whole filter replaces what was set before it: set single conditions after it",
            ));
        }
        let filters = serde_json::to_vec(&self.request).map_err(not_serializable)?;
        let read = serde_json::from_slice(&filters).map_err(not_serializable)?;
        filter_check::check(&read, R::PATHS, self.all)?;
        if self.filter_order.condition_after_filter && filter_check::has_alternatives(&read) {
            return Err(Error::invalid_request(
                "a condition beside alternatives (`Operator::Or`) may become one more of them: \
                 set all conditions in the filter",
            ));
        }
        Ok(filters)
    }

    /// Lists what the operation is about: the ids of what matches, without the exceptions.
    async fn matching(&mut self) -> Result<Vec<Uuid>> {
        let mut matching = Vec::new();
        // An item may be listed twice if objects change meanwhile.
        let mut seen = HashSet::new();
        let list = Query::new(self.client, (), R::sorted(self.request.clone()));
        let mut pager = list.pager();
        while let Some(item) = pager.next().await {
            let item = item?;
            let id = R::id(&item);
            if seen.insert(id) && !self.exceptions.iter_mut().any(|is_kept| is_kept(&item)) {
                matching.push(id);
            }
        }
        Ok(matching)
    }

    async fn run(mut self) -> Result<Vec<R::Outcome>> {
        self.check()?;
        let matching = self.matching().await?;
        let mut outcomes = Vec::with_capacity(matching.len());
        let mut report = |done| {
            if let Some(call) = &mut self.progress {
                let total = matching.len();
                call(Progress { done, total });
            }
        };
        report(0);
        for (chunk, ids) in matching.chunks(OBJECTS_PER_REQUEST).enumerate() {
            outcomes.extend(
                self.work
                    .only(&self.request, ids)
                    .send(self.client, ids)
                    .await?,
            );
            report(chunk * OBJECTS_PER_REQUEST + ids.len());
        }
        Ok(outcomes)
    }
}

impl<'a, R: BulkRequest> IntoFuture for Bulk<'a, R> {
    type Output = Result<Vec<R::Outcome>>;
    type IntoFuture = BoxFuture<'a, Result<Vec<R::Outcome>>>;

    #[inline]
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

fn not_serializable(error: serde_json::Error) -> Error {
    Error::invalid_request("the filter cannot be written as JSON").with_source(error)
}

impl<R: BulkRequest + fmt::Debug> fmt::Debug for Bulk<'_, R>
where
    R::List: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk")
            .field("work", &self.work)
            .field("request", &self.request)
            .field("all", &self.all)
            .finish_non_exhaustive()
    }
}
