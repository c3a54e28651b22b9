//! `Pager`: a list of any length as a stream, which requests page after page.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::future::BoxFuture;

use super::page::{Page, Position};
use crate::error::{Error, ErrorKind, Result};

/// Reads the page at a position, with at most this many items.
type Read<T> = dyn Fn(Position, Option<i64>) -> BoxFuture<'static, Result<Page<T>>> + Send + Sync;

/// The items of a list, one by one; returned by [`Query::pager`](crate::Query::pager).
///
/// It is a [`Stream`]; programs that use no stream library call [`next`](Self::next). Pages are requested
/// as they are needed, and the next one is requested while the items of the current one are returned, so
/// at most two pages are in memory. After an error the stream ends.
///
/// Lists are read by offset. An object that is added or deleted before the current position, in the order
/// of the list, shifts all objects behind it: an item may then be returned twice or not at all. The same
/// can happen to items that are equal in that order. Additions do no harm where new items come last (as
/// flows do with `FlowSort::NameAsc`, if their names ascend) or where a filter ends at a time in the past.
/// Events are not returned twice, but the server ends their list after as many events as there were when
/// it began: events that are stored while the list is read may push out the oldest ones.
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
/// let mut runs = client.flow_runs().list().flow_name("etl").pager();
/// while let Some(run) = runs.next().await {
///     println!("{}", run?.id);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a pager reads nothing unless it is polled"]
pub struct Pager<T> {
    pages: Pages<T>,
    items: VecDeque<T>,
}

/// The pages of a list; returned by [`Pager::into_pages`].
#[must_use = "pages are not read unless they are polled"]
pub struct Pages<T> {
    read: Box<Read<T>>,
    limit: Option<usize>,
    /// Whether a page may have another size than the previous one.
    resizable: bool,
    /// Whether the server has refused a limit; later requests have none.
    limit_refused: bool,
    /// How many more items are needed; no page is requested beyond them.
    wanted: usize,
    prefetch: Prefetch<T>,
    /// The id of the first item of the last page.
    first_id: Option<String>,
}

/// The error of a list that would never end.
fn repeated() -> Error {
    let message = "a page of the list begins as the one before did: the server, or what is in front of it, ignores the position";
    Error::new(ErrorKind::UnexpectedBody, message)
}

/// The next page.
enum Prefetch<T> {
    Unread(Position),
    Reading(Position, BoxFuture<'static, Result<Page<T>>>, StartedBy),
    Read(Result<Page<T>>),
    End,
}

/// What started the request for a page.
#[derive(Clone, Copy, PartialEq)]
enum StartedBy {
    /// The pager, ahead of the caller, who was busy with the previous page and did not poll.
    Prefetch,
    /// The caller, who polled for the page.
    Caller,
}

impl<T> Pager<T> {
    pub(crate) fn new(
        limit: Option<usize>,
        resizable: bool,
        read: impl Fn(Position, Option<i64>) -> BoxFuture<'static, Result<Page<T>>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            pages: Pages {
                read: Box::new(read),
                limit,
                resizable,
                limit_refused: false,
                wanted: usize::MAX,
                prefetch: Prefetch::Unread(Position::Start),
                first_id: None,
            },
            items: VecDeque::new(),
        }
    }

    /// Returns the next item; `None` after the last one, and after an error.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let mut pools = client.work_pools().list().pager();
    /// while let Some(pool) = pools.next().await {
    ///     println!("{}", pool?.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|context| self.poll(context)).await
    }

    /// Reads all items.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let variables = client.variables().list().pager().try_collect().await?;
    /// println!("{}", variables.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn try_collect(self) -> Result<Vec<T>> {
        self.try_collect_at_most(usize::MAX).await
    }

    /// Reads the first `most` items; where the page size may vary, no more than these are requested.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let some = client.flow_runs().list().pager().try_collect_at_most(10).await?;
    /// assert!(some.len() <= 10);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn try_collect_at_most(mut self, most: usize) -> Result<Vec<T>> {
        let mut found = Vec::from(self.items);
        found.truncate(most);
        let missing = most - found.len();
        self.pages.wanted = missing;
        while found.len() < most
            && let Some(page) = self.pages.next().await
        {
            let missing = most - found.len();
            found.extend(page?.into_iter().take(missing));
        }
        Ok(found)
    }

    /// Returns the list page by page. The remaining items of a partly returned page are left out.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let mut pages = client.flow_runs().list().pager().into_pages();
    /// while let Some(page) = pages.next().await {
    ///     println!("{} more", page?.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_pages(self) -> Pages<T> {
        self.pages
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        loop {
            if let Some(item) = self.items.pop_front() {
                self.pages.read(context, StartedBy::Prefetch);
                return Poll::Ready(Some(Ok(item)));
            }
            match ready!(self.pages.poll(context)) {
                Some(Ok(page)) => self.items = page.into(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<T> Pages<T> {
    /// Returns the next page, which has at least one item; `None` after the last one, and after an error.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let mut pages = client.flows().list().page_size(50).pager().into_pages();
    /// if let Some(page) = pages.next().await {
    ///     println!("the first {}", page?.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next(&mut self) -> Option<Result<Vec<T>>> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Vec<T>>>> {
        self.read(context, StartedBy::Caller);
        match std::mem::replace(&mut self.prefetch, Prefetch::End) {
            // An empty page has no next page, whatever the server says.
            Prefetch::Read(Ok(page)) if page.items.is_empty() => Poll::Ready(None),
            Prefetch::Read(Ok(page)) if self.is_repeated(&page) => {
                Poll::Ready(Some(Err(repeated())))
            }
            Prefetch::Read(Ok(page)) => {
                self.first_id = page.first_id;
                self.wanted = self.wanted.saturating_sub(page.items.len());
                if let Some(next) = page.next
                    && self.wanted > 0
                {
                    self.prefetch = Prefetch::Unread(next);
                    self.read(context, StartedBy::Prefetch);
                }
                Poll::Ready(Some(Ok(page.items)))
            }
            Prefetch::Read(Err(error)) => Poll::Ready(Some(Err(error))),
            Prefetch::End => Poll::Ready(None),
            prefetch => {
                self.prefetch = prefetch;
                Poll::Pending
            }
        }
    }

    /// Starts the request for the next page, or polls the one that is running.
    fn read(&mut self, context: &mut Context<'_>, now: StartedBy) {
        loop {
            match &mut self.prefetch {
                Prefetch::Unread(at) => {
                    let at = at.clone();
                    let reading = (self.read)(at.clone(), self.limit());
                    self.prefetch = Prefetch::Reading(at, reading, now);
                }
                Prefetch::Reading(at, reading, started_by) => {
                    match reading.as_mut().poll(context) {
                        Poll::Ready(Err(error)) if !self.limit_refused && refuses_limit(&error) => {
                            self.limit_refused = true;
                            self.prefetch = Prefetch::Unread(at.clone());
                        }
                        // It timed out because nobody polled it, which is not the server's fault.
                        Poll::Ready(Err(error))
                            if error.is_timeout() && *started_by == StartedBy::Prefetch =>
                        {
                            self.prefetch = Prefetch::Unread(at.clone());
                            if now == StartedBy::Prefetch {
                                return;
                            }
                        }
                        Poll::Ready(page) => self.prefetch = Prefetch::Read(page),
                        Poll::Pending => return,
                    }
                }
                Prefetch::Read(_) | Prefetch::End => return,
            }
        }
    }

    /// Whether a page begins as the one before did.
    fn is_repeated(&self, page: &Page<T>) -> bool {
        self.first_id.is_some() && self.first_id == page.first_id
    }

    /// How many items to request: no more than are needed, where the page size may change.
    fn limit(&self) -> Option<i64> {
        if self.limit_refused {
            return None;
        }
        let few = self.resizable && self.wanted < self.limit.unwrap_or(MIN_SERVER_PAGE);
        let limit = if few { Some(self.wanted) } else { self.limit };
        limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX))
    }
}

/// The smallest default page size, in items: servers return 200 at a time, or 50. One that is configured
/// to return fewer refuses a higher limit.
const MIN_SERVER_PAGE: usize = 50;

/// Whether the server refused to return as many items at a time as requested.
fn refuses_limit(error: &Error) -> bool {
    error.is_validation()
        && (error.message().contains("limit")
            || error
                .issues()
                .iter()
                .any(|issue| issue.location.contains("limit")))
}

impl<T> Unpin for Pager<T> {}

impl<T> Stream for Pager<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        self.poll(context)
    }
}

impl<T> Unpin for Pages<T> {}

impl<T> Stream for Pages<T> {
    type Item = Result<Vec<T>>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Vec<T>>>> {
        self.poll(context)
    }
}

impl<T> fmt::Debug for Pager<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pager").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}
