//! `Follower`: reads the states and log lines of a run, in the order of their times.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::log_cursor::LogCursor;
use super::poll_plan::Interest;
use super::run_poller::RunPoller;
use super::run_subscription::RunSubscription;
use super::run_update::RunUpdate;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::raw;
use crate::resources::outage::{Outage, requested_wait};
use crate::retry::RetryPolicy;
use crate::runtime::Backoff;
use crate::types::State;

/// The interval at which a run is read that had news lately.
const NEWS_INTERVAL: Duration = Duration::from_secs(1);

/// How long after the last news a run counts as idle.
const IDLE_AFTER: Duration = Duration::from_secs(10);

/// The intervals at which the lines and the states of an idle run are read: together every two seconds.
const IDLE_INTERVALS: Intervals = Intervals {
    lines: Duration::from_secs(4),
    states: Duration::from_secs(4),
};

/// The same while events report changes.
const IDLE_INTERVALS_LIVE: Intervals = Intervals {
    lines: Duration::from_millis(2500),
    states: Duration::from_secs(10),
};

/// How long a run must be quiet after its end before the stream ends: its last lines arrive seconds later.
const QUIET_PERIOD: Duration = Duration::from_secs(5);

/// The waits after a failure.
const FAILURE_BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));

/// How long after an event the states are read, and how long after that once more.
const MIN_GAP: Duration = Duration::from_millis(100);
const RECHECK_DELAY: Duration = Duration::from_secs(2);

struct Intervals {
    lines: Duration,
    states: Duration,
}

/// Which updates of a run are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct WatchOptions {
    pub lines: bool,
    pub since: Option<DateTime<Utc>>,
    pub tail: Option<u32>,
}

/// Reads a run whenever the next update is asked for.
pub(super) struct Follower {
    run: Uuid,
    raw: Arc<raw::Client>,
    subscription: RunSubscription,
    options: WatchOptions,
    lines: LogCursor,
    /// The states that were read.
    seen_states: HashSet<Uuid>,
    /// States that were read, and not yet delivered: lines before them may still be to be read.
    states: VecDeque<State>,
    ready: VecDeque<RunUpdate>,
    has_ended: bool,
    /// When states and lines are read next.
    states_at: Instant,
    lines_at: Instant,
    /// Whether states are to be read once more after the next time.
    reads_states_again: bool,
    last_news: Instant,
    states_failures: Failures,
    lines_failures: Failures,
    is_over: bool,
}

/// The failures in a row to read states, or lines.
#[derive(Default)]
struct Failures {
    count: u32,
    outage: Outage,
}

impl Follower {
    pub(super) fn start(client: &Client, run: Uuid, options: WatchOptions) -> Result<Self> {
        let poller = client.service::<RunPoller>()?;
        let raw = Arc::new(client.raw().with_retry(RetryPolicy::none()));
        let now = Instant::now();
        Ok(Self {
            run,
            subscription: poller.subscribe(run, Interest::Hints),
            lines: LogCursor::new(Arc::clone(&raw), run, options.since),
            raw,
            options,
            seen_states: HashSet::new(),
            states: VecDeque::new(),
            ready: VecDeque::new(),
            has_ended: false,
            states_at: now,
            lines_at: now,
            reads_states_again: false,
            last_news: now,
            states_failures: Failures::default(),
            lines_failures: Failures::default(),
            is_over: false,
        })
    }

    /// The next update; `None` when the run is over.
    pub(super) async fn next(&mut self) -> Option<Result<RunUpdate>> {
        loop {
            if let Some(update) = self.ready.pop_front() {
                return Some(Ok(update));
            }
            if self.is_over {
                return None;
            }
            if let Err(error) = self.read().await {
                self.is_over = true;
                return Some(Err(error));
            }
        }
    }

    /// Waits until something is due, and reads it. Fails only if reading cannot go on.
    async fn read(&mut self) -> Result<()> {
        let due = match self.options.lines {
            true => self.states_at.min(self.lines_at),
            false => self.states_at,
        };
        let changed = self.subscription.changed();
        let is_hinted = tokio::time::timeout_at(due.into(), changed).await.is_ok();
        // A server that has said when to ask again is not asked before.
        if is_hinted && self.states_failures.count == 0 {
            tokio::time::sleep(MIN_GAP).await;
            self.states_at = self.states_at.min(Instant::now());
            self.reads_states_again = true;
        }
        let now = Instant::now();
        let lines_are_due = self.options.lines && self.lines_at <= now;
        // Whichever was due first, so that neither waits for the other.
        if self.states_at <= now && !(lines_are_due && self.lines_at < self.states_at) {
            if let Err(error) = self.read_states().await {
                self.states_at = Instant::now() + self.states_failures.wait_after(error)?;
                return Ok(());
            }
            self.states_failures = Failures::default();
            if std::mem::take(&mut self.reads_states_again) {
                // An event may arrive before the change that it reports is visible.
                self.states_at = self.states_at.min(Instant::now() + RECHECK_DELAY);
            }
        } else if lines_are_due {
            if let Err(error) = self.read_lines().await {
                self.lines_at = Instant::now() + self.lines_failures.wait_after(error)?;
                return Ok(());
            }
            self.lines_failures = Failures::default();
        }
        Ok(())
    }

    async fn read_states(&mut self) -> Result<()> {
        let mut states = self.raw.read_flow_run_states(&self.run).await?.into_inner();
        if states.is_empty() {
            // A run has a state from the beginning; this fails if there is no such run.
            self.raw.read_flow_run(&self.run).await?;
        }
        states.sort_by_key(|state| state.timestamp);
        let last = states.last();
        self.has_ended = last.is_some_and(State::is_terminal);
        for state in states {
            let is_early = state.timestamp.is_some() && state.timestamp < self.options.since;
            if self.seen_states.insert(state.id) && !is_early {
                self.last_news = Instant::now();
                self.states.push_back(state);
            }
        }
        self.states_at = Instant::now() + self.intervals().states;
        if !self.options.lines {
            self.deliver_states(None);
            self.is_over = self.has_ended;
        }
        Ok(())
    }

    async fn read_lines(&mut self) -> Result<()> {
        if let Some(lines) = self.options.tail {
            if let Some(since) = self.lines.start_of_tail(lines).await? {
                self.lines.begin_at(since);
                self.options.since = self.options.since.max(Some(since));
                let is_early = |state: &State| state.timestamp < self.options.since;
                self.states
                    .retain(|state| state.timestamp.is_none() || !is_early(state));
            }
            self.options.tail = None;
        }
        let new = self.lines.read().await?;
        if !new.lines.is_empty() {
            self.last_news = Instant::now();
        }
        for line in new.lines {
            self.deliver_states(Some(line.timestamp));
            self.ready.push_back(RunUpdate::Log(Box::new(line)));
        }
        if !new.is_last {
            self.lines_at = Instant::now();
            return Ok(());
        }
        self.deliver_states(None);
        self.lines_at = Instant::now() + self.intervals().lines;
        let is_quiet = self.has_ended && self.last_news.elapsed() >= QUIET_PERIOD;
        if is_quiet && self.ready.is_empty() {
            // A state may have been proposed after the end.
            self.read_states().await?;
            self.is_over = self.has_ended && self.states.is_empty();
        }
        Ok(())
    }

    /// Delivers the states up to this time, or all.
    fn deliver_states(&mut self, until: Option<DateTime<Utc>>) {
        let is_due = |state: &State| until.is_none() || state.timestamp <= until;
        while self.states.front().is_some_and(is_due) {
            let state = self.states.pop_front();
            let update = state.map(|state| RunUpdate::State(Box::new(state)));
            self.ready.extend(update);
        }
    }

    fn intervals(&self) -> Intervals {
        let had_news = self.last_news.elapsed() < IDLE_AFTER;
        let mut intervals = match self.subscription.is_live() {
            true => IDLE_INTERVALS_LIVE,
            false => IDLE_INTERVALS,
        };
        if had_news {
            intervals.lines = NEWS_INTERVAL;
            intervals.states = intervals.states.min(2 * NEWS_INTERVAL);
        }
        intervals
    }
}

impl Failures {
    /// How long to wait after a failure, or the failure, if reading cannot go on.
    fn wait_after(&mut self, error: Error) -> Result<Duration> {
        if self.outage.is_too_long(&error, Instant::now()) || error.is_permanent() {
            return Err(error);
        }
        self.count += 1;
        Ok(FAILURE_BACKOFF
            .delay(self.count, None)
            .max(requested_wait(&error)))
    }
}
