//! `Source`: where runs are polled for.

use std::fmt;

use chrono::{DateTime, Utc};
use futures_core::future::BoxFuture;
use uuid::Uuid;

use crate::client::Client;
use crate::error::Result;
use crate::raw::Response;
use crate::types::{
    EventFilter, EventFilterRelated, EventNameFilter, EventRelatedFilter, FlowRunResponse,
    GetScheduledFlowRunsForDeploymentsRequest, GetScheduledFlowRunsRequest, LabelMatch,
    ResourceSpecification, WorkerFlowRunResponse,
};

/// The most runs that one poll returns: as many as a server returns unless it is configured otherwise.
pub(super) const MAX_RUNS: usize = 200;

/// The most deployments whose events a filter names.
const MAX_FILTERED_DEPLOYMENTS: usize = 100;

/// The names of the states in which runs wait to be taken, and that are reported by events.
const WAITING_STATES: [&str; 3] = [
    "prefect.flow-run.Scheduled",
    "prefect.flow-run.Resuming",
    "prefect.flow-run.AwaitingRetry",
];

/// Where runs are polled for.
pub trait Source: fmt::Debug + Send + Sync {
    /// The runs that are found there.
    type Run;

    /// Returns the runs that are scheduled before this time; at most [`MAX_RUNS`] if that is to be said.
    fn poll<'a>(
        &'a self,
        client: &'a Client,
        before: DateTime<Utc>,
        has_limit: bool,
    ) -> BoxFuture<'a, Result<Response<Vec<Self::Run>>>>;

    /// What events that report a run to be taken are related to.
    fn related(&self) -> EventRelatedFilter;

    /// The events that report a run to be taken.
    fn events(&self) -> EventFilter {
        let names = WAITING_STATES.map(str::to_owned).to_vec();
        EventFilter::new()
            .event(EventNameFilter::new().name(names))
            .related(EventFilterRelated::EventRelatedFilter(self.related()))
    }
}

/// The deployments with these ids.
#[derive(Debug)]
pub struct OfDeployments(pub(super) Vec<Uuid>);

impl Source for OfDeployments {
    type Run = FlowRunResponse;

    #[inline]
    fn poll<'a>(
        &'a self,
        client: &'a Client,
        before: DateTime<Utc>,
        has_limit: bool,
    ) -> BoxFuture<'a, Result<Response<Vec<FlowRunResponse>>>> {
        Box::pin(async move {
            let mut wanted = GetScheduledFlowRunsForDeploymentsRequest::new(self.0.clone())
                .scheduled_before(before);
            wanted.limit = has_limit.then_some(MAX_RUNS as i64);
            let raw = client.raw();
            raw.get_scheduled_flow_runs_for_deployments(&wanted).await
        })
    }

    fn related(&self) -> EventRelatedFilter {
        if self.0.len() > MAX_FILTERED_DEPLOYMENTS {
            return EventRelatedFilter::new().role(vec!["deployment".to_owned()]);
        }
        let ids = self.0.iter().map(|id| format!("prefect.deployment.{id}"));
        EventRelatedFilter::new().id(ids.collect::<Vec<_>>())
    }
}

/// The work pool with this name, or some of its queues.
#[derive(Debug)]
pub struct OfPool {
    pub(super) name: String,
    pub(super) queues: Vec<String>,
}

impl Source for OfPool {
    type Run = WorkerFlowRunResponse;

    #[inline]
    fn poll<'a>(
        &'a self,
        client: &'a Client,
        before: DateTime<Utc>,
        has_limit: bool,
    ) -> BoxFuture<'a, Result<Response<Vec<WorkerFlowRunResponse>>>> {
        Box::pin(async move {
            let mut wanted = GetScheduledFlowRunsRequest::new()
                .work_queue_names(self.queues.clone())
                .scheduled_before(before);
            wanted.limit = has_limit.then_some(MAX_RUNS as i64);
            let raw = client.raw();
            raw.get_scheduled_flow_runs(&self.name, &wanted).await
        })
    }

    fn related(&self) -> EventRelatedFilter {
        let labels = [
            ("prefect.resource.role", "work-pool"),
            ("prefect.resource.name", &self.name),
        ];
        let labels =
            labels.map(|(label, value)| (label.to_owned(), LabelMatch::Text(value.to_owned())));
        EventRelatedFilter::new().labels(ResourceSpecification::from_iter(labels))
    }
}
