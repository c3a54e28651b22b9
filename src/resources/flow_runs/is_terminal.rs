//! Whether a run has ended.

use crate::types::{FlowRunResponse, StateType};

/// Whether a run has ended: it is COMPLETED, FAILED, CANCELLED or CRASHED.
///
/// ```
/// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
/// let run = client.flow_runs().get(id).await?;
/// println!("has ended: {}", prefect_sdk::flow_runs::is_terminal(&run));
/// # Ok(())
/// # }
/// ```
pub fn is_terminal(run: &FlowRunResponse) -> bool {
    run.state_type.as_ref().is_some_and(StateType::is_terminal)
}
