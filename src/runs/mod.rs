//! Flow runs: starting them, waiting for them, watching them, and telling them what to do.

mod answer;
mod chunk;
mod control;
mod creation;
mod many;
mod monitor;
mod parameters;
mod side_by_side;
mod start;
mod started;
mod wait;
mod watch;

pub use answer::Answer;
pub use many::RunMany;
pub(crate) use monitor::Monitor;
pub use start::{DeploymentRef, RunDeployment};
pub use started::StartedRun;
pub use wait::Wait;
pub use watch::{RunUpdate, Watch};

use crate::types::{FlowRunResponse, StateType};

/// Whether a run has ended: it is COMPLETED, FAILED, CANCELLED or CRASHED.
///
/// ```
/// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
/// let run = client.flow_runs().get(id).await?;
/// println!("has ended: {}", prefect_sdk::is_terminal(&run));
/// # Ok(())
/// # }
/// ```
pub fn is_terminal(run: &FlowRunResponse) -> bool {
    run.state_type.as_ref().is_some_and(has_ended)
}

pub(crate) fn has_ended(state: &StateType) -> bool {
    matches!(
        state,
        StateType::Completed | StateType::Failed | StateType::Cancelled | StateType::Crashed
    )
}
