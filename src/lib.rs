#![doc = include_str!("../README.md")]

mod api_url;
mod artifact;
mod automation;
mod background;
mod builder;
mod bulk;
mod client;
mod clock;
mod concurrency;
mod config;
mod detached;
mod doctor;
mod download;
mod emit;
mod error;
#[cfg(feature = "websocket")]
mod feed;
mod file;
mod handles;
#[cfg(feature = "local-server")]
mod local_server;
mod pager;
mod query;
pub mod raw;
mod retry;
mod runs;
#[cfg(feature = "schedules")]
mod schedule;
mod settings;
mod subscribe;
mod transport;
pub mod types;

pub use artifact::Artifact;
pub use automation::{
    Automation, EventTriggerBuilder, absence_of, actions, all_of, any_of, at_least, event, in_order,
};
pub use builder::ClientBuilder;
pub use bulk::{Bulk, Progress};
pub use client::Client;
pub use clock::Clock;
pub use concurrency::{
    Concurrency, HeldLimit, Holders, Names, RateLimit, Remedy, Slot, StuckSlots, Throttled,
};
pub use doctor::{Diagnosis, Finding, Verdict};
pub use download::Download;
pub use emit::{Delivered, Emitter, EmitterBuilder, Stats, WhenFull};
pub use error::{Error, ErrorKind, Result, ValidationIssue};
pub use handles::{
    Admin, Artifacts, Automations, BlockDocuments, BlockSchemas, BlockTypes, Collections,
    ConcurrencyLimits, DeploymentSchedules, Deployments, Events, FlowRunInputs, FlowRuns, Flows,
    GlobalConcurrencyLimits, Logs, SavedSearches, Schemas, TaskRuns, Variables, WorkPoolQueues,
    WorkPoolWorkers, WorkPools, WorkQueues,
};
#[cfg(feature = "local-server")]
pub use local_server::{LocalServer, LocalServerBuilder};
pub use pager::{Pager, Pages};
pub use query::Query;
/// The HTTP client inside; its `Method`, `StatusCode`, `Url` and `Request` are in this API.
pub use reqwest;
pub use retry::RetryPolicy;
pub use runs::{
    Answer, DeploymentRef, RunDeployment, RunMany, RunUpdate, StartedRun, Wait, Watch, is_terminal,
};
#[cfg(feature = "schedules")]
pub use schedule::Schedule;
pub use settings::{Origin, ServerType, Settings, Sources};
pub use subscribe::{Gap, Received, Subscribe, Subscription};
pub use transport::{Attempt, Intercepted, Interceptor};
