//! `Deployments`: what the server stores of deployments.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::testing::fake::table::Table;
use crate::types::{DeploymentResponse, DeploymentSchedule};

/// A deployment.
pub(crate) struct Deployment {
    /// What the server returns of it, but for its limit, and the names of its queue and pool: `work_queue_name` is what the row has.
    /// The schedules are in the order in which the server lists them: what was changed last is first.
    pub shown: DeploymentResponse,
    /// The name of its flow, which does not change.
    pub flow_name: String,
    /// The global limit for its runs (`concurrency_limit_id`).
    pub limit: Option<Uuid>,
}

/// All deployments.
#[derive(Default)]
pub(crate) struct Deployments {
    pub(super) rows: Table<Deployment>,
    /// When the scheduler looked at all deployments last.
    pub(super) planned: Option<DateTime<Utc>>,
    /// When it looked at those that had changed last.
    pub(super) planned_changed: Option<DateTime<Utc>>,
}

impl Deployment {
    pub(super) fn id(&self) -> Uuid {
        self.shown.id
    }

    pub(super) fn schedules(&self) -> &[DeploymentSchedule] {
        self.shown.schedules.as_deref().unwrap_or_default()
    }

    pub(super) fn schedules_mut(&mut self) -> &mut Vec<DeploymentSchedule> {
        self.shown.schedules.get_or_insert_default()
    }
}

impl Deployments {
    pub(crate) fn get(&self, id: Uuid) -> Option<&Deployment> {
        self.rows.get(id)
    }

    /// The deployment of a name that belongs to a flow.
    pub(super) fn named(&self, flow: Uuid, name: &str) -> Option<&Deployment> {
        self.rows
            .find(|row| row.shown.flow_id == flow && row.shown.name == name)
    }

    /// Whether a flow has a deployment.
    pub(crate) fn has_flow(&self, flow: Uuid) -> bool {
        self.rows.find(|row| row.shown.flow_id == flow).is_some()
    }

    /// Takes all deployments out of a queue that is removed. Their rows keep its name.
    pub(crate) fn leave_queue(&mut self, queue: Uuid) {
        for row in self.rows.iter_mut() {
            if *row.shown.work_queue_id == Some(queue) {
                row.shown.work_queue_id = None.into();
            }
        }
    }
}
