//! `StoredPages`: the events that the server has stored, page by page.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Mutex;

use super::deduplicator::{Deduplicator, Span};
use crate::error::{Error, ErrorKind, Result};
use crate::query::{Pager, pager};
use crate::raw;
use crate::resources::outage::requested_wait;
use crate::retry::RetryPolicy;
use crate::runtime::Backoff;
use crate::types::{
    EventFilter, EventOccurredFilter, EventOrder, ReadEventsRequest, ReceivedEvent,
};

/// How often one page is requested at most, before the server is left alone for a while.
pub(super) const MAX_PAGE_ATTEMPTS: u32 = 3;

/// How long the server is left alone after a failure, unless it asks for longer.
const OUTAGE_BACKOFF: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(10));

/// How often in a row the server answers 500 before it is asked whether it is ready.
const MAX_SERVER_ERRORS: u32 = 10;

/// The length of a span in which an event that cannot be read is looked for no more closely.
const SHORTEST_GAP: TimeDelta = TimeDelta::milliseconds(1);

/// How many such events are looked for in one span, before what is left of it is given up. Each takes about thirty requests.
const MAX_SHORT_GAPS: usize = 10;

/// The stored events that a filter selects, page by page.
pub(super) struct StoredPages {
    raw: Arc<raw::Client>,
    filter: EventFilter,
}

impl StoredPages {
    pub(super) fn new(raw: Arc<raw::Client>, filter: EventFilter) -> Self {
        Self { raw, filter }
    }

    pub(super) fn raw(&self) -> &Arc<raw::Client> {
        &self.raw
    }

    /// The filter for the events of a span.
    pub(super) fn filter(&self, (since, until): Span) -> EventFilter {
        let occurred = EventOccurredFilter::new().since(since).until(until);
        self.filter.clone().occurred(occurred)
    }

    /// The events of a span, the oldest first.
    fn of(&self, span: Span) -> Pager<ReceivedEvent> {
        let filter = self.filter(span).order(EventOrder::Asc);
        let request = ReadEventsRequest::new().filter(filter);
        pager(request, Arc::clone(&self.raw), (), None)
    }

    /// Marks the events of a span as delivered.
    pub(super) async fn skip(&self, span: Span, deduplicator: &mut Deduplicator) -> Result<()> {
        let mut events = self.of(span);
        while let Some(event) = events.next().await {
            deduplicator.skip(&event?);
        }
        Ok(())
    }

    /// Delivers the events of a span that were not received, the oldest first. The span is shortened by what was read. An event
    /// that cannot be decoded, or with `gives_up` not be read either, is a gap, and as little as possible with it.
    pub(super) async fn deliver(
        &self,
        span: &mut Span,
        gives_up: bool,
        deduplicator: &Mutex<Deduplicator>,
    ) -> Result<()> {
        let (mut parts, mut gaps) = (vec![*span], 0);
        while let Some(mut part) = parts.pop() {
            let Err(error) = self.deliver_pages(&mut part, deduplicator).await else {
                continue;
            };
            span.0 = part.0;
            let is_given_up = gives_up && error.is_server_error();
            if error.kind() != ErrorKind::Decode && !is_given_up {
                return Err(error);
            }
            let length = part.1 - part.0;
            if length > SHORTEST_GAP && gaps < MAX_SHORT_GAPS {
                let middle = part.0 + length / 2;
                parts.extend([(middle, part.1), (part.0, middle)]);
            } else {
                let mut deduplicator = deduplicator.lock().await;
                deduplicator.unreadable(part, error.to_string()).await;
                gaps += 1;
            }
        }
        Ok(())
    }

    async fn deliver_pages(
        &self,
        span: &mut Span,
        deduplicator: &Mutex<Deduplicator>,
    ) -> Result<()> {
        let mut events = self.of(*span);
        while let Some(event) = events.next().await {
            let event = event?;
            let occurred = event.occurred;
            deduplicator.lock().await.stored(event).await;
            span.0 = span.0.max(occurred);
        }
        Ok(())
    }

    /// Delivers the events of a span through outages.
    pub(super) async fn deliver_backlog(
        &self,
        mut span: Span,
        deduplicator: &Mutex<Deduplicator>,
    ) -> Result<()> {
        let mut failures = Failures::default();
        loop {
            let from = span.0;
            let gives_up = self.cannot_be_read(&failures).await;
            let delivered = self.deliver(&mut span, gives_up, deduplicator).await;
            let Err(error) = delivered else {
                return Ok(());
            };
            if span.0 > from {
                failures = Failures::default();
            }
            let wait = failures.wait_after(error)?;
            self.raw.channel().clock().sleep(wait).await;
        }
    }

    /// Whether it is what was asked for that makes the server answer 500 so often in a row. (Without its database, it answers so
    /// to everything, and is not ready.)
    pub(super) async fn cannot_be_read(&self, failures: &Failures) -> bool {
        if failures.server_errors < MAX_SERVER_ERRORS {
            return false;
        }
        let once = self.raw.with_retry(RetryPolicy::none());
        once.perform_readiness_check().await.is_ok()
    }
}

/// Failures in a row.
#[derive(Default)]
pub(super) struct Failures {
    count: u32,
    /// How many of them, in a row, were the server's own.
    server_errors: u32,
}

impl Failures {
    /// How long to wait after this failure; the error itself if it would come again.
    pub(super) fn wait_after(&mut self, error: Error) -> Result<Duration> {
        if error.is_permanent() {
            return Err(error);
        }
        tracing::debug!(%error, "stored events cannot be read; trying again");
        self.count += 1;
        self.server_errors = match error.is_server_error() {
            true => self.server_errors + 1,
            false => 0,
        };
        Ok(requested_wait(&error).max(OUTAGE_BACKOFF.delay(self.count, None)))
    }
}
