//! `RunContext`: what events, log lines and artifacts of a run say of it.

use chrono::{DateTime, Utc};
use tracing::Span;
use uuid::Uuid;

use crate::types::{Event, FlowRunResponse, RelatedResource, Resource};

/// The most tags of a run that its events name: the server takes 100 related resources.
const MAX_TAGS: usize = 90;

/// What is known of a run when it begins.
#[derive(Clone, Debug)]
pub(super) struct RunContext {
    pub id: Uuid,
    pub name: String,
    pub flow_id: Uuid,
    pub flow_name: String,
    pub deployment_id: Option<Uuid>,
    pub tags: Vec<String>,
    /// How often the run was begun, with this time.
    pub run_count: i64,
}

impl RunContext {
    pub(super) fn new(run: &FlowRunResponse, flow_name: &str) -> Self {
        Self {
            id: run.id,
            name: run.name.clone().unwrap_or_default(),
            flow_id: run.flow_id,
            flow_name: flow_name.to_owned(),
            deployment_id: *run.deployment_id,
            tags: run.tags.clone().unwrap_or_default(),
            run_count: run.run_count.unwrap_or(1),
        }
    }

    /// The resource of the run itself.
    fn resource(&self) -> Resource {
        resource([
            (
                "prefect.resource.id",
                format!("prefect.flow-run.{}", self.id),
            ),
            ("prefect.resource.name", self.name.clone()),
        ])
    }

    /// The run as a related resource.
    fn related_run(&self) -> RelatedResource {
        let mut run = self.resource();
        run.insert("prefect.resource.role".to_owned(), "flow-run".to_owned());
        run
    }

    /// The flow, the deployment and the tags of the run.
    fn related_to_run(&self) -> Vec<RelatedResource> {
        let mut related = vec![resource([
            (
                "prefect.resource.id",
                format!("prefect.flow.{}", self.flow_id),
            ),
            ("prefect.resource.role", "flow".to_owned()),
            ("prefect.resource.name", self.flow_name.clone()),
        ])];
        if let Some(id) = self.deployment_id {
            related.push(resource([
                ("prefect.resource.id", format!("prefect.deployment.{id}")),
                ("prefect.resource.role", "deployment".to_owned()),
            ]));
        }
        related.extend(self.tags.iter().take(MAX_TAGS).map(|tag| tag_resource(tag)));
        related
    }

    /// What an event about something else is related to.
    pub(super) fn related(&self) -> Vec<RelatedResource> {
        let mut related = vec![self.related_run()];
        related.extend(self.related_to_run());
        related
    }

    /// The span of the run, by which the layer of `logs` finds it. Its level is that of errors so that no filter of levels
    /// turns it off.
    pub(super) fn span(&self) -> Span {
        tracing::error_span!(
            target: "prefect_sdk::run",
            parent: None,
            "flow_run",
            flow_run_id = %self.id,
            name = %self.name,
        )
    }

    /// The event that this process is alive.
    pub(super) fn heartbeat(&self, now: DateTime<Utc>) -> Event {
        let mut resource = self.resource();
        let version = concat!("prefect-sdk-rust/", env!("CARGO_PKG_VERSION"));
        resource.insert("prefect.version".to_owned(), version.to_owned());
        let name = "prefect.flow-run.heartbeat";
        Event::new(now, name, resource, Uuid::new_v4())
            .related(self.related_to_run())
            .payload(serde_json::json!({}))
    }
}

/// A tag as a related resource.
pub(super) fn tag_resource(tag: &str) -> RelatedResource {
    resource([
        ("prefect.resource.id", format!("prefect.tag.{tag}")),
        ("prefect.resource.role", "tag".to_owned()),
    ])
}

/// A resource with these labels.
pub(super) fn resource<const N: usize>(labels: [(&str, String); N]) -> Resource {
    let labels = labels.into_iter();
    labels
        .map(|(label, value)| (label.to_owned(), value))
        .collect()
}
