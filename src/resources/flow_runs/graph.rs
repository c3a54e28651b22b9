//! The newest part of a flow run's graph.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::generated::FlowRuns;
use crate::error::Result;
use crate::raw::Response;
use crate::types::Graph;

impl FlowRuns<'_> {
    /// Reads the graph of a run, with only the runs that started or ended after this time:
    /// `GET /flow_runs/{id}/graph-v2`.
    ///
    /// # Errors
    ///
    /// The errors of [`graph`](Self::graph).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let a_minute_ago = chrono::Utc::now() - chrono::Duration::minutes(1);
    /// let graph = client.flow_runs().graph_since(id, a_minute_ago).await?;
    /// println!("{} nodes", graph.nodes.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn graph_since(self, id: Uuid, since: DateTime<Utc>) -> Result<Graph> {
        let raw = self.client.raw();
        let reply = raw.read_flow_run_graph_v2(&id, Some(&since)).await;
        reply.map(Response::into_inner)
    }
}
