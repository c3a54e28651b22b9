//! Reading the events that the server has stored, those of them that were not received.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;

use super::deduplicator::Deduplicator;
use crate::error::{Result, sent_at};
use crate::query::{ListRequest as _, Position};
use crate::raw;
use crate::retry::RetryPolicy;
use crate::types::{
    CountAccountEventsRequest, Countable, EventFilter, EventOccurredFilter, EventOrder,
    ReadEventsRequest, ReceivedEvent, TimeUnit,
};

/// How often stored events are read while the socket is open.
const READ_INTERVAL_LIVE: Duration = Duration::from_secs(10);

/// How often stored events are read while there is no socket.
const READ_INTERVAL: Duration = Duration::from_secs(2);

/// How long after it occurred an event may be stored, so how far back each read reaches. (The server stores
/// events every 5 s.)
pub(super) const STORAGE_DELAY: TimeDelta = TimeDelta::seconds(30);

/// How far back every sixth read reaches, for events that are stored late.
const LATE_STORAGE_DELAY: TimeDelta = TimeDelta::seconds(300);

/// How far ahead these reads reach: events may be dated ahead.
pub(super) const DATED_AHEAD: TimeDelta = TimeDelta::seconds(3600);

/// How many spans of time are counted in one request. A server counts 1000 at most.
const MAX_SPANS: i64 = 900;

/// The longest wait that the server can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// A span of time, with both its ends.
type Span = (DateTime<Utc>, DateTime<Utc>);

/// Repeatedly reads the stored events that were not received.
pub(super) struct StoredEvents<'a> {
    raw: Arc<raw::Client>,
    filter: &'a EventFilter,
    deduplicator: &'a Mutex<Deduplicator>,
    live: &'a AtomicBool,
    /// The time before which no events are read.
    since: DateTime<Utc>,
    /// The server's time at the last successful read.
    read_until: DateTime<Utc>,
    read_at: Instant,
}

/// The subscription was dropped, or has ended with an error.
struct Ended;

impl<'a> StoredEvents<'a> {
    /// Reads the events since a time; `now` is the server's time.
    pub(super) fn new(
        raw: &Arc<raw::Client>,
        filter: &'a EventFilter,
        deduplicator: &'a Mutex<Deduplicator>,
        live: &'a AtomicBool,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            raw: Arc::new(raw.with_retry(RetryPolicy::none())),
            filter,
            deduplicator,
            live,
            since,
            read_until: now,
            read_at: Instant::now(),
        }
    }

    /// Reads until the subscription is dropped.
    pub(super) async fn poll(mut self) {
        let (mut rounds, mut asked) = (0_u32, Duration::ZERO);
        loop {
            let interval = match self.live.load(Ordering::Relaxed) {
                true => READ_INTERVAL_LIVE,
                false => READ_INTERVAL,
            };
            tokio::time::sleep(interval.max(asked)).await;
            if self.deduplicator.lock().await.updates.is_closed() {
                return;
            }
            // Some events are stored long after they occurred.
            rounds = rounds.wrapping_add(1);
            let read = match rounds.is_multiple_of(6) {
                true => self.read(LATE_STORAGE_DELAY, DATED_AHEAD).await,
                false => self.read(STORAGE_DELAY, TimeDelta::zero()).await,
            };
            asked = Duration::ZERO;
            match read {
                Ok(Ok(())) => {}
                Ok(Err(Ended)) => return,
                Err(error) if error.is_permanent() => {
                    let updates = self.deduplicator.lock().await.updates.clone();
                    let _ = updates.send(Err(error)).await;
                    return;
                }
                Err(error) => {
                    asked = error.retry_after().unwrap_or_default().min(MAX_RETRY_AFTER);
                    tracing::debug!(%error, "stored events cannot be read; trying again");
                }
            }
        }
    }

    /// Reads the events of this time before the last read, and of this time ahead.
    async fn read(&mut self, back: TimeDelta, ahead: TimeDelta) -> Result<Result<(), Ended>> {
        let complete_since = self.deduplicator.lock().await.complete_since();
        let since = (self.read_until - back).max(self.since);
        // What was received before that time, and what was not, is not known any more.
        let since = complete_since.map_or(since, |complete| complete.max(since));
        let elapsed = TimeDelta::from_std(self.read_at.elapsed()).unwrap_or_default();
        // What the server stores now is dated up to now, give or take a moment.
        let now = self.read_until + elapsed + TimeDelta::seconds(2);
        let (mut spans, server_now) = self.incomplete_spans(since, now).await?;
        if !ahead.is_zero() {
            // Such spans are not counted.
            spans.push((now, now + ahead));
        }
        for span in spans {
            for event in read_stored(&self.raw, self.filter, span).await? {
                if !self.deduplicator.lock().await.stored(event).await {
                    return Ok(Err(Ended));
                }
            }
        }
        (self.read_until, self.read_at) = (server_now.unwrap_or(now), Instant::now());
        Ok(Ok(()))
    }

    /// The spans of which more events are stored than were received, and the server's time.
    async fn incomplete_spans(
        &self,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(Vec<Span>, Option<DateTime<Utc>>)> {
        let seconds = (until - since).num_seconds() / MAX_SPANS + 1;
        let filter = within(self.filter, (since, until));
        let body = CountAccountEventsRequest::new(filter)
            .time_unit(TimeUnit::Second)
            .time_interval(seconds as f64);
        let counted = self.raw.count_account_events(&Countable::Time, &body).await;
        let counted = match counted {
            Ok(counted) => counted,
            // Of a server that does not count, all events are read.
            Err(error) if !error.is_retryable() => {
                return Ok((vec![(since, until)], None));
            }
            Err(error) => return Err(error),
        };
        let now = sent_at(counted.headers());
        let deduplicator = self.deduplicator.lock().await;
        let mut spans: Vec<Span> = Vec::new();
        for span in counted.into_inner() {
            let (start, end) = (span.start_time.max(since), span.end_time);
            let received = deduplicator.count(start, end);
            if received >= usize::try_from(span.count).unwrap_or_default() {
                continue;
            }
            match spans.last_mut() {
                Some((_, last)) if start - *last <= TimeDelta::milliseconds(1) => *last = end,
                _ => spans.push((start, end)),
            }
        }
        Ok((spans, now))
    }
}

/// Reads the stored events of a span, the oldest first.
pub(super) async fn read_stored(
    raw: &Arc<raw::Client>,
    filter: &EventFilter,
    span: Span,
) -> Result<Vec<ReceivedEvent>> {
    let filter = within(filter, span).order(EventOrder::Asc);
    let request = ReadEventsRequest::new().filter(filter);
    let (mut events, mut at) = (Vec::new(), Some(Position::Start));
    while let Some(position) = at {
        let page = request
            .clone()
            .page(raw.clone(), (), position, None)
            .await?;
        events.extend(page.items);
        at = page.next;
    }
    Ok(events)
}

fn within(filter: &EventFilter, (since, until): Span) -> EventFilter {
    let occurred = EventOccurredFilter::new().since(since).until(until);
    filter.clone().occurred(occurred)
}
