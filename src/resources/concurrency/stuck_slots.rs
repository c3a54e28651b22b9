//! `Client::stuck_slots`: slots that are counted as held although nobody holds them.

use std::collections::HashMap;
use std::fmt;

use uuid::Uuid;

use crate::client::Client;
use crate::error::{Result, none_if_missing};
use crate::types::{BulkDecrementActiveSlotsRequest, StateType};

/// The slots that are held, with their holders as far as they are known: see [`Client::stuck_slots`].
/// `Display` writes a line for each limit, and one for each remedy that [`free`](Self::free) or
/// [`free_unverified`](Self::free_unverified) would apply.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StuckSlots {
    client: Client,
    /// The limits of which slots are held.
    pub limits: Vec<HeldLimit>,
}

/// The slots that are held of one limit, with their holders as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldLimit {
    /// Its name: `tag:…` for a limit on a tag, `deployment:…` for the limit of a deployment.
    pub name: String,
    /// How many slots the limit has.
    pub limit: i64,
    /// How many of them are counted as held.
    pub active_slots: i64,
    /// Who holds them, as far as the server reports it.
    pub holders: Holders,
    /// The remedies that would free those that nobody holds.
    pub remedies: Vec<Remedy>,
}

/// The holders of slots of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holders {
    /// For a limit on a tag: the task runs, with the state of each; `None` if the server does not know
    /// the run.
    TaskRuns(Vec<(Uuid, Option<StateType>)>),
    /// For the limit of a deployment: the number of its runs that are pending, running, paused, being
    /// cancelled or awaiting a retry.
    FlowRuns(i64),
    /// For any other limit, whose holders the server does not report.
    Unknown,
}

/// A way to free slots that nobody holds, or nobody seems to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Give back what a task run that has ended holds: `POST /concurrency_limits/decrement`.
    GiveBack {
        /// The task run.
        task_run_id: Uuid,
    },
    /// The same for a task run that the server does not know. It may learn of it later, or never: a program
    /// may hold slots for any id.
    GiveBackUnknown {
        /// The task run.
        task_run_id: Uuid,
    },
    /// Reduce the count by the slots for which no holder is known: `POST /v2/concurrency_limits/decrement`.
    /// For a limit on a tag, the server reports one slot of each task run, and no other holders.
    ReduceCount {
        /// The number of slots.
        slots: i64,
    },
}

impl Client {
    /// Finds slots that are counted as held although nobody holds them, or nobody seems to. Changes nothing.
    ///
    /// Slots get stuck when the server forgets leases, because it is restarted (unless its
    /// `PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE` is persistent) or a tag is reset; when it is killed after it has counted slots
    /// and before it has stored their lease; and when a program ends that took them for a task run without a lease. For limits on tags the server lists the task runs that
    /// hold a slot, and for the limit of a deployment its runs are known. For other limits the server reports
    /// no holders, so only you can know whether
    /// [`reset_and_free`](crate::concurrency::GlobalConcurrencyLimits::reset_and_free) is right.
    ///
    /// Sends `POST /v2/concurrency_limits/filter`; for each limit on a tag that is held,
    /// `GET /concurrency_limits/tag/{tag}` and `POST /task_runs/filter`; for that of a deployment,
    /// `POST /flow_runs/count`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let stuck = client.stuck_slots().await?;
    /// println!("{stuck}");
    /// if !stuck.is_empty() {
    ///     let freed = stuck.free().await?;
    ///     println!("{freed} task runs have ended and held slots");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stuck_slots(&self) -> Result<StuckSlots> {
        let mut limits = Vec::new();
        for limit in self.global_concurrency_limits().list().await? {
            // Slots that decay are not held.
            let decays = limit
                .slot_decay_per_second
                .is_some_and(|decay| decay.as_f64() > 0.0);
            if limit.active_slots > 0 && !decays {
                limits.extend(HeldLimit::inspect(self, &limit.name).await?);
            }
        }
        let client = self.clone();
        Ok(StuckSlots { client, limits })
    }
}

impl StuckSlots {
    /// Whether no slot is stuck or seems to be.
    pub fn is_empty(&self) -> bool {
        self.limits.iter().all(|limit| limit.remedies.is_empty())
    }

    /// Frees the slots of task runs that have ended, and returns how many remedies were applied.
    ///
    /// Each limit is read again first, and only remedies that are still needed are applied.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors); remedies that were applied before it stay applied.
    pub async fn free(&self) -> Result<usize> {
        self.apply(|remedy| matches!(remedy, Remedy::GiveBack { .. }))
            .await
    }

    /// Does the same as [`free`](Self::free), and also frees slots that only seem to be stuck: those of task
    /// runs that the server does not know, and those for which it knows no holder.
    ///
    /// Use this right after a restart of a server that forgets leases, for limits on tags that only Prefect's
    /// own task runs use, or for those of deployments. If a program holds slots of a tag in another way, they
    /// would be given to others as well.
    ///
    /// # Errors
    ///
    /// As [`free`](Self::free).
    pub async fn free_unverified(&self) -> Result<usize> {
        self.apply(|_| true).await
    }

    async fn apply(&self, which: fn(&Remedy) -> bool) -> Result<usize> {
        let mut applied = 0;
        let limits = self.limits.iter();
        for seen in limits.filter(|limit| limit.remedies.iter().any(which)) {
            let Some(now) = HeldLimit::inspect(&self.client, &seen.name).await? else {
                continue;
            };
            let remedies = seen.remedies.iter().filter(|it| which(it));
            for remedy in remedies.filter(|it| now.remedies.contains(it)) {
                remedy.apply(&self.client, &seen.name).await?;
                applied += 1;
            }
        }
        Ok(applied)
    }
}

impl HeldLimit {
    async fn inspect(client: &Client, name: &str) -> Result<Option<Self>> {
        let limits = client.global_concurrency_limits();
        let Some(before) = limits.get_opt(name).await? else {
            return Ok(None);
        };
        let holders = Holders::of(client, name).await?;
        // The server counts a slot before it records the holder, and still counts it after it has removed the
        // holder: a slot that is taken or given back meanwhile is in only one of the two counts.
        let Some(after) = limits.get_opt(name).await? else {
            return Ok(None);
        };
        let active_slots = before.active_slots.min(after.active_slots);
        let remedies = holders.remedies(active_slots);
        Ok(Some(Self {
            name: after.name,
            limit: after.limit,
            active_slots,
            holders,
            remedies,
        }))
    }
}

impl Holders {
    async fn of(client: &Client, name: &str) -> Result<Self> {
        if let Some(tag) = name.strip_prefix("tag:") {
            return Self::of_tag(client, tag).await;
        }
        let deployment = name.strip_prefix("deployment:");
        let Some(deployment) = deployment.and_then(|id| id.parse::<Uuid>().ok()) else {
            return Ok(Self::Unknown);
        };
        let mut runs = client.flow_runs().count().deployment_id(deployment);
        for state in [
            StateType::Pending,
            StateType::Running,
            StateType::Paused,
            StateType::Cancelling,
        ] {
            runs = runs.state(state);
        }
        // A run that awaits a retry is scheduled again, and may keep its slot.
        let retried = client.flow_runs().count().deployment_id(deployment);
        let retried = retried.state_name("AwaitingRetry").await?;
        Ok(Self::FlowRuns(runs.await? + retried))
    }

    async fn of_tag(client: &Client, tag: &str) -> Result<Self> {
        let limit = match client.concurrency_limits().get_by_tag(tag).await {
            // The tag cannot be sent in a URL.
            Err(error) if error.is_invalid_request() => return Ok(Self::Unknown),
            limit => none_if_missing(limit)?,
        };
        let ids = limit
            .and_then(|limit| limit.active_slots)
            .unwrap_or_default();
        let mut states = HashMap::new();
        if !ids.is_empty() {
            let mut runs = client.task_runs().list();
            for id in &ids {
                runs = runs.id(*id);
            }
            let runs = runs.await?;
            states.extend(
                runs.into_iter()
                    .filter_map(|run| Some((run.id, run.state_type.into_option()?))),
            );
        }
        let with_state = |id| (id, states.get(&id).cloned());
        Ok(Self::TaskRuns(ids.into_iter().map(with_state).collect()))
    }

    fn remedies(&self, active_slots: i64) -> Vec<Remedy> {
        let (mut remedies, held) = match self {
            Self::TaskRuns(holders) => {
                let of = |&(task_run_id, ref state): &(Uuid, Option<StateType>)| match state {
                    Some(state) if state.is_terminal() => Some(Remedy::GiveBack { task_run_id }),
                    Some(_) => None,
                    None => Some(Remedy::GiveBackUnknown { task_run_id }),
                };
                let give_back = holders.iter().filter_map(of).collect::<Vec<_>>();
                (give_back, holders.len() as i64)
            }
            Self::FlowRuns(runs) => (Vec::new(), *runs),
            Self::Unknown => return Vec::new(),
        };
        if active_slots > held {
            remedies.push(Remedy::ReduceCount {
                slots: active_slots - held,
            });
        }
        remedies
    }
}

impl Remedy {
    async fn apply(&self, client: &Client, limit: &str) -> Result<()> {
        match self {
            Self::GiveBack { task_run_id } | Self::GiveBackUnknown { task_run_id } => {
                let tag = limit.strip_prefix("tag:").unwrap_or(limit);
                let limits = client.concurrency_limits();
                limits.decrement([tag], *task_run_id).await.map(drop)
            }
            Self::ReduceCount { slots } => {
                let body = BulkDecrementActiveSlotsRequest::new(*slots, [limit]);
                let limits = client.global_concurrency_limits();
                limits.decrement(&body).await.map(drop)
            }
        }
    }
}

impl fmt::Display for StuckSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.limits.is_empty() {
            return f.write_str("no slot is held");
        }
        for (number, limit) in self.limits.iter().enumerate() {
            let end = if number == 0 { "" } else { "\n" };
            write!(f, "{end}{limit}")?;
        }
        Ok(())
    }
}

impl fmt::Display for HeldLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            limit,
            active_slots,
            ..
        } = self;
        write!(
            f,
            "{name:?}: {active_slots} of {limit} slots are held, {}",
            self.holders
        )?;
        for remedy in &self.remedies {
            write!(f, "\n    would {remedy}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Holders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TaskRuns(runs) if runs.is_empty() => f.write_str("by no task run"),
            Self::TaskRuns(runs) => {
                for (number, (id, state)) in runs.iter().enumerate() {
                    let before = if number == 0 { "by task run" } else { "," };
                    match state {
                        Some(state) => write!(f, "{before} {id} ({state})")?,
                        None => write!(f, "{before} {id} (which the server does not know)")?,
                    }
                }
                Ok(())
            }
            Self::FlowRuns(runs) => write!(f, "{runs} runs of the deployment are under way"),
            Self::Unknown => f.write_str("the server does not report by whom"),
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GiveBack { task_run_id: run } => {
                write!(
                    f,
                    "give back what the task run {run} holds, which has ended"
                )
            }
            Self::GiveBackUnknown { task_run_id: run } => write!(
                f,
                "perhaps give back what the task run {run} holds, which the server does not know"
            ),
            Self::ReduceCount { slots } => {
                write!(
                    f,
                    "perhaps reduce the count by {slots}, for which no holder is known"
                )
            }
        }
    }
}
