//! Sending the states of task runs, and seeing that they are recorded.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::record::TaskReport;
use crate::error::Result;
use crate::raw;
use crate::resources::events;
use crate::runtime::Backoff;
use crate::types::Event;

/// The most bytes of JSON in one request, if it has more than the states of one task run.
const MAX_BYTES_PER_REQUEST: usize = 1_000_000;

/// After so many replies of 500, events are sent one by one: one of them may be the reason.
const MAX_SERVER_ERRORS: u32 = 5;

/// The waits while the server is out of reach.
const OUTAGE_BACKOFF: Backoff =
    Backoff::new(Duration::from_secs(1), Duration::from_secs(60)).floor(Duration::from_millis(200));

/// The waits before it is looked again whether an event is recorded.
const CONFIRM_BACKOFF: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1))
    .floor(Duration::from_millis(10));

/// How long an event may take to be recorded; after that the server is taken not to do so, as when the run was deleted.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(60);

/// The newest state that was sent.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    task_run: Uuid,
    at: DateTime<Utc>,
}

/// An event, and which state it reports.
pub(super) struct Outgoing {
    event: Event,
    sent: Sent,
}

/// The events of states, so many together as one request may have. One that the server would refuse, which would delay
/// those of everybody, is lost.
pub(super) fn requests(reports: &[TaskReport]) -> Vec<Vec<Outgoing>> {
    let (mut requests, mut bytes) = (Vec::<Vec<Outgoing>>::new(), usize::MAX);
    for report in reports {
        let event = report.event();
        let size = match events::check(&event) {
            Ok(size) => size,
            Err(error) => {
                tracing::warn!(task_run = %report.task_run(), %error, "a state of a task run is lost");
                continue;
            }
        };
        if bytes.saturating_add(size) > MAX_BYTES_PER_REQUEST {
            requests.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        let sent = Sent {
            task_run: report.task_run(),
            at: report.at,
        };
        if let Some(request) = requests.last_mut() {
            request.push(Outgoing { event, sent });
        }
    }
    requests
}

/// Sends a batch, however long the server is out of reach; of one that it refuses, each half by itself. Returns the last
/// state that it has accepted.
pub(super) async fn send(
    raw: &raw::Client,
    batch: Vec<Outgoing>,
    is_closed: &(dyn Fn() -> bool + Send + Sync),
) -> Option<Sent> {
    let (mut unsent, mut last) = (vec![batch], None);
    while let Some(mut batch) = unsent.pop() {
        let events: Vec<Event> = batch
            .iter()
            .map(|outgoing| outgoing.event.clone())
            .collect();
        let Err(error) = send_once_reached(raw, &events, is_closed).await else {
            last = batch.last().map(|outgoing| outgoing.sent);
            continue;
        };
        if batch.len() > 1 && events::may_be_one_bad_event(&error) {
            let rest = batch.split_off(batch.len() / 2);
            // The first half is sent first.
            unsent.push(rest);
            unsent.push(batch);
        } else {
            tracing::warn!(events = batch.len(), %error, "states of task runs are lost");
        }
    }
    last
}

/// Sends events until the server has accepted or refused them: `POST /events`.
async fn send_once_reached(
    raw: &raw::Client,
    events: &Vec<Event>,
    is_closed: &(dyn Fn() -> bool + Send + Sync),
) -> Result<()> {
    let mut failures = 0;
    loop {
        let Err(error) = raw.create_events(events).await else {
            return Ok(());
        };
        failures += 1;
        let is_broken = error.status().is_some_and(|status| status == 500);
        if error.is_refusal() || is_broken && failures >= MAX_SERVER_ERRORS || is_closed() {
            return Err(error);
        }
        if failures == 1 {
            tracing::warn!(%error, "states of task runs cannot be sent now; they are kept");
        }
        let delay = OUTAGE_BACKOFF.delay(failures, error.retry_after());
        raw.channel().clock().sleep(delay).await;
    }
}

/// Waits until a state is recorded: `GET /task_runs/{id}`. The server records states in the order in which they came.
pub(super) async fn confirm(raw: &raw::Client, sent: Sent) {
    let clock = raw.channel().clock();
    let (begun, mut looks) = (clock.now(), 0);
    loop {
        let read = raw.read_task_run(&sent.task_run).await;
        let state = read
            .ok()
            .and_then(|reply| reply.into_inner().state.into_option());
        if state
            .and_then(|state| state.timestamp)
            .is_some_and(|at| at >= sent.at)
        {
            return;
        }
        if clock.now().saturating_duration_since(begun) > CONFIRM_TIMEOUT {
            tracing::warn!(task_run = %sent.task_run, "the server has not recorded the state of a task run");
            return;
        }
        looks += 1;
        clock.sleep(CONFIRM_BACKOFF.delay(looks, None)).await;
    }
}
