//! Bulk operations on flow runs: deleting them, and setting their states.

use futures_core::future::BoxFuture;
use uuid::Uuid;

use crate::client::Client;
use crate::error::Result;
use crate::query::{Bulk, BulkRequest, Query, bulk_request};
use crate::types::{
    BulkDeleteFlowRunsRequest, BulkSetFlowRunStateRequest, CountFlowRunsRequest, Field,
    FlowRunFilter, FlowRunFilterId, FlowRunOrchestrationResult, FlowRunResponse, FlowRunSort,
    Operator, ReadFlowRunsRequest,
};

bulk_request! {
    BulkDeleteFlowRunsRequest { flow_runs: FlowRunFilter by FlowRunFilterId }
    lists ReadFlowRunsRequest of FlowRunResponse by FlowRunSort::IdDesc, counts CountFlowRunsRequest,
    bulk_delete_flow_runs gives Uuid, in deleted
}

bulk_request! {
    BulkSetFlowRunStateRequest { flow_runs: FlowRunFilter by FlowRunFilterId }
    lists ReadFlowRunsRequest of FlowRunResponse by FlowRunSort::IdDesc, counts CountFlowRunsRequest,
    bulk_set_flow_run_state gives FlowRunOrchestrationResult, in results
}

impl Bulk<'_, BulkSetFlowRunStateRequest> {
    /// Sets the state without applying the server's rules. Default: the rules are applied.
    pub fn force(mut self, force: bool) -> Self {
        self.work = self.work.force(force);
        self
    }
}
