//! Reading the events that the server has stored, those of them that were not received.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderMap;
use tokio::sync::Mutex;

use super::deduplicator::{Deduplicator, Span};
use super::stored_pages::{Failures, StoredPages};
use crate::error::{Error, Result, sent_at};
use crate::raw;
use crate::retry::RetryPolicy;
use crate::types::{CountAccountEventsRequest, Countable, TimeUnit};

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

/// How long an event that was received may not be stored yet.
const AWAITED_STORAGE: TimeDelta = TimeDelta::seconds(10);

/// How many spans the server may fail to read before the others are left for the next time.
const MAX_FAILED_SPANS: usize = 3;

/// A time of the server, and when it was learnt.
#[derive(Clone, Copy)]
pub(super) struct ServerClock {
    time: DateTime<Utc>,
    learnt_at: Instant,
}

impl ServerClock {
    pub(super) fn new(time: DateTime<Utc>, learnt_at: Instant) -> Self {
        Self { time, learnt_at }
    }

    /// The server's time at this moment, or an earlier one if the machine has slept.
    fn at(&self, now: Instant) -> DateTime<Utc> {
        let elapsed = now.saturating_duration_since(self.learnt_at);
        self.time + TimeDelta::from_std(elapsed).unwrap_or_default()
    }
}

/// Repeatedly reads the stored events that were not received.
pub(super) struct StoredEvents<'a> {
    /// Counts events, in one attempt.
    raw: raw::Client,
    pages: &'a StoredPages,
    deduplicator: &'a Mutex<Deduplicator>,
    live: &'a AtomicBool,
    clock: ServerClock,
    /// The time before which no events are read.
    since: DateTime<Utc>,
    /// The time up to which they were read, by the server's clock.
    read_until: DateTime<Utc>,
    /// The spans of which other numbers were stored than received, and how many were stored when they were read. (A
    /// server may never store what it has sent.)
    differing: BTreeMap<DateTime<Utc>, i64>,
    failures: Failures,
}

impl<'a> StoredEvents<'a> {
    /// Reads the events since a time.
    pub(super) fn new(
        pages: &'a StoredPages,
        deduplicator: &'a Mutex<Deduplicator>,
        live: &'a AtomicBool,
        since: DateTime<Utc>,
        clock: ServerClock,
    ) -> Self {
        Self {
            raw: pages.raw().with_retry(RetryPolicy::none()),
            pages,
            deduplicator,
            live,
            clock,
            since,
            read_until: clock.time,
            differing: BTreeMap::new(),
            failures: Failures::default(),
        }
    }

    /// Reads until an error would come again.
    pub(super) async fn poll(mut self) -> Error {
        let (mut rounds, mut wait) = (0_u32, Duration::ZERO);
        loop {
            let interval = match self.live.load(Ordering::Relaxed) {
                true => READ_INTERVAL_LIVE,
                false => READ_INTERVAL,
            };
            self.raw.channel().clock().sleep(interval.max(wait)).await;
            // Some events are stored long after they occurred.
            rounds = rounds.wrapping_add(1);
            let read = match rounds.is_multiple_of(6) {
                true => self.read(LATE_STORAGE_DELAY, DATED_AHEAD).await,
                false => self.read(STORAGE_DELAY, TimeDelta::zero()).await,
            };
            wait = match read {
                Ok(()) => {
                    self.failures = Failures::default();
                    Duration::ZERO
                }
                Err(error) => match self.failures.wait_after(error) {
                    Ok(wait) => wait,
                    Err(error) => return error,
                },
            };
        }
    }

    /// Reads the events of this time before the last read, and of this time ahead. A span that the server fails to read is
    /// left for the next time, and given up at last.
    async fn read(&mut self, back: TimeDelta, ahead: TimeDelta) -> Result<()> {
        let complete_since = self.deduplicator.lock().await.complete_since();
        let now = self.clock.at(self.raw.channel().clock().now());
        // The server's clock may have been put back.
        let since = (self.read_until.min(now) - back).max(self.since);
        // What was received before that time, and what was not, is not known any more.
        let since = complete_since.map_or(since, |complete| complete.max(since));
        let mut spans = self.differing_spans((since, now)).await?;
        if !ahead.is_zero() {
            // Such spans are not counted.
            spans.push(CountedSpan::uncounted((now, now + ahead)));
        }
        let gives_up = self.pages.cannot_be_read(&self.failures).await;
        let mut failed = Vec::new();
        for CountedSpan { mut span, counts } in spans {
            let delivered = self.pages.deliver(&mut span, gives_up, self.deduplicator);
            match delivered.await {
                Ok(()) => self.differing.extend(counts),
                Err(error) if error.is_server_error() => failed.push(error),
                Err(error) => return Err(error),
            }
            if failed.len() == MAX_FAILED_SPANS {
                break;
            }
        }
        if let Some(error) = failed.pop() {
            return Err(error);
        }
        self.read_until = now;
        let oldest = now - LATE_STORAGE_DELAY - STORAGE_DELAY;
        self.differing = self.differing.split_off(&oldest);
        Ok(())
    }

    fn learn_time(&mut self, headers: &HeaderMap) {
        if let Some(time) = sent_at(headers) {
            self.clock = ServerClock::new(time, self.raw.channel().clock().now());
        }
    }

    /// The spans of which other events may be stored than were received.
    async fn differing_spans(&mut self, (since, until): Span) -> Result<Vec<CountedSpan>> {
        if since >= until {
            return Ok(Vec::new());
        }
        let seconds = (until - since).num_seconds() / MAX_SPANS + 1;
        let body = CountAccountEventsRequest::new(self.pages.filter((since, until)))
            .time_unit(TimeUnit::Second)
            .time_interval(seconds as f64);
        let counted = match self.raw.count_account_events(&Countable::Time, &body).await {
            Ok(counted) => counted,
            // Of a server that does not count, all events are read.
            Err(error) if !error.is_retryable() => {
                self.learn_time(error.headers());
                return Ok(vec![CountedSpan::uncounted((since, until))]);
            }
            Err(error) => return Err(error),
        };
        self.learn_time(counted.headers());
        let deduplicator = self.deduplicator.lock().await;
        let mut spans: Vec<CountedSpan> = Vec::new();
        for counted in counted.into_inner() {
            let (start, end) = (counted.start_time.max(since), counted.end_time.min(until));
            let received = i64::try_from(deduplicator.count(start, end)).unwrap_or(i64::MAX);
            // What is received may be stored a little later.
            let is_awaited = received > counted.count && end > until - AWAITED_STORAGE;
            let is_known = self.differing.get(&start) == Some(&counted.count);
            if received == counted.count || is_awaited || is_known {
                continue;
            }
            // A server may count an event of the end of a second for the next one.
            let start_of_read = (start - TimeDelta::milliseconds(1)).max(since);
            match spans.last_mut() {
                Some(last) if start_of_read <= last.span.1 => {
                    last.span.1 = end;
                    last.counts.push((start, counted.count));
                }
                _ => spans.push(CountedSpan {
                    span: (start_of_read, end),
                    counts: vec![(start, counted.count)],
                }),
            }
        }
        Ok(spans)
    }
}

/// A span that is to be read, and how many events are stored of each span that was counted in it.
struct CountedSpan {
    span: Span,
    counts: Vec<(DateTime<Utc>, i64)>,
}

impl CountedSpan {
    fn uncounted(span: Span) -> Self {
        let counts = Vec::new();
        Self { span, counts }
    }
}
