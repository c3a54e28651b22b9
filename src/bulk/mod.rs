//! `Bulk`: work on many objects at once, that cannot be all of them by accident.

mod check;
mod requests;

use std::collections::HashSet;
use std::fmt;
use std::future::IntoFuture;

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::query::{Listing, Pending, Query, Question};
use crate::types::BulkSetFlowRunStateRequest;

/// How many objects the server takes at once.
const AT_ONCE: usize = 50;

/// How far bulk work has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many objects were dealt with.
    pub done: usize,
    /// How many there are.
    pub total: usize,
}

/// Work on all objects that match; `.await` does it.
///
/// `delete_many` and `set_state_many` of the handles give one. The server takes a request whose filter
/// is missing, empty or null, or under a misspelt key, for *everything*. So this asks for a condition, and
/// refuses to be sent without one; [`all`](Self::all) says that everything is meant.
///
/// What matches is listed first; then it is worked on by id, as many at a time as the server allows
/// (50): what has come to match since is left alone. The filter of the objects themselves is sent with
/// their ids, so that what has ceased to match it is left alone, too. (But for a filter whose parts are
/// alternatives, `Operator::Or`.)
/// [`dry_run`](Self::dry_run) only counts. What was done before an error stays done; to do
/// the rest, do it again.
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
#[must_use = "bulk work is not done unless it is awaited"]
pub struct Bulk<'a, R: BulkRequest> {
    client: &'a Client,
    /// What is done.
    work: R,
    /// To what it is done.
    pub(crate) request: R::List,
    all: bool,
    said: Said,
    progress: Option<Box<dyn FnMut(Progress) + Send + 'a>>,
}

/// In which order words and whole filters were said.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    filter: bool,
    /// A filter came after what it replaces.
    replaced: bool,
    word_after_filter: bool,
}

/// What the filter of a request can say.
pub trait Conditions {
    /// The paths of all conditions, those of `operator` among them.
    #[doc(hidden)]
    const PATHS: &'static [&'static str];
}

/// A request for work on many objects.
pub trait BulkRequest: Conditions + Clone + Send + Sync + 'static {
    /// What the server says of each.
    type Outcome: Send + 'static;
    #[doc(hidden)]
    type List: Listing<Within = ()> + Default + Serialize;
    #[doc(hidden)]
    type Count: Question<Within = (), Answer = i64> + DeserializeOwned;

    /// The list in an order in which no two items are equal, as far as there is one.
    #[doc(hidden)]
    fn sorted(list: Self::List) -> Self::List;
    #[doc(hidden)]
    fn id(item: &<Self::List as Listing>::Item) -> Uuid;
    /// The same request, for these of what is listed.
    #[doc(hidden)]
    fn only(&self, list: &Self::List, ids: &[Uuid]) -> Self;
    #[doc(hidden)]
    fn send<'a>(self, client: &'a Client, ids: &'a [Uuid]) -> Pending<'a, Vec<Self::Outcome>>;
}

impl<'a, R: BulkRequest> Bulk<'a, R> {
    pub(crate) fn new(client: &'a Client, work: R) -> Self {
        Self {
            client,
            work,
            request: R::List::default(),
            all: false,
            said: Said::default(),
            progress: None,
        }
    }

    pub(crate) fn says_filter(&mut self, replaced: bool) {
        self.said.filter = true;
        self.said.replaced |= replaced;
    }

    pub(crate) fn says_word(&mut self) {
        self.said.word_after_filter |= self.said.filter;
    }

    /// Says that everything is meant, should there be no condition.
    pub fn all(mut self) -> Self {
        self.all = true;
        self
    }

    /// Calls this before the first request that changes anything, and after each.
    pub fn on_progress(mut self, call: impl FnMut(Progress) + Send + 'a) -> Self {
        self.progress = Some(Box::new(call));
        self
    }

    /// How many objects match now: `POST …/count`. Nothing is changed.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) as for the work itself; those of any call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let how_many = client.flows().delete_many().tag("temporary").dry_run().await?;
    /// println!("{how_many} flows");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn dry_run(self) -> Result<i64> {
        let filters = self.check()?;
        let count: R::Count = serde_json::from_slice(&filters).map_err(no_json)?;
        Query::new(self.client, (), count).await
    }

    /// The filters as JSON, if they say what is meant.
    fn check(&self) -> Result<Vec<u8>> {
        if self.said.replaced {
            return Err(Error::invalid_request(
                "a filter was set that replaces what was said before: say the words after it",
            ));
        }
        let filters = serde_json::to_vec(&self.request).map_err(no_json)?;
        let read = serde_json::from_slice(&filters).map_err(no_json)?;
        check::check(&read, R::PATHS, self.all)?;
        if self.said.word_after_filter && check::has_alternatives(&read) {
            return Err(Error::invalid_request(
                "a word beside alternatives (`Operator::Or`) may be one more of them: say all in the filter",
            ));
        }
        Ok(filters)
    }

    async fn run(mut self) -> Result<Vec<R::Outcome>> {
        self.check()?;
        let mut matching = Vec::new();
        // What changes meanwhile may make an item come twice.
        let mut seen = HashSet::new();
        let list = Query::new(self.client, (), R::sorted(self.request.clone()));
        let mut pager = list.pager();
        while let Some(item) = pager.next().await {
            let id = R::id(&item?);
            if seen.insert(id) {
                matching.push(id);
            }
        }
        let mut outcomes = Vec::with_capacity(matching.len());
        let mut report = |done| {
            if let Some(call) = &mut self.progress {
                let total = matching.len();
                call(Progress { done, total });
            }
        };
        report(0);
        for (chunk, ids) in matching.chunks(AT_ONCE).enumerate() {
            outcomes.extend(
                self.work
                    .only(&self.request, ids)
                    .send(self.client, ids)
                    .await?,
            );
            report(chunk * AT_ONCE + ids.len());
        }
        Ok(outcomes)
    }
}

impl<'a, R: BulkRequest> IntoFuture for Bulk<'a, R> {
    type Output = Result<Vec<R::Outcome>>;
    type IntoFuture = Pending<'a, Vec<R::Outcome>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl Bulk<'_, BulkSetFlowRunStateRequest> {
    /// Sets the state without asking the server's rules.
    pub fn force(mut self, force: bool) -> Self {
        self.work = self.work.force(force);
        self
    }
}

fn no_json(error: serde_json::Error) -> Error {
    Error::invalid_request("the filter has no JSON").caused_by(error)
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
