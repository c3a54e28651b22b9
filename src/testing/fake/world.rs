//! `World`: a Prefect server without a database; its state is in memory, and its time is the kit's.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::artifacts::Artifacts;
use super::call::Call;
use super::concurrency::Limits;
use super::deployments::Deployments;
use super::events::Events;
use super::flow_run_inputs::Inputs;
use super::flow_runs::FlowRuns;
use super::logs::Logs;
use super::reply::{Refusal, Reply};
use super::table::Table;
use super::task_runs::TaskRuns;
use super::work_pools::WorkPools;
use crate::types::{Flow, Variable};

/// What executes one operation.
pub(super) type Handler = fn(&mut World, &Call<'_>) -> Result<Reply, Refusal>;

/// The state of the fake.
pub(crate) struct World {
    /// The time of the server.
    pub now: DateTime<Utc>,
    /// Whether the services of the server run, which change objects when time passes.
    pub has_services: bool,
    pub(crate) flows: Table<Flow>,
    pub(crate) flow_runs: FlowRuns,
    pub(crate) task_runs: TaskRuns,
    pub(crate) deployments: Deployments,
    pub(crate) work_pools: WorkPools,
    pub(crate) limits: Limits,
    pub(crate) variables: Table<Variable>,
    pub(crate) artifacts: Artifacts,
    pub(crate) logs: Logs,
    pub(crate) events: Events,
    pub(crate) inputs: Inputs,
}

impl World {
    pub(crate) fn new(now: DateTime<Utc>) -> Self {
        Self {
            now,
            has_services: true,
            flows: Table::default(),
            flow_runs: FlowRuns::default(),
            task_runs: TaskRuns::default(),
            deployments: Deployments::default(),
            work_pools: WorkPools::default(),
            limits: Limits::default(),
            variables: Table::default(),
            artifacts: Artifacts::default(),
            logs: Logs::default(),
            events: Events::default(),
            inputs: Inputs::default(),
        }
    }

    /// The rows of a table that fulfil a condition, in the order of their creation.
    pub(super) fn select<'a, R>(
        &self,
        table: &'a Table<R>,
        condition: impl Fn(&'a R) -> Result<bool, Refusal>,
    ) -> Result<Vec<&'a R>, Refusal> {
        let mut rows = Vec::new();
        for row in table.iter() {
            if condition(row)? {
                rows.push(row);
            }
        }
        Ok(rows)
    }
}

/// A row with these values. Keys that the types of another document lack stay in `extra`, and are sent all the same.
pub(super) fn row<R: DeserializeOwned>(values: Value) -> Result<R, Refusal> {
    serde_json::from_value(values).map_err(|error| {
        Refusal::unsupported(format!(
            "a reply of the document this SDK is built from ({error})"
        ))
    })
}
