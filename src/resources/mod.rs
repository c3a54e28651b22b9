//! The resources of the API, one public module each: what the build generates from
//! `openapi/resources.yaml`, and the methods that are written by hand beside it.

/// Includes the generated part of a resource module.
macro_rules! generated {
    ($module:literal) => {
        mod generated {
            use super::super::names::*;

            include!(concat!(env!("OUT_DIR"), "/resources/", $module, ".rs"));
        }
    };
}

pub mod admin;
pub mod artifacts;
pub mod automations;
pub mod blocks;
pub mod collections;
pub mod concurrency;
pub mod deployments;
pub mod ensure;
pub mod events;
pub mod flow_runs;
pub mod flows;
pub(crate) mod logs;
mod outage;
pub mod saved_searches;
pub mod schemas;
mod seen_window;
pub(crate) mod server_time;
pub mod task_runs;
pub mod variables;
pub mod work_pools;

#[cfg(feature = "worker")]
pub(crate) use outage::through_outages;

/// The names that the generated text uses; not each module uses all.
#[allow(unused_imports)]
mod names {
    pub(super) use std::collections::BTreeMap;
    pub(super) use std::sync::Arc;

    pub(super) use chrono::{DateTime, Utc};
    pub(super) use futures_core::future::BoxFuture;
    pub(super) use uuid::Uuid;

    pub(super) use crate::error::Result;
    pub(crate) use crate::error::none_if_missing;
    pub(super) use crate::query::{Bulk, Query};
    pub(crate) use crate::query::{
        Conditions, ListRequest, Page, Parameter, Position, QueryRequest, conditions, count, list,
        pager, pages, parameters, setters, value_mut,
    };
    pub(super) use crate::raw::{self, Response};
    pub(super) use crate::types::*;
}
