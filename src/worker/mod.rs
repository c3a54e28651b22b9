//! A worker: takes the runs of a work pool, and starts the infrastructure of each, such as a process.
//!
//! [`Client::worker`](crate::Client::worker) does what Prefect's own workers do, for any [`Infrastructure`]:
//! [`ProcessInfrastructure`] starts commands on this machine, and one's own starts whatever else there is.
//!
//! ```no_run
//! use prefect_sdk::Client;
//! use prefect_sdk::worker::ProcessInfrastructure;
//!
//! #[tokio::main]
//! async fn main() -> prefect_sdk::Result<()> {
//!     let client = Client::from_env()?;
//!     client.worker("rust-pool", ProcessInfrastructure::new()).create_pool().limit(4).run().await?;
//!     Ok(())
//! }
//! ```

mod builder;
mod configuration;
mod ending;
mod environment;
mod events;
mod infrastructure;
mod job;
mod options;
mod output;
mod presence;
mod process;
mod report;
mod run;
mod shared;
mod stats;
mod template;
#[allow(
    clippy::module_inception,
    reason = "the file holds the type that the module is named after"
)]
mod worker;

pub use builder::Worker;
pub use infrastructure::{Exit, Infrastructure};
pub use job::Job;
pub use output::JobOutput;
pub use process::ProcessInfrastructure;
pub use stats::WorkerStats;
pub use worker::{RunningWorker, WorkerHandle};
