//! `Pager`: a list of any length as a stream, page by page behind the scenes.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::query::Pending;

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    Start,
    /// After so many items.
    Offset(i64),
    /// By its number.
    Number(i64),
    /// Where the page before points to, and the last items that came before it.
    Link(String, Vec<Uuid>),
}

impl Position {
    pub fn offset(&self) -> i64 {
        match self {
            Self::Offset(offset) => *offset,
            _ => 0,
        }
    }

    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// A page, and where the next one begins, if there is one.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Position>,
}

impl<T> Page<T> {
    /// Only an empty page is the last: the server may be set to shorter ones than it was asked for.
    pub fn at_offset(offset: i64, items: Vec<T>) -> Self {
        let next = (!items.is_empty()).then(|| Position::Offset(offset + items.len() as i64));
        Self { items, next }
    }

    pub fn numbered(number: i64, pages: i64, items: Vec<T>) -> Self {
        let more = !items.is_empty() && number < pages;
        let next = more.then_some(Position::Number(number + 1));
        Self { items, next }
    }
}

/// Reads the page at a position, with at most so many items.
type Read<T> = dyn Fn(Position, Option<i64>) -> Pending<'static, Page<T>> + Send + Sync;

/// The items of a list, one by one; [`Query::pager`](crate::Query::pager) gives it.
///
/// A [`Stream`], with [`next`](Self::next) for programs that have no other use for one. Pages are
/// read as they are needed, and while the items of one are handed out, the next is on its way: two
/// pages are in memory at most. After an error the stream ends.
///
/// Lists are read by offset. What is added or deleted before the current position in the order of the
/// list moves all behind it: an item may then come twice, or not at all; so may items that are equal in
/// that order. Where new items come last (as flows do by `FlowSort::NameAsc`, if their names grow),
/// additions do no harm; nor do they where a filter has a time that has passed as its end. Events are
/// kept from coming twice; but the server ends their list after as many as there were at its beginning,
/// so that those which are stored while it is read may push the oldest out.
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

/// The pages of a list; [`Pager::into_pages`] gives it.
#[must_use = "pages are not read unless they are polled"]
pub struct Pages<T> {
    read: Box<Read<T>>,
    limit: Option<usize>,
    /// Whether pages may be of another size than the one before.
    resizable: bool,
    /// Whether the server has refused to be told how many.
    told_not_to: bool,
    /// How many items are still of use: none beyond them is asked for.
    wanted: usize,
    ahead: Ahead<T>,
}

/// The next page.
enum Ahead<T> {
    Unread(Position),
    Reading(Position, Pending<'static, Page<T>>, Begun),
    Read(Result<Page<T>>),
    End,
}

/// When a page was asked for.
#[derive(Clone, Copy, PartialEq)]
enum Begun {
    /// While the caller was busy with the one before, and did not poll.
    Ahead,
    /// When the caller wanted it.
    Awaited,
}

impl<T> Pager<T> {
    pub(crate) fn new(
        limit: Option<usize>,
        resizable: bool,
        read: impl Fn(Position, Option<i64>) -> Pending<'static, Page<T>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            pages: Pages {
                read: Box::new(read),
                limit,
                resizable,
                told_not_to: false,
                wanted: usize::MAX,
                ahead: Ahead::Unread(Position::Start),
            },
            items: VecDeque::new(),
        }
    }

    /// The next item; `None` after the last one, and after an error.
    ///
    /// # Errors
    ///
    /// Those of any call.
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

    /// All items.
    ///
    /// # Errors
    ///
    /// Those of any call.
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

    /// The first so many items; as far as pages can be made shorter, no more are asked for than these.
    ///
    /// # Errors
    ///
    /// Those of any call.
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

    /// The same, page by page. Items of a page that was begun are left out.
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
                self.pages.read(context, Begun::Ahead);
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
    /// The next page, which has at least one item; `None` after the last one, and after an error.
    ///
    /// # Errors
    ///
    /// Those of any call.
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
        self.read(context, Begun::Awaited);
        match std::mem::replace(&mut self.ahead, Ahead::End) {
            // What has no items has no next page either, whatever the server says.
            Ahead::Read(Ok(page)) if page.items.is_empty() => Poll::Ready(None),
            Ahead::Read(Ok(page)) => {
                self.wanted = self.wanted.saturating_sub(page.items.len());
                if let Some(next) = page.next
                    && self.wanted > 0
                {
                    self.ahead = Ahead::Unread(next);
                    self.read(context, Begun::Ahead);
                }
                Poll::Ready(Some(Ok(page.items)))
            }
            Ahead::Read(Err(error)) => Poll::Ready(Some(Err(error))),
            Ahead::End => Poll::Ready(None),
            ahead => {
                self.ahead = ahead;
                Poll::Pending
            }
        }
    }

    /// Begins to read the next page, or goes on with it.
    fn read(&mut self, context: &mut Context<'_>, now: Begun) {
        loop {
            match &mut self.ahead {
                Ahead::Unread(at) => {
                    let at = at.clone();
                    let reading = (self.read)(at.clone(), self.limit());
                    self.ahead = Ahead::Reading(at, reading, now);
                }
                Ahead::Reading(at, reading, begun) => match reading.as_mut().poll(context) {
                    Poll::Ready(Err(error)) if !self.told_not_to && refuses_limit(&error) => {
                        self.told_not_to = true;
                        self.ahead = Ahead::Unread(at.clone());
                    }
                    // It had time enough, but nobody looked: this is not the server's fault.
                    Poll::Ready(Err(error)) if error.is_timeout() && *begun == Begun::Ahead => {
                        self.ahead = Ahead::Unread(at.clone());
                        if now == Begun::Ahead {
                            return;
                        }
                    }
                    Poll::Ready(page) => self.ahead = Ahead::Read(page),
                    Poll::Pending => return,
                },
                Ahead::Read(_) | Ahead::End => return,
            }
        }
    }

    /// How many items to ask for: no more than are wanted, where that makes no other page of it.
    fn limit(&self) -> Option<i64> {
        if self.told_not_to {
            return None;
        }
        let few = self.resizable && self.wanted < self.limit.unwrap_or(SHORTER_THAN_ANY_PAGE);
        let limit = if few { Some(self.wanted) } else { self.limit };
        limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX))
    }
}

/// Servers give 200 items at a time, or 50; one that is set to fewer says so.
const SHORTER_THAN_ANY_PAGE: usize = 50;

/// Whether the server was asked for more items than it gives at a time.
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
