//! Bulk operations on flow runs: deleting them, and setting their states.

use chrono::{DateTime, TimeDelta, Utc};
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

macro_rules! older_than {
    ($($request:ident)*) => {$(
        impl Bulk<'_, $request> {
            /// Sets `flow_runs.end_time.before_` to this time ago, by the clock of this computer: runs that ended before.
            pub fn older_than(self, age: std::time::Duration) -> Self {
                let earliest = DateTime::<Utc>::MIN_UTC;
                let age = TimeDelta::from_std(age).ok();
                let time = age.and_then(|age| Utc::now().checked_sub_signed(age));
                // A year that no server knows is refused when the request is sent.
                self.ended_until(time.unwrap_or(earliest))
            }
        }
    )*};
}

older_than!(BulkDeleteFlowRunsRequest BulkSetFlowRunStateRequest);

impl Bulk<'_, BulkSetFlowRunStateRequest> {
    /// Sets the state without applying the server's rules. Default: the rules are applied.
    pub fn force(mut self, force: bool) -> Self {
        self.work = self.work.force(force);
        self
    }
}
