#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_debug_implementations, unreachable_pub)]

pub mod client;
pub mod error;
#[cfg(feature = "flows")]
pub mod flow;
#[cfg(feature = "local-server")]
pub mod local_server;
pub mod logs;
pub mod query;
pub mod raw;
mod resources;
mod retry;
mod runtime;
#[cfg(feature = "flows")]
pub mod serve;
pub mod settings;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;
pub mod types;
#[cfg(feature = "worker")]
pub mod worker;

pub use client::{Client, ClientBuilder};
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "flows")]
pub use flow::Flow;
#[cfg(feature = "local-server")]
pub use local_server::LocalServer;
pub use query::{Bulk, Pager, Query};
/// The HTTP client inside; its `Method`, `StatusCode`, `Url` and `Request` are in this API.
pub use reqwest;
pub use resources::{
    admin, artifacts, automations, blocks, collections, concurrency, deployments, ensure, events,
    flow_runs, flows, saved_searches, schemas, task_runs, variables, work_pools,
};
pub use retry::RetryPolicy;
pub use settings::Settings;

#[doc = include_str!("../docs/coming-from-python.md")]
pub mod coming_from_python {}

#[cfg(feature = "testing")]
#[doc = include_str!("../docs/testing-your-code.md")]
pub mod testing_your_code {}

#[doc = include_str!("../docs/where-runs-run.md")]
pub mod where_runs_run {}
