//! Events: a list whose pages point to the next one.

use std::sync::Arc;

use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::pager::{Page, Position};
use crate::query::{Listing, Pending, Query, Question};
use crate::raw;
use crate::types::{EventPage, ReadEventsRequest, ReceivedEvent};

impl Listing for ReadEventsRequest {
    type Item = ReceivedEvent;

    const STREAMED: Option<usize> = None;
    // The size of the first page is that of all.
    const RESIZABLE: bool = false;

    fn page(
        mut self,
        raw: Arc<raw::Client>,
        (): (),
        at: Position,
        limit: Option<i64>,
    ) -> Pending<'static, Page<ReceivedEvent>> {
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
                seen.drain(..seen.len().saturating_sub(REMEMBERED));
                let next = next.filter(|_| !ended);
                let next = next.map(|token| Position::Link(token, seen));
                return Ok(Page { items, next });
            }
        })
    }
}

/// The server's cursor is an offset in the end, the latest events come first, and they are stored some
/// time after they occurred: while a list is read, those that were read move into the pages to come.
const REMEMBERED: usize = 1000;

impl Question for ReadEventsRequest {
    type Within = ();
    type Answer = Vec<ReceivedEvent>;

    fn ask(query: Query<'_, Self>) -> Pending<'static, Vec<ReceivedEvent>> {
        query.collect()
    }
}

/// What the link to the next page says of it. The link itself is not followed: its host is the one
/// that the server sees, which behind a proxy is another.
fn page_token(link: &str) -> Result<String> {
    let url = Url::parse(link).ok();
    let token = url.as_ref().and_then(|url| {
        let mut pairs = url.query_pairs();
        pairs.find_map(|(key, value)| (key == "page-token").then(|| value.into_owned()))
    });
    token.ok_or_else(|| {
        let message = "the link to the next page of events has no page token";
        Error::new(ErrorKind::UnexpectedBody, message).of("read_events")
    })
}
