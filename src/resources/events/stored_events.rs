//! Reading the events that the server has stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use super::deduplicator::Deduplicator;
use crate::error::Result;
use crate::query::{ListRequest as _, Position};
use crate::raw;
use crate::retry::RetryPolicy;
use crate::types::{
    EventFilter, EventOccurredFilter, EventOrder, ReadEventsRequest, ReceivedEvent,
};

/// How often stored events are read while the socket is open.
const READ_INTERVAL_LIVE: Duration = Duration::from_secs(10);

/// How often stored events are read while there is no socket.
const READ_INTERVAL: Duration = Duration::from_secs(2);

/// How long after it occurred an event may be stored, so how far back each read reaches. (The server stores
/// events every 5 s.)
pub(super) const STORAGE_DELAY: Duration = Duration::from_secs(30);

/// How far back every sixth read reaches, for events that are stored late.
const LATE_STORAGE_DELAY: Duration = Duration::from_secs(300);

/// How far ahead reads reach: events may be dated ahead, or the server's clock may be ahead of ours.
const CLOCK_SKEW_ALLOWANCE: Duration = Duration::from_secs(3600);

/// Repeatedly reads the stored events since a time.
pub(super) async fn poll_stored(
    raw: Arc<raw::Client>,
    filter: &EventFilter,
    deduplicator: &Mutex<Deduplicator>,
    live: &AtomicBool,
    mut read_until: DateTime<Utc>,
) {
    let raw = Arc::new(raw.with_retry(RetryPolicy::none()));
    // From here on, times are by the server's clock.
    let (start, since_start) = (read_until, Instant::now());
    let mut rounds = 0_u32;
    loop {
        let pause = if live.load(Ordering::Relaxed) {
            READ_INTERVAL_LIVE
        } else {
            READ_INTERVAL
        };
        tokio::time::sleep(pause).await;
        if deduplicator.lock().await.updates.is_closed() {
            return;
        }
        let now = start + since_start.elapsed();
        // Every sixth read reaches further back: some events are stored long after they occurred.
        rounds = rounds.wrapping_add(1);
        let back = if rounds.is_multiple_of(6) {
            LATE_STORAGE_DELAY
        } else {
            STORAGE_DELAY
        };
        match read_stored(&raw, filter, read_until - back).await {
            Ok(events) => {
                read_until = now;
                for event in events {
                    if !deduplicator.lock().await.event(event).await {
                        return;
                    }
                }
            }
            Err(error) if error.is_permanent() => {
                let _ = deduplicator.lock().await.updates.send(Err(error)).await;
                return;
            }
            Err(error) => tracing::debug!(%error, "stored events cannot be read; trying again"),
        }
    }
}

/// Returns the server's time, from the `Date` header of a reply, or ours if there is none.
pub(super) async fn server_time(raw: &raw::Client) -> Result<DateTime<Utc>> {
    let reply = raw.read_events(&ReadEventsRequest::new().limit(1)).await?;
    let date = reply.headers().get(reqwest::header::DATE);
    let date = date.and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    Ok(date.map_or_else(Utc::now, |date| date.to_utc()))
}

/// Reads the stored events that have occurred since a time, the oldest first.
pub(super) async fn read_stored(
    raw: &Arc<raw::Client>,
    filter: &EventFilter,
    since: DateTime<Utc>,
) -> Result<Vec<ReceivedEvent>> {
    let occurred = EventOccurredFilter::new()
        .since(since)
        .until(Utc::now() + CLOCK_SKEW_ALLOWANCE);
    let filter = filter.clone().occurred(occurred).order(EventOrder::Asc);
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
