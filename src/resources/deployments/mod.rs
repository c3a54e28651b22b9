//! `Deployments`: defining, scheduling and running deployments.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! use prefect_sdk::types::DeploymentFlowRunCreate;
//!
//! let deployment = client.deployments().get_by_name("etl", "nightly").await?;
//! let runs = vec![DeploymentFlowRunCreate::new(); 10];
//! for run in client.deployments().run_many(deployment.id, runs).await {
//!     println!("{}", run?);
//! }
//! # Ok(())
//! # }
//! ```

generated!("deployments");

mod delete_many;
mod ensure;
mod parameter_check;
mod run;
mod run_many;
#[cfg(feature = "schedules")]
mod schedule;
mod schedule_update;

pub use generated::{DeploymentSchedules, Deployments};
pub use run::{DeploymentRef, RunDeployment};
pub use run_many::RunMany;
#[cfg(feature = "schedules")]
pub use schedule::Schedule;
#[cfg(all(feature = "schedules", feature = "testing"))]
pub(crate) use schedule::upcoming;
