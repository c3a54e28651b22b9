//! The requests for bulk work: how each lists, counts and names what it is about.

use uuid::Uuid;

use super::BulkRequest;
use crate::client::Client;
use crate::query::{Pending, Query};
use crate::types::{
    BulkDeleteDeploymentsRequest, BulkDeleteFlowRunsRequest, BulkDeleteFlowsRequest,
    BulkSetFlowRunStateRequest, CountDeploymentsRequest, CountFlowRunsRequest, CountFlowsRequest,
    DeploymentFilter, DeploymentFilterId, DeploymentResponse, DeploymentSort, Field, Flow,
    FlowFilter, FlowFilterId, FlowRunFilter, FlowRunFilterId, FlowRunOrchestrationResult,
    FlowRunResponse, FlowRunSort, FlowSort, Operator, ReadDeploymentsRequest, ReadFlowRunsRequest,
    ReadFlowsRequest,
};

macro_rules! bulk {
    (
        $request:ident { $field:ident: $filter:ident by $ids:ident }
        lists $list:ident of $item:ident by $sort:expr, counts $count:ident,
        $operation:ident gives $outcome:ty, in $outcomes:ident
    ) => {
        impl BulkRequest for $request {
            type Outcome = $outcome;
            type List = $list;
            type Count = $count;

            fn sorted(list: $list) -> $list {
                list.sort($sort)
            }

            fn id(item: &$item) -> Uuid {
                item.id
            }

            fn only(&self, list: &$list, ids: &[Uuid]) -> Self {
                // Beside other alternatives, the ids would not narrow anything.
                let kept = list
                    .$field
                    .as_ref()
                    .filter(|filter| filter.operator != Some(Operator::Or));
                let mut filter = kept.cloned().unwrap_or_default();
                let by_id = filter.id.take().unwrap_or_default();
                filter.id = Field::value($ids {
                    any_: Field::value(ids.to_vec()),
                    ..by_id
                });
                Self {
                    $field: filter.into(),
                    ..self.clone()
                }
                .limit(ids.len() as i64)
            }

            fn send<'a>(self, client: &'a Client, ids: &'a [Uuid]) -> Pending<'a, Vec<$outcome>> {
                Box::pin(async move {
                    let reply = client.raw().$operation(&self).await?.into_inner();
                    let outcomes = reply.$outcomes.unwrap_or_default();
                    bulk!(@complete $outcomes client outcomes ids $list { $field: $filter by $ids })
                })
            }
        }
    };
    // When a request was repeated, its reply has only what the last attempt deleted.
    (@complete deleted $client:ident $deleted:ident $all:ident $list:ident
        { $field:ident: $filter:ident by $ids:ident }
    ) => {{
        if $deleted.len() == $all.len() {
            return Ok($deleted);
        }
        let by_id = $filter::new().id($ids::new().any_($all.to_vec()));
        let list = $list::new().$field(by_id);
        let left = Query::new($client, (), list).await?;
        let left: Vec<_> = left.into_iter().map(|item| item.id).collect();
        Ok($all.iter().filter(|id| !left.contains(id)).copied().collect())
    }};
    // Each proposal has its answer, and none is repeated.
    (@complete results $client:ident $results:ident $all:ident $($any:tt)*) => {{
        let _ = $all;
        Ok($results)
    }};
}

bulk! {
    BulkDeleteFlowRunsRequest { flow_runs: FlowRunFilter by FlowRunFilterId }
    lists ReadFlowRunsRequest of FlowRunResponse by FlowRunSort::IdDesc, counts CountFlowRunsRequest,
    bulk_delete_flow_runs gives Uuid, in deleted
}

bulk! {
    BulkSetFlowRunStateRequest { flow_runs: FlowRunFilter by FlowRunFilterId }
    lists ReadFlowRunsRequest of FlowRunResponse by FlowRunSort::IdDesc, counts CountFlowRunsRequest,
    bulk_set_flow_run_state gives FlowRunOrchestrationResult, in results
}

bulk! {
    BulkDeleteFlowsRequest { flows: FlowFilter by FlowFilterId }
    lists ReadFlowsRequest of Flow by FlowSort::CreatedDesc, counts CountFlowsRequest,
    bulk_delete_flows gives Uuid, in deleted
}

bulk! {
    BulkDeleteDeploymentsRequest { deployments: DeploymentFilter by DeploymentFilterId }
    lists ReadDeploymentsRequest of DeploymentResponse by DeploymentSort::CreatedDesc, counts CountDeploymentsRequest,
    bulk_delete_deployments gives Uuid, in deleted
}
