//! The rows of the collection: the latest artifact of each key.

use serde_json::json;
use uuid::Uuid;

use super::super::reply::Refusal;
use super::super::world::row;
use crate::types::{Artifact, ArtifactCollection};

/// The collection of this id in which an artifact is the latest.
pub(super) fn collect(artifact: &Artifact, id: Uuid) -> Result<ArtifactCollection, Refusal> {
    let mut collection: ArtifactCollection = row(json!({
        "id": id, "created": *artifact.created, "updated": *artifact.updated, "latest_id": artifact.id,
        "key": artifact.key.as_deref().unwrap_or_default(), "type": *artifact.type_,
        "description": *artifact.description, "data": null, "metadata_": *artifact.metadata_,
        "flow_run_id": *artifact.flow_run_id, "task_run_id": *artifact.task_run_id,
    }))?;
    collection.data = artifact.data.clone();
    Ok(collection)
}
