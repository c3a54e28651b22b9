//! The events of changes of the latest artifacts. Artifacts without a key have none, nor has an update of one.

use serde::Serialize;
use uuid::Uuid;

use crate::testing::fake::lifecycle::{self, Change, Object};
use crate::testing::fake::world::World;
use crate::types::{ArtifactCollection, Json, RelatedResource};

#[derive(Serialize)]
struct Payload<'a> {
    key: &'a str,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    data: Option<&'a Json>,
    description: Option<&'a str>,
}

pub(super) fn emit(world: &mut World, change: Change, collection: &ArtifactCollection) {
    let runs = [
        ("flow-run", *collection.flow_run_id),
        ("task-run", *collection.task_run_id),
    ];
    let runs = runs
        .into_iter()
        .filter_map(|(kind, id)| Some(related(kind, id?, kind)));
    let latest = related("artifact", collection.latest_id, "latest");
    let object = Object {
        kind: "artifact-collection",
        id: collection.id,
        name: &collection.key,
        related: std::iter::once(latest).chain(runs).collect(),
    };
    let payload = Payload {
        key: &collection.key,
        kind: collection.type_.as_deref(),
        data: collection.data.as_ref(),
        description: collection.description.as_deref(),
    };
    lifecycle::emit(world, change, object, &payload);
}

fn related(kind: &str, id: Uuid, role: &str) -> RelatedResource {
    RelatedResource::from([
        ("prefect.resource.id".into(), format!("prefect.{kind}.{id}")),
        ("prefect.resource.role".into(), role.into()),
    ])
}
