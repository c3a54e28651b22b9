//! Counting flow runs by state. The API counts one set of runs at a time.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;

use super::FlowRuns;
use crate::error::{Error, Result};
use crate::query::{Query, value_mut};
use crate::types::{CountFlowRunsRequest, Operator, StateType};

impl FlowRuns<'_> {
    /// Counts all flow runs by state: `POST /flow_runs/count`, once for each state. Some runs only are counted by
    /// `count()` with filters, and [`by_state`](Query::by_state).
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// for (state, count) in client.flow_runs().count_by_state().await? {
    ///     println!("{count} runs are {}", state.as_str());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn count_by_state(self) -> Result<BTreeMap<StateType, i64>> {
        self.count().by_state().await
    }
}

impl Query<'_, CountFlowRunsRequest> {
    /// Counts what matches by state: `POST /flow_runs/count`, once for each state that the query asks for (by default,
    /// for each that this version knows), all at the same time. A state without runs is there with 0. The counts are
    /// those of slightly different moments.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) when the filter's parts are alternatives, so that the state
    /// would be one more of them. Otherwise any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::StateType;
    ///
    /// let counts = client.flow_runs().count().tag("nightly").by_state().await?;
    /// println!("{} have failed", counts[&StateType::Failed]);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn by_state(mut self) -> Result<BTreeMap<StateType, i64>> {
        let filter = value_mut(&mut self.request.flow_runs);
        let is_alternative = filter.operator == Some(Operator::Or);
        let state = value_mut(&mut filter.state);
        if is_alternative || state.operator == Some(Operator::Or) {
            return Err(Error::invalid_request(
                "runs cannot be counted by state if the parts of the filter are alternatives",
            ));
        }
        let types = value_mut(&mut state.type_);
        let asked = types.any_.take();
        // Some servers drop both conditions if there are two.
        let left_out = types.not_any_.take().unwrap_or_default();
        let mut states = asked.unwrap_or_else(|| StateType::KNOWN.to_vec());
        states.retain(|state| !left_out.contains(state));
        let counts = states.into_iter().map(|state| {
            let count = self.clone().state(state.clone());
            async move { Ok((state, count.await?)) }
        });
        try_join_all(counts).await.map(BTreeMap::from_iter)
    }
}
