//! `Client::stuck_slots`: slots that are counted as held and that nobody holds.

use std::collections::HashMap;
use std::fmt;

use uuid::Uuid;

use crate::client::Client;
use crate::error::{Result, found};
use crate::types::{BulkDecrementActiveSlotsRequest, GlobalConcurrencyLimitResponse, StateType};

/// What is known of the slots that are held: see [`Client::stuck_slots`]. `Display` has a line for each
/// limit, and one for each thing that [`free`](Self::free) would do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StuckSlots {
    client: Client,
    /// The limits of which slots are held.
    pub limits: Vec<HeldLimit>,
}

/// What is known of the slots that are held of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldLimit {
    /// Its name; that of a limit on a tag begins with `tag:`, that of a deployment's with `deployment:`.
    pub name: String,
    /// How many slots there are.
    pub limit: i64,
    /// How many of them are counted as held.
    pub active_slots: i64,
    /// By whom, as far as the server tells.
    pub holders: Holders,
    /// What would free those that nobody holds.
    pub remedies: Vec<Remedy>,
}

/// Who holds slots of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holders {
    /// Of a limit on a tag: these task runs, with the state of each; `None` if there is no such run.
    TaskRuns(Vec<(Uuid, Option<StateType>)>),
    /// Of a deployment's limit: so many runs of it are pending, running, paused or being cancelled.
    FlowRuns(i64),
    /// Of any other limit the server does not tell.
    Unknown,
}

/// What frees slots that nobody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Give back what a task run holds that has ended, or that does not exist:
    /// `POST /concurrency_limits/decrement`.
    GiveBack {
        /// The task run.
        task_run_id: Uuid,
    },
    /// Count so many slots less, which no lease is known for:
    /// `POST /v2/concurrency_limits/decrement`.
    Uncount {
        /// How many.
        slots: i64,
    },
}

impl Client {
    /// Looks for slots that are counted as held and that nobody holds. It changes nothing.
    ///
    /// Slots get stuck when the server forgets leases, as one does that is restarted (unless its
    /// `PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE` is a lasting one), or whose tag is reset; and when a program that took
    /// them for a task run without a lease has ended. Of limits on tags the server lists the task runs
    /// that hold a slot, and of a deployment's the runs are known; of other limits it tells nothing,
    /// so that only you can know whether
    /// [`reset_and_free`](crate::GlobalConcurrencyLimits::reset_and_free) is right.
    ///
    /// Sends `POST /v2/concurrency_limits/filter`; for each limit that is held on a tag,
    /// `GET /concurrency_limits/tag/{tag}` and `POST /task_runs/filter`; on a deployment,
    /// `POST /flow_runs/count`.
    ///
    /// # Errors
    ///
    /// Those of any call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let stuck = client.stuck_slots().await?;
    /// println!("{stuck}");
    /// if !stuck.is_empty() {
    ///     let freed = stuck.free().await?;
    ///     println!("{freed} remedies were applied");
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
                limits.push(HeldLimit::look_at(self, limit).await?);
            }
        }
        let client = self.clone();
        Ok(StuckSlots { client, limits })
    }
}

impl StuckSlots {
    /// Whether no slot is known to be stuck.
    pub fn is_empty(&self) -> bool {
        self.limits.iter().all(|limit| limit.remedies.is_empty())
    }

    /// Frees the slots that are stuck, and returns how many remedies were applied.
    ///
    /// Each limit is looked at again first, and only what is as it was is done: what was taken or
    /// given back in the meantime was not stuck. A slot that is being taken in this very moment can
    /// still look like one that is, so leave some time between looking and this.
    ///
    /// # Errors
    ///
    /// Those of any call; what was done before stays done.
    pub async fn free(self) -> Result<usize> {
        let mut applied = 0;
        for seen in self
            .limits
            .iter()
            .filter(|limit| !limit.remedies.is_empty())
        {
            let limits = self.client.global_concurrency_limits();
            let Some(now) = limits.get_opt(&seen.name).await? else {
                continue;
            };
            let now = HeldLimit::look_at(&self.client, now).await?;
            for remedy in seen.remedies.iter().filter(|it| now.remedies.contains(it)) {
                remedy.apply(&self.client, &seen.name).await?;
                applied += 1;
            }
        }
        Ok(applied)
    }
}

impl HeldLimit {
    async fn look_at(client: &Client, limit: GlobalConcurrencyLimitResponse) -> Result<Self> {
        let holders = Holders::of(client, &limit.name).await?;
        let remedies = holders.remedies(limit.active_slots);
        Ok(Self {
            name: limit.name,
            limit: limit.limit,
            active_slots: limit.active_slots,
            holders,
            remedies,
        })
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
        Ok(Self::FlowRuns(runs.await?))
    }

    async fn of_tag(client: &Client, tag: &str) -> Result<Self> {
        let limit = match client.concurrency_limits().get_by_tag(tag).await {
            // No URL can name the tag.
            Err(error) if error.is_invalid_request() => return Ok(Self::Unknown),
            limit => found(limit)?,
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
                let ended = |state: &Option<StateType>| state.as_ref().is_none_or(has_ended);
                let ended = holders.iter().filter(|(_, state)| ended(state));
                let give_back = ended.map(|(id, _)| Remedy::GiveBack { task_run_id: *id });
                (give_back.collect(), holders.len() as i64)
            }
            Self::FlowRuns(runs) => (Vec::new(), *runs),
            Self::Unknown => return Vec::new(),
        };
        if active_slots > held {
            remedies.push(Remedy::Uncount {
                slots: active_slots - held,
            });
        }
        remedies
    }
}

fn has_ended(state: &StateType) -> bool {
    matches!(
        state,
        StateType::Completed | StateType::Failed | StateType::Cancelled | StateType::Crashed
    )
}

impl Remedy {
    async fn apply(&self, client: &Client, limit: &str) -> Result<()> {
        match self {
            Self::GiveBack { task_run_id } => {
                let tag = limit.strip_prefix("tag:").unwrap_or(limit);
                let limits = client.concurrency_limits();
                limits.decrement([tag], *task_run_id).await.map(drop)
            }
            Self::Uncount { slots } => {
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
                        None => write!(f, "{before} {id} (which does not exist)")?,
                    }
                }
                Ok(())
            }
            Self::FlowRuns(runs) => write!(f, "{runs} runs of the deployment are under way"),
            Self::Unknown => f.write_str("the server does not tell by whom"),
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GiveBack { task_run_id } => {
                write!(
                    f,
                    "give back what the task run {task_run_id} holds, which has ended or does not exist"
                )
            }
            Self::Uncount { slots } => {
                write!(f, "count {slots} less, which nobody is known to hold")
            }
        }
    }
}
