//! What the runs that are planned, and those that are asked for, take from their deployment.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::row::Deployment;
use crate::testing::fake::world::World;
use crate::types::{Json, Scalar};

/// The labels of a run beside those that every run of the deployment gets.
pub(super) fn run_labels(
    row: &Deployment,
    given: Option<BTreeMap<String, Scalar>>,
) -> BTreeMap<String, Scalar> {
    let mut labels = row.shown.labels.clone().unwrap_or_default();
    // The server's own are those of the run, whatever the deployment calls so.
    labels.remove("prefect.flow.id");
    labels.remove("prefect.deployment.id");
    labels.extend(given.unwrap_or_default());
    labels
}

/// Keeps the name of a queue that the row of a new run has.
pub(super) fn keep_name(world: &mut World, run: Uuid, name: Option<String>) {
    let Some(name) = name else {
        return;
    };
    if let Some(row) = world.flow_runs.rows.get_mut(run)
        && row.shown.work_queue_id.is_none()
    {
        row.shown.work_queue_name = name.clone().into();
    }
    world.work_pools.stored_names.insert(run, name);
}

/// The parameters of the deployment, and over them those of the schedule.
pub(super) fn merged(own: Option<&Json>, over: Option<&Json>) -> Json {
    type Members = BTreeMap<String, Json>;
    let members = |json: Option<&Json>| json.and_then(|json| json.parse::<Members>().ok());
    let mut all = members(own).unwrap_or_default();
    all.extend(members(over).unwrap_or_default());
    // By its text, which keeps the numbers.
    let text = serde_json::to_string(&all).unwrap_or_default();
    Json::from_text(text).unwrap_or_default()
}
