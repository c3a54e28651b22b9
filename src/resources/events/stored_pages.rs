//! `StoredPages`: the events that the server has stored, page by page.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use tokio::sync::Mutex;

use super::deduplicator::Deduplicator;
use crate::error::{Error, ErrorKind, Result};
use crate::query::{Pager, pager};
use crate::raw;
use crate::resources::outage::requested_wait;
use crate::runtime::Backoff;
use crate::types::{
    EventFilter, EventOccurredFilter, EventOrder, ReadEventsRequest, ReceivedEvent,
};

/// How often one page is requested at most, before the server is left alone for a while.
pub(super) const MAX_PAGE_ATTEMPTS: u32 = 3;

/// How long the server is left alone after a failure, unless it asks for longer.
const OUTAGE_BACKOFF: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(10));

/// How often in a row the server answers 500 for the next events of a backlog before they are given up.
const BACKLOG_ATTEMPTS: u32 = 10;

/// A span of time, with both its ends.
pub(super) type Span = (DateTime<Utc>, DateTime<Utc>);

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

    /// Delivers the events of a span that were not received, the oldest first. The span is shortened by what was read. Where the
    /// server's answer cannot be read, this leaves a gap.
    pub(super) async fn deliver(
        &self,
        span: &mut Span,
        deduplicator: &Mutex<Deduplicator>,
    ) -> Result<()> {
        let mut events = self.of(*span);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    let occurred = event.occurred;
                    deduplicator.lock().await.stored(event).await;
                    span.0 = span.0.max(occurred);
                }
                // It would be the same answer again.
                Err(error) if error.kind() == ErrorKind::Decode => {
                    self.give_up(*span, &error, deduplicator).await;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Delivers the events of a span through outages.
    pub(super) async fn deliver_backlog(
        &self,
        mut span: Span,
        deduplicator: &Mutex<Deduplicator>,
    ) -> Result<()> {
        let mut failures = 0;
        loop {
            let from = span.0;
            let Err(error) = self.deliver(&mut span, deduplicator).await else {
                return Ok(());
            };
            failures = if span.0 > from { 1 } else { failures + 1 };
            let is_broken = error.status() == Some(StatusCode::INTERNAL_SERVER_ERROR);
            if is_broken && failures >= BACKLOG_ATTEMPTS {
                self.give_up(span, &error, deduplicator).await;
                return Ok(());
            }
            let wait = wait_after(error, failures)?;
            self.raw.channel().clock().sleep(wait).await;
        }
    }

    /// Reports that the events of a span cannot be read.
    async fn give_up(&self, span: Span, error: &Error, deduplicator: &Mutex<Deduplicator>) {
        let until = span.1.min(self.raw.channel().clock().time_of_day());
        let deduplicator = deduplicator.lock().await;
        deduplicator.gap(span.0, until, error.to_string()).await;
    }
}

/// How long to wait after so many failures in a row; the error itself if it would come again.
pub(super) fn wait_after(error: Error, failures: u32) -> Result<Duration> {
    if error.is_permanent() {
        return Err(error);
    }
    tracing::debug!(%error, "stored events cannot be read; trying again");
    Ok(requested_wait(&error).max(OUTAGE_BACKOFF.delay(failures, None)))
}
