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

    fn page(
        mut self,
        raw: Arc<raw::Client>,
        (): (),
        at: Position,
        limit: Option<i64>,
    ) -> Pending<'static, Page<ReceivedEvent>> {
        self.limit = limit;
        Box::pin(async move {
            let page = match &at {
                Position::Link(token) => raw.read_account_events_page(token).await?,
                _ => raw.read_events(&self).await?,
            };
            let page: EventPage = page.into_inner();
            let next = page.next_page.as_deref().map(token).transpose()?;
            Ok(Page {
                items: page.events,
                next: next.map(Position::Link),
            })
        })
    }
}

impl Question for ReadEventsRequest {
    type Within = ();
    type Answer = Vec<ReceivedEvent>;

    fn ask(query: Query<'_, Self>) -> Pending<'static, Vec<ReceivedEvent>> {
        query.collect()
    }
}

/// What the link to the next page says of it. The link itself is not followed: its host is the one
/// that the server sees, which behind a proxy is another.
fn token(link: &str) -> Result<String> {
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
