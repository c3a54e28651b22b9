//! `FlowRuns`: waiting for flow runs, watching them, and controlling them.
//!
//! [`FlowRuns`] has the operations on any run. A [`FlowRunHandle`] represents one live run;
//! [`Deployments::run`](crate::deployments::Deployments::run) returns one.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! let run = client.deployments().run("etl/nightly").send().await?;
//! let ended = run.wait().success().await?;
//! println!("{} took {:?}", ended.id, ended.total_run_time);
//! # Ok(())
//! # }
//! ```

generated!("flow_runs");

mod bulk;
mod cancel;
mod claim;
mod count_by_state;
mod due_runs;
mod follower;
mod graph;
mod handle;
mod inputs;
mod is_terminal;
mod log_cursor;
mod log_download;
mod next_poll;
mod pause;
mod poll_plan;
mod proposal;
mod result;
mod retry;
mod run_poller;
mod run_subscription;
mod run_update;
mod wait;
mod watch;

pub use due_runs::{DueRun, DueRuns, PollStatus, Scheduled};
pub use generated::{FlowRunInputs, FlowRuns};
pub use handle::FlowRunHandle;
pub use is_terminal::is_terminal;
pub use proposal::ProposalOutcome;
#[cfg(feature = "flows")]
pub(crate) use proposal::has_transition;
pub use run_update::RunUpdate;
pub use wait::Wait;
pub use watch::Watch;
