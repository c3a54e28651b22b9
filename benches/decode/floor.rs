//! The reply as hand-written structs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

#[derive(Serialize, Deserialize)]
pub struct FlowRunResponse<J> {
    pub flow_id: Uuid,
    pub id: Uuid,
    pub created: Option<DateTime<Utc>>,
    pub updated: Option<DateTime<Utc>>,
    pub auto_scheduled: Option<bool>,
    pub context: Option<J>,
    pub created_by: Option<CreatedBy>,
    pub deployment_id: Option<Uuid>,
    pub deployment_version: Option<String>,
    pub empirical_policy: Option<FlowRunPolicy>,
    pub end_time: Option<DateTime<Utc>>,
    pub estimated_run_time: Option<f64>,
    pub estimated_start_time_delta: Option<f64>,
    pub expected_start_time: Option<DateTime<Utc>>,
    pub flow_version: Option<String>,
    pub idempotency_key: Option<String>,
    pub infrastructure_document_id: Option<Uuid>,
    pub infrastructure_pid: Option<String>,
    pub job_variables: Option<J>,
    pub labels: Option<BTreeMap<String, Scalar>>,
    pub name: Option<String>,
    pub next_scheduled_start_time: Option<DateTime<Utc>>,
    pub parameters: Option<J>,
    pub parent_task_run_id: Option<Uuid>,
    pub run_count: Option<i64>,
    pub start_time: Option<DateTime<Utc>>,
    pub state: Option<State<J>>,
    pub state_id: Option<Uuid>,
    pub state_name: Option<String>,
    pub state_type: Option<String>,
    pub tags: Option<Vec<String>>,
    pub total_run_time: Option<f64>,
    pub work_pool_id: Option<Uuid>,
    pub work_pool_name: Option<String>,
    pub work_queue_id: Option<Uuid>,
    pub work_queue_name: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub struct CreatedBy {
    pub display_value: Option<String>,
    pub id: Option<Uuid>,
    #[serde(rename = "type")]
    pub type_: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub struct FlowRunPolicy {
    pub max_retries: Option<i64>,
    pub pause_keys: Option<Vec<String>>,
    pub resuming: Option<bool>,
    pub retries: Option<i64>,
    pub retry_delay: Option<i64>,
    pub retry_delay_seconds: Option<f64>,
    pub retry_type: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub struct State<J> {
    #[serde(rename = "type")]
    pub type_: String,
    pub id: Uuid,
    pub data: Option<J>,
    pub message: Option<String>,
    pub name: Option<String>,
    pub state_details: Option<StateDetails>,
    pub timestamp: Option<DateTime<Utc>>,
}

#[derive(Serialize, Deserialize)]
pub struct StateDetails {
    pub cache_expiration: Option<DateTime<Utc>>,
    pub cache_key: Option<String>,
    pub child_flow_run_id: Option<Uuid>,
    pub deferred: Option<bool>,
    pub deployment_concurrency_lease_id: Option<Uuid>,
    pub flow_run_id: Option<Uuid>,
    pub pause_key: Option<String>,
    pub pause_reschedule: Option<bool>,
    pub pause_timeout: Option<DateTime<Utc>>,
    pub refresh_cache: Option<bool>,
    pub retriable: Option<bool>,
    pub run_input_keyset: Option<BTreeMap<String, String>>,
    pub scheduled_time: Option<DateTime<Utc>>,
    pub task_parameters_id: Option<Uuid>,
    pub task_run_id: Option<Uuid>,
    pub traceparent: Option<String>,
    pub transition_id: Option<Uuid>,
    pub untrackable_result: Option<bool>,
}
