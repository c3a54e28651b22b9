//! A process that serves its functions as deployments: Prefect's UI, API and schedules start runs of them here.
//!
//! Each [`Flow`](crate::Flow) becomes one or more deployments, [`Client::serve`](crate::Client::serve) keeps them served
//! until the process is asked to end. A run starts within about a tenth of a second, as a task of this process: there is no work pool, no
//! worker and no Python. Several processes may serve the same deployments.
//!
//! ```no_run
//! use prefect_sdk::flow::{BoxError, Flow, Run};
//! use prefect_sdk::Client;
//!
//! #[derive(serde::Deserialize)]
//! struct Parameters {
//!     day: String,
//! }
//!
//! async fn etl(run: Run, parameters: Parameters) -> Result<(), BoxError> {
//!     println!("{} of {}", run.name(), parameters.day);
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> prefect_sdk::Result<()> {
//!     let client = Client::from_env()?;
//!     let etl = Flow::new("etl", etl).retries(2);
//!     let by_hand = etl.deployment("by-hand").tags(["rust"]).concurrency_limit(1);
//!     client.serve().add(by_hand).limit(8).run().await?;
//!     Ok(())
//! }
//! ```

mod deployment;
mod options;
#[cfg(feature = "schema")]
mod schema;
#[allow(
    clippy::module_inception,
    reason = "the file holds the type that the module is named after"
)]
mod serve;
mod server;
mod shutdown;
mod stats;
mod stops;
mod triggers;

pub use deployment::FlowDeployment;
pub use serve::Serve;
pub use server::{Server, ServerHandle};
pub use shutdown::Shutdown;
pub use stats::ServeStats;
#[cfg(feature = "worker")]
pub(crate) use stops::{StopSender, Stops};
