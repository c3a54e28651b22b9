//! `Monitor`: who looks at the runs that are waited for.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::select;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use uuid::Uuid;

use crate::background::Background;
use crate::error::{Error, ErrorKind, Result};
use crate::raw;
use crate::retry::RetryPolicy;
use crate::types::{
    FlowRunFilter, FlowRunFilterId, FlowRunResponse, FlowRunSort, ReadFlowRunsRequest,
};

/// How often all runs are looked at while events tell of changes.
const SLOWLY: Duration = Duration::from_secs(10);

/// And while they do not.
const OFTEN: Duration = Duration::from_secs(2);

/// How long one goes on when nobody watches, as between two waits.
const LINGER: Duration = Duration::from_secs(5);

/// The least time between two looks: what changes meanwhile is looked at together.
const AT_LEAST: Duration = Duration::from_millis(50);

/// How long one look may take.
const A_LOOK: Duration = Duration::from_secs(10);

/// How many runs a server tells of at once.
const AT_ONCE: usize = 200;

/// How long the server may be out of reach until waiting is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Looks at all runs that a client waits for together, on the client's own thread: every few seconds, and
/// at once when an event tells that one has changed. What an event says is never taken for the truth:
/// events are sent before they are true, and get lost.
pub(crate) struct Monitor {
    background: Arc<Background>,
    board: Arc<Board>,
}

#[derive(Default)]
struct Board {
    watched: Mutex<Watched>,
    /// Something is to be looked at before its time.
    sooner: Notify,
    /// Whether events come.
    live: AtomicBool,
}

#[derive(Default)]
struct Watched {
    runs: HashMap<Uuid, watch::Sender<Seen>>,
    /// Those that are to be looked at at once.
    changed: HashSet<Uuid>,
    /// Whether somebody looks.
    is_looked_at: bool,
}

/// What was seen of a run.
#[derive(Clone)]
pub(crate) enum Seen {
    /// Nobody has looked yet.
    Nothing,
    Run(Arc<FlowRunResponse>),
    /// It cannot be looked at, or is not there.
    Failed(Arc<Error>),
}

/// One who watches a run.
pub(crate) struct Watching {
    pub seen: watch::Receiver<Seen>,
    run: Uuid,
    board: Weak<Board>,
}

impl Monitor {
    pub fn new(background: Arc<Background>) -> Self {
        let board = Arc::default();
        Self { background, board }
    }

    /// Watches a run, which is looked at at once.
    pub fn watch(&self, run: Uuid) -> Watching {
        let mut watched = self.board.watched();
        let sender = watched.runs.entry(run);
        let seen = sender.or_insert_with(|| watch::channel(Seen::Nothing).0);
        let seen = seen.subscribe();
        watched.changed.insert(run);
        let starts = !std::mem::replace(&mut watched.is_looked_at, true);
        drop(watched);
        if starts {
            let (raw, board) = (self.background.raw().clone(), self.board.clone());
            self.background.spawn(async move {
                let _ended = Ended(&board);
                // Who listens ends with who looks.
                let (looking, listening) =
                    (pin!(look(&raw, &board)), pin!(listen(raw.clone(), &board)));
                select(looking, listening).await;
            });
        }
        self.board.sooner.notify_one();
        let board = Arc::downgrade(&self.board);
        Watching { seen, run, board }
    }
}

/// Nobody looks any more, also when a hook of the program's panics: who waits then is told.
struct Ended<'a>(&'a Board);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut watched = self.0.watched();
        watched.is_looked_at = false;
        watched.runs.clear();
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let Some(board) = self.board.upgrade() else {
            return;
        };
        let mut watched = board.watched();
        // This one's receiver is still there.
        let is_last = watched
            .runs
            .get(&self.run)
            .is_some_and(|run| run.receiver_count() <= 1);
        if is_last {
            watched.runs.remove(&self.run);
            board.sooner.notify_one();
        }
    }
}

impl Board {
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to look at: all, or what has changed; and whether anything has.
    fn due(&self, all: bool) -> (Vec<Uuid>, bool) {
        let mut watched = self.watched();
        // Two that cease to watch at once both leave it to the other.
        watched.runs.retain(|_, run| run.receiver_count() > 0);
        let changed = std::mem::take(&mut watched.changed);
        let has_changed = !changed.is_empty();
        let runs = match all {
            true => watched.runs.keys().copied().collect(),
            false => {
                let is_watched = |run: &Uuid| watched.runs.contains_key(run);
                changed.into_iter().filter(is_watched).collect()
            }
        };
        (runs, has_changed)
    }

    /// Whether nobody watches any more; then nobody looks, either.
    fn ends(&self) -> bool {
        let mut watched = self.watched();
        watched.is_looked_at = !watched.runs.is_empty();
        !watched.is_looked_at
    }

    fn tell(&self, run: Uuid, seen: Seen) {
        if let Some(sender) = self.watched().runs.get(&run) {
            sender.send_replace(seen);
        }
    }

    #[cfg(feature = "websocket")]
    fn has_changed(&self, run: Uuid) {
        let mut watched = self.watched();
        if watched.runs.contains_key(&run) {
            watched.changed.insert(run);
            drop(watched);
            self.sooner.notify_one();
        }
    }

    #[cfg(feature = "websocket")]
    fn set_live(&self, live: bool) {
        if self.live.swap(live, Ordering::Relaxed) != live {
            // What happened while none came is not told of.
            let mut watched = self.watched();
            watched.changed = watched.runs.keys().copied().collect();
            drop(watched);
            self.sooner.notify_one();
        }
    }
}

/// Looks at what is watched, until nobody has watched for a while.
async fn look(raw: &raw::Client, board: &Board) {
    let transport = raw.transport().with_retry(RetryPolicy::none());
    let transport = transport.with_timeout(transport.timeout().min(A_LOOK));
    let once = raw::Client::with_transport(transport);
    let (mut all_at, mut failing_since) = (Instant::now(), None);
    loop {
        let now = Instant::now();
        let all = now >= all_at;
        let (runs, has_changed) = board.due(all);
        match look_at_all(&once, &runs, board).await {
            Ok(()) => failing_since = None,
            Err(error) => {
                let since = *failing_since.get_or_insert(now);
                if error.is_hopeless() || since.elapsed() > PATIENCE {
                    let failed = Seen::Failed(Arc::new(error));
                    runs.iter().for_each(|run| board.tell(*run, failed.clone()));
                }
            }
        }
        let now = Instant::now();
        let is_live = failing_since.is_none() && board.live.load(Ordering::Relaxed);
        let pause = if is_live { SLOWLY } else { OFTEN };
        // An event may be there before what it tells of is true.
        let again = if has_changed { OFTEN } else { pause };
        all_at = if all {
            now + again
        } else {
            all_at.min(now + again)
        };
        tokio::time::sleep(AT_LEAST).await;
        if board.watched().runs.is_empty() {
            if timeout(LINGER, board.sooner.notified()).await.is_err() && board.ends() {
                return;
            }
        } else if failing_since.is_some() {
            // Who cannot ask is not woken by what has changed.
            all_at = all_at.min(now + OFTEN);
            tokio::time::sleep_until(all_at.into()).await;
        } else {
            let _ = tokio::time::timeout_at(all_at.into(), board.sooner.notified()).await;
        }
    }
}

async fn look_at_all(raw: &raw::Client, runs: &[Uuid], board: &Board) -> Result<()> {
    for runs in runs.chunks(AT_ONCE) {
        look_at(raw, runs, board).await?;
    }
    Ok(())
}

async fn look_at(raw: &raw::Client, runs: &[Uuid], board: &Board) -> Result<()> {
    let filter = FlowRunFilter::new().id(FlowRunFilterId::new().any_(runs.to_vec()));
    // Of the runs that are asked for at once the server may give fewer.
    let mut body = ReadFlowRunsRequest::new()
        .flow_runs(filter)
        .sort(FlowRunSort::IdDesc);
    let mut missing: HashSet<Uuid> = runs.iter().copied().collect();
    let mut offset = 0;
    loop {
        body.offset = Some(offset);
        let page = raw.read_flow_runs(&body).await?.into_inner();
        if page.is_empty() {
            break;
        }
        offset += page.len() as i64;
        for run in page {
            missing.remove(&run.id);
            board.tell(run.id, Seen::Run(Arc::new(run)));
        }
        if missing.is_empty() {
            return Ok(());
        }
    }
    for run in missing {
        let what = format!("there is no flow run {run}");
        let error = Error::new(ErrorKind::NotFound, what);
        board.tell(run, Seen::Failed(Arc::new(error)));
    }
    Ok(())
}

/// Without sockets, nothing is heard.
#[cfg(not(feature = "websocket"))]
async fn listen(_: Arc<raw::Client>, _: &Board) {
    std::future::pending().await
}

/// Hears of changes.
#[cfg(feature = "websocket")]
async fn listen(raw: Arc<raw::Client>, board: &Board) {
    use crate::feed::{Feed, Heard};
    use crate::types::{EventFilter, EventNameFilter};

    let names = EventNameFilter::new()
        .prefix(vec!["prefect.flow-run.".to_owned()])
        .exclude_name(vec!["prefect.flow-run.heartbeat".to_owned()]);
    let mut feed = Feed::new(raw, EventFilter::new().event(names));
    loop {
        match feed.next().await {
            Heard::Opened => board.set_live(true),
            Heard::Ended(error) => {
                tracing::debug!(%error, "events do not come; runs are looked at more often");
                board.set_live(false);
            }
            Heard::Event(event) => {
                let resource = event.resource.get("prefect.resource.id");
                let run = resource.and_then(|id| id.strip_prefix("prefect.flow-run."));
                if let Some(run) = run.and_then(|run| run.parse().ok()) {
                    board.has_changed(run);
                }
            }
        }
    }
}
