//! `Watch`: the states and log lines of a run, as they come.

use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_core::Stream;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::has_ended;
use super::monitor::{Seen, Watching};
use crate::error::{Error, ErrorKind, Result};
use crate::handles::FlowRuns;
use crate::raw;
use crate::retry::RetryPolicy;
use crate::types::{
    Log, LogFilter, LogFilterFlowRunId, LogFilterTimestamp, LogSort, ReadLogsRequest, State,
};

/// How often logs are asked for.
const EVERY: Duration = Duration::from_secs(1);

/// How late a log line may come to the server, and be seen before the end: it is sent with others.
const LATE: Duration = Duration::from_secs(15);

/// How often all lines are read again: some may be dated back.
const ALL: Duration = Duration::from_secs(60);

/// How long after its end a run is quiet before it is over: its last lines come seconds later.
const QUIET: Duration = Duration::from_secs(5);

/// How long the server may be out of reach.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many updates wait to be taken.
const AHEAD: usize = 256;

/// What happened to a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RunUpdate {
    /// It came into this state.
    State(Box<State>),
    /// It logged this line.
    Log(Box<Log>),
}

impl RunUpdate {
    fn timestamp(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::State(state) => state.timestamp,
            Self::Log(log) => Some(log.timestamp),
        }
    }
}

/// The states and log lines of a run, as a stream: see [`FlowRuns::watch`].
#[must_use = "streams do nothing unless they are polled"]
pub struct Watch {
    updates: Option<mpsc::Receiver<Result<RunUpdate>>>,
    failed: Option<Error>,
}

impl FlowRuns<'_> {
    /// The states and log lines of a run, from the first on, each once; the stream ends when the run has
    /// ended and has logged nothing for 5 s. (A state that is proposed after an end goes on with it.)
    ///
    /// States come in their order, and so do lines, but for those that reach the server more than a
    /// second after later ones; both together go by their times. The states are those that the server keeps
    /// (`GET /flow_run_states/`), so that none is missed, and the lines those that it has stored
    /// (`POST /logs/filter`), which works whether or not it streams logs. Both are asked for every second, and
    /// at once when [`wait`](Self::wait) would see a change; every minute, and in the end, all lines once more.
    /// Lines that the program of the run has not sent, as one that is killed, never come.
    ///
    /// It is read by a thread of the client's own, which pauses when 256 updates wait to be taken.
    ///
    /// # Errors
    ///
    /// The stream ends with an error as [`Wait`](crate::Wait#errors) does when the run cannot be
    /// looked at.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::RunUpdate;
    ///
    /// let mut updates = client.flow_runs().watch(id);
    /// while let Some(update) = updates.next().await {
    ///     match update? {
    ///         RunUpdate::State(state) => println!("it is {:?}", state.name),
    ///         RunUpdate::Log(log) => println!("{} {}", log.timestamp, log.message),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(self, id: Uuid) -> Watch {
        let started = self.client.monitor().and_then(|monitor| {
            let (tell, updates) = mpsc::channel(AHEAD);
            let background = self.client.background()?;
            let follower = Follower::new(id, background.raw(), monitor.watch(id), tell);
            background.spawn(follower.follow());
            Ok(updates)
        });
        match started {
            Ok(updates) => Watch {
                updates: Some(updates),
                failed: None,
            },
            Err(error) => Watch {
                updates: None,
                failed: Some(error),
            },
        }
    }
}

impl Watch {
    /// The next update; `None` when the run is over. Nothing is lost when this is dropped before.
    pub async fn next(&mut self) -> Option<Result<RunUpdate>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RunUpdate>>> {
        match &mut self.updates {
            Some(updates) => updates.poll_recv(context),
            None => Poll::Ready(self.failed.take().map(Err)),
        }
    }
}

impl Stream for Watch {
    type Item = Result<RunUpdate>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// Reads what there is of a run, until it is over or nobody listens.
struct Follower {
    run: Uuid,
    raw: raw::Client,
    watching: Watching,
    tell: mpsc::Sender<Result<RunUpdate>>,
    told: HashSet<Uuid>,
    /// The time of the newest line.
    newest: Option<DateTime<Utc>>,
}

/// Nobody listens.
struct Gone;

impl Follower {
    fn new(
        run: Uuid,
        raw: &Arc<raw::Client>,
        watching: Watching,
        tell: mpsc::Sender<Result<RunUpdate>>,
    ) -> Self {
        let transport = raw.transport().with_retry(RetryPolicy::none());
        Self {
            run,
            raw: raw::Client::with_transport(transport),
            watching,
            tell,
            told: HashSet::new(),
            newest: None,
        }
    }

    async fn follow(mut self) {
        let _ = self.go_on().await;
    }

    async fn go_on(&mut self) -> Result<(), Gone> {
        let (mut failing_since, mut quiet_since) = (None, None);
        let mut read_all_at = Instant::now();
        loop {
            if self.tell.is_closed() {
                return Err(Gone);
            }
            let seen = self.watching.seen.borrow_and_update().clone();
            if let Seen::Failed(error) = seen {
                return self.tell(Err(error.copy())).await;
            }
            let is_quiet = quiet_since.is_some_and(|since: Instant| since.elapsed() >= QUIET);
            let all = is_quiet || read_all_at.elapsed() >= ALL;
            match self.read(all).await {
                Ok((updates, ended)) => {
                    failing_since = None;
                    let told = self.tell_all(updates).await?;
                    if all {
                        read_all_at = Instant::now();
                    }
                    match ended && told == 0 {
                        true if is_quiet => return Ok(()),
                        true => drop(quiet_since.get_or_insert_with(Instant::now)),
                        false => quiet_since = None,
                    }
                }
                Err(error) => {
                    let since = *failing_since.get_or_insert_with(Instant::now);
                    if error.is_hopeless() || since.elapsed() > PATIENCE {
                        return self.tell(Err(error)).await;
                    }
                }
            }
            let changed = self.watching.seen.changed();
            if let Ok(Err(_)) = tokio::time::timeout(EVERY, changed).await {
                let what = "the client's thread no longer looks at runs: a hook has panicked";
                let error = Error::new(ErrorKind::Connection, what);
                return self.tell(Err(error)).await;
            }
        }
    }

    /// What was not told yet: of the lines, those that are about as new as the newest, or all. And whether
    /// the last state is an end.
    async fn read(&self, all: bool) -> Result<(Vec<RunUpdate>, bool)> {
        let states = self.raw.read_flow_run_states(&self.run).await?.into_inner();
        let last = states
            .iter()
            .max_by_key(|state| state.timestamp.as_ref().copied());
        let ended = last.is_some_and(|state| has_ended(&state.type_));
        let states = states
            .into_iter()
            .filter(|state| !self.told.contains(&state.id));
        let mut updates: Vec<_> = states
            .map(|state| RunUpdate::State(Box::new(state)))
            .collect();
        let run = LogFilterFlowRunId::new().any_(vec![self.run]);
        let mut filter = LogFilter::new().flow_run_id(run);
        if let Some(newest) = self.newest.filter(|_| !all) {
            let since = newest - LATE;
            filter = filter.timestamp(LogFilterTimestamp::new().after_(since));
        }
        let mut body = ReadLogsRequest::new()
            .logs(filter)
            .sort(LogSort::TimestampAsc);
        let mut offset = 0;
        loop {
            body.offset = Some(offset);
            let page = self.raw.read_logs(&body).await?.into_inner();
            if page.is_empty() {
                break;
            }
            offset += page.len() as i64;
            let new = page.into_iter().filter(|log| !self.told.contains(&log.id));
            updates.extend(new.map(|log| RunUpdate::Log(Box::new(log))));
        }
        // Stable: what has the same time stays in the server's order.
        updates.sort_by_key(RunUpdate::timestamp);
        Ok((updates, ended))
    }

    /// How many were told; a page that has moved while it was read may have some of them twice.
    async fn tell_all(&mut self, updates: Vec<RunUpdate>) -> Result<usize, Gone> {
        let mut count = 0;
        for update in updates {
            let id = match &update {
                RunUpdate::State(state) => state.id,
                RunUpdate::Log(log) => {
                    // A line that is dated ahead would hide those to come.
                    let at = log.timestamp.min(Utc::now());
                    self.newest = self.newest.max(Some(at));
                    log.id
                }
            };
            if self.told.insert(id) {
                self.tell(Ok(update)).await?;
                count += 1;
            }
        }
        Ok(count)
    }

    async fn tell(&self, update: Result<RunUpdate>) -> Result<(), Gone> {
        self.tell.send(update).await.map_err(|_| Gone)
    }
}
