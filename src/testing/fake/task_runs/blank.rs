//! A task run of which nothing is known yet.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::policy;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::row;
use crate::types::TaskRun;

/// A task run with nothing but its id, as the server creates one.
pub(super) fn blank(id: Uuid, now: DateTime<Utc>) -> Result<TaskRun, Refusal> {
    row(json!({
        "id": id, "created": now, "updated": now, "name": "", "flow_run_id": null, "task_key": "", "dynamic_key": "",
        "cache_key": null, "cache_expiration": null, "task_version": null,
        "empirical_policy": policy::complete(None)?, "tags": [], "labels": null, "state_id": null, "task_inputs": {},
        "state_type": null, "state_name": null, "run_count": 0, "flow_run_run_count": 0, "expected_start_time": null,
        "next_scheduled_start_time": null, "start_time": null, "end_time": null, "total_run_time": 0.0,
        "estimated_run_time": 0.0, "estimated_start_time_delta": 0.0, "state": null,
    }))
}
