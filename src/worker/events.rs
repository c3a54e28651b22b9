//! The events that a worker emits about itself and its runs, as Prefect's own workers do.

use chrono::Utc;
use uuid::Uuid;

use super::environment::RunFacts;
use super::infrastructure::Exit;
use crate::client::Client;
use crate::types::{Event, RelatedResource, Resource, WorkPoolResponse};

/// The most tags of a run that its events name: the server takes 100 related resources.
const MAX_TAGS: usize = 90;

/// A worker, as events name it.
#[derive(Clone, Debug)]
pub(super) struct WorkerEvents {
    resource: Resource,
}

impl WorkerEvents {
    pub(super) fn new(name: &str, pool_type: &str) -> Self {
        let slug = slug(name);
        let version = concat!("prefect-sdk-rust/", env!("CARGO_PKG_VERSION"));
        Self {
            resource: labels([
                (
                    "prefect.resource.id",
                    &format!("prefect.worker.{pool_type}.{slug}"),
                ),
                ("prefect.resource.name", name),
                ("prefect.version", version),
                ("prefect.worker-type", pool_type),
            ]),
        }
    }

    /// The worker has begun to take runs.
    pub(super) fn started(&self, pool: &WorkPoolResponse) -> Event {
        self.event("prefect.worker.started", vec![of_pool(pool)])
    }

    /// The worker takes no more runs.
    pub(super) fn stopped(&self, pool: &WorkPoolResponse, started: &Event) -> Event {
        let stopped = self.event("prefect.worker.stopped", vec![of_pool(pool)]);
        stopped.following(started)
    }

    /// The infrastructure of a run is to be started.
    pub(super) fn submitted(&self, facts: &RunFacts<'_>) -> Event {
        self.event("prefect.worker.submitted-flow-run", related(facts, None))
    }

    /// The infrastructure of a run has ended.
    pub(super) fn executed(
        &self,
        facts: &RunFacts<'_>,
        id: &str,
        exit: Exit,
        submitted: &Event,
    ) -> Event {
        let executed = related(facts, Some((id, exit)));
        self.event("prefect.worker.executed-flow-run", executed)
            .following(submitted)
    }

    fn event(&self, name: &str, related: Vec<RelatedResource>) -> Event {
        Event::new(Utc::now(), name, self.resource.clone(), Uuid::new_v4())
            .related(related)
            .payload(serde_json::json!({}))
    }
}

/// Emits an event; what is wrong is logged, because nothing depends on it.
pub(super) async fn emit(client: &Client, event: Event) {
    if let Err(error) = client.events().emit(event).await {
        tracing::warn!(%error, "an event of the worker is lost");
    }
}

fn related(facts: &RunFacts<'_>, ended: Option<(&str, Exit)>) -> Vec<RelatedResource> {
    let RunFacts {
        run,
        flow,
        deployment,
        pool,
        ..
    } = facts;
    let mut related = Vec::new();
    let mut tags: Vec<&str> = Vec::new();
    if let Some(deployment) = deployment {
        related.push(resource("deployment", &deployment.id, &deployment.name));
    }
    related.push(resource("flow", &flow.id, &flow.name));
    let name = run.name.as_deref().unwrap_or_default();
    let mut of_run = resource("flow-run", &run.id, name);
    if let Some((id, exit)) = ended {
        let exit = exit.status_code().to_string();
        of_run.insert(
            "prefect.infrastructure.identifier".to_owned(),
            id.to_owned(),
        );
        of_run.insert("prefect.infrastructure.status-code".to_owned(), exit);
    }
    related.push(of_run);
    for of in [
        run.tags.as_ref(),
        flow.tags.as_ref(),
        deployment.and_then(|it| it.tags.as_ref()),
    ] {
        tags.extend(of.into_iter().flatten().map(String::as_str));
    }
    tags.sort_unstable();
    tags.dedup();
    related.extend(tags.into_iter().take(MAX_TAGS).map(|tag| {
        labels([
            ("prefect.resource.id", &format!("prefect.tag.{tag}")),
            ("prefect.resource.role", "tag"),
        ])
    }));
    related.push(of_pool(pool));
    related
}

fn of_pool(pool: &WorkPoolResponse) -> RelatedResource {
    resource("work-pool", &pool.id, &pool.name)
}

fn resource(role: &str, id: &Uuid, name: &str) -> RelatedResource {
    labels([
        ("prefect.resource.id", &format!("prefect.{role}.{id}")),
        ("prefect.resource.role", role),
        ("prefect.resource.name", name),
    ])
}

fn labels<const N: usize>(labels: [(&str, &str); N]) -> Resource {
    let labels = labels.into_iter();
    labels
        .map(|(label, value)| (label.to_owned(), value.to_owned()))
        .collect()
}

/// The name in lower case, with hyphens for everything but letters and digits.
fn slug(name: &str) -> String {
    let words = name.split(|char: char| !char.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty()).map(str::to_lowercase);
    words.collect::<Vec<_>>().join("-")
}
