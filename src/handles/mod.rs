//! The handles: the operations of the API, by resource. The build writes them, from
//! `openapi/handles.yaml`; what is written by hand is here, in the file of each.

mod automations;
mod block_schemas;
mod block_types;
mod concurrency_limits;
mod deployment_schedules;
mod ensure;
mod events;
mod flow_run_inputs;
mod flow_runs;
mod global_concurrency_limits;
mod server;
mod variables;
mod work_pools;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use progenitor_client::ResponseValue;
use uuid::Uuid;

use crate::bulk::{Bulk, Conditions};
use crate::error::{Result, found};
use crate::pager::{Page, Position};
use crate::query::{
    Listing, Pending, Query, Question, conditions, count, list, pages, setters, slot,
};
use crate::raw;
// The generated text names most of the types.
use crate::types::*;

include!(concat!(env!("OUT_DIR"), "/handles.rs"));
