//! `WorkPools`: what the server stores of pools, queues and workers.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::testing::fake::table::Table;
use crate::types::{
    FlowRunResponse, WorkPoolResponse, WorkPoolStatus, WorkQueueResponse, WorkerResponse,
};

/// The pool of the queues that were created without one.
pub(super) const AGENT_POOL: &str = "default-agent-pool";

/// The type of pools whose status the server does not show.
pub(super) const AGENT_TYPE: &str = "prefect-agent";

/// A work pool.
pub(crate) struct Pool {
    /// What the server returns of it, but for the status of an agent's pool, which it hides, and the slots, which it counts.
    pub shown: WorkPoolResponse,
    /// The event of the last change of its status, and when that was.
    pub last_status: Option<(Uuid, DateTime<Utc>)>,
}

/// A queue of a pool.
pub(crate) struct Queue {
    /// What the server returns of it, but for the slots, which it counts.
    pub shown: WorkQueueResponse,
    pub pool: Uuid,
    pub priority: i64,
}

/// A worker of a pool.
pub(crate) struct Worker {
    /// What the server returns of it, but for the status: that depends on the time.
    pub shown: WorkerResponse,
    pub last_heartbeat: DateTime<Utc>,
    /// The number of its last heartbeat among all: later ones are listed first.
    pub beat: u64,
    /// Whether the server's table says ONLINE.
    pub is_online: bool,
}

/// All pools, queues and workers.
#[derive(Default)]
pub(crate) struct WorkPools {
    pub(super) pools: Table<Pool>,
    pub(super) queues: Table<Queue>,
    pub(super) workers: Table<Worker>,
    pub(super) beats: u64,
    /// When the service that looks after workers looked last.
    pub(super) checked: Option<DateTime<Utc>>,
    /// The name of a queue that a run's own row has; what the server returns of a run is the name of the queue it is in.
    pub(crate) stored_names: HashMap<Uuid, String>,
}

impl Pool {
    pub(super) fn is_agents(&self) -> bool {
        self.shown.type_ == AGENT_TYPE
    }

    pub(super) fn is_paused(&self) -> bool {
        self.shown.is_paused == Some(true)
    }

    pub(super) fn has_status(&self, status: WorkPoolStatus) -> bool {
        self.shown.status.as_ref() == Some(&status)
    }
}

impl WorkPools {
    pub(crate) fn queue(&self, id: Uuid) -> Option<&Queue> {
        self.queues.get(id)
    }

    /// A queue with its pool.
    pub(crate) fn queue_and_pool(&self, id: Uuid) -> Option<(&Queue, &Pool)> {
        let queue = self.queues.get(id)?;
        Some((queue, self.pools.get(queue.pool)?))
    }

    pub(crate) fn pool_named(&self, name: &str) -> Option<&Pool> {
        self.pools.find(|pool| pool.shown.name == name)
    }

    pub(crate) fn queue_named(&self, pool: Uuid, name: &str) -> Option<&Queue> {
        self.queues
            .find(|queue| queue.pool == pool && queue.shown.name == name)
    }

    /// The queues of a pool, the one with the highest priority first.
    pub(super) fn queues_of(&self, pool: Uuid) -> Vec<&Queue> {
        let queues = self.queues.iter().filter(|queue| queue.pool == pool);
        let mut queues: Vec<&Queue> = queues.collect();
        queues.sort_by_key(|queue| queue.priority);
        queues
    }

    /// The queue of a name that belongs to no pool, as far as older routes are concerned.
    pub(super) fn poolless_queue(&self, name: &str) -> Option<&Queue> {
        match self.pool_named(AGENT_POOL) {
            Some(pool) => self.queue_named(pool.shown.id, name),
            None => self.queues.find(|queue| queue.shown.name == name),
        }
    }

    pub(crate) fn has_poolless_queue(&self, name: &str) -> bool {
        self.poolless_queue(name).is_some()
    }

    /// Puts a new flow run into a queue.
    pub(crate) fn name_queue(&self, queue: Uuid, run: &mut FlowRunResponse) {
        if let Some((queue, pool)) = self.queue_and_pool(queue) {
            run.work_queue_id = queue.shown.id.into();
            run.work_queue_name = queue.shown.name.clone().into();
            run.work_pool_id = pool.shown.id.into();
            run.work_pool_name = pool.shown.name.clone().into();
        }
    }
}
