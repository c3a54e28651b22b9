//! The list of events, each page of which links to the next.

use std::sync::Arc;

use futures_core::future::BoxFuture;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::query::{ListRequest, Page, Position, QueryRequest, pager};
use crate::raw;
use crate::types::{EventPage, ReadEventsRequest, ReceivedEvent};

impl ListRequest for ReadEventsRequest {
    type Item = ReceivedEvent;

    const STREAM_PAGE_SIZE: Option<usize> = None;
    // All pages have the size of the first.
    const PAGE_SIZE_MAY_CHANGE: bool = false;

    #[inline]
    fn page(
        mut self,
        raw: Arc<raw::Client>,
        (): (),
        at: Position,
        limit: Option<i64>,
    ) -> BoxFuture<'static, Result<Page<ReceivedEvent>>> {
        self.limit = limit;
        Box::pin(async move {
            let (mut token, mut seen) = match at {
                Position::Link(token, seen) => (Some(token), seen),
                _ => (None, Vec::new()),
            };
            loop {
                let page: EventPage = match &token {
                    Some(token) => raw.read_account_events_page(token).await?.into_inner(),
                    None => raw.read_events(&self).await?.into_inner(),
                };
                let next = page.next_page.as_deref().map(page_token).transpose()?;
                let ended = page.events.is_empty() || next.is_none() || next == token;
                let mut items = page.events;
                items.retain(|event| !seen.contains(&event.id));
                if items.is_empty() && !ended {
                    token = next;
                    continue;
                }
                seen.extend(items.iter().map(|event| event.id));
                seen.drain(..seen.len().saturating_sub(REMEMBERED_EVENT_IDS));
                let next = next.filter(|_| !ended);
                let next = next.map(|token| Position::Link(token, seen));
                let first_id = None;
                return Ok(Page {
                    items,
                    next,
                    first_id,
                });
            }
        })
    }
}

/// How many event ids are remembered between pages, so that no event is returned twice. The server's cursor
/// is in effect an offset, the latest events come first, and they are stored some time after they occurred:
/// while a list is read, events that were already read move into later pages.
const REMEMBERED_EVENT_IDS: usize = 1000;

impl QueryRequest for ReadEventsRequest {
    type PathParams = ();
    type Output = Vec<ReceivedEvent>;

    #[inline]
    fn send(
        self,
        raw: Arc<raw::Client>,
        (): (),
        page_size: Option<usize>,
    ) -> BoxFuture<'static, Result<Vec<ReceivedEvent>>> {
        Box::pin(pager(self, raw, (), page_size).try_collect())
    }
}

/// Returns the page token in the link to the next page. The link itself is not followed: it has the host
/// that the server sees, which differs behind a proxy.
fn page_token(link: &str) -> Result<String> {
    let url = Url::parse(link).ok();
    let token = url.as_ref().and_then(|url| {
        let mut pairs = url.query_pairs();
        pairs.find_map(|(key, value)| (key == "page-token").then(|| value.into_owned()))
    });
    token.ok_or_else(|| {
        let message = "the link to the next page of events has no page token";
        Error::new(ErrorKind::UnexpectedBody, message).with_operation("read_events")
    })
}
