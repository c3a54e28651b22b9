//! The latest artifact of each key.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::page;
use super::super::reply::{Refusal, Reply};
use super::super::world::{World, row};
use super::filters::{Row, sort};
use crate::types::{Artifact, ArtifactCollection};

/// Returns the latest artifact of a key; its id is that of the collection.
pub(super) fn read(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let collection = world.artifacts.collection(call.text("key"));
    let latest = collection.ok_or_else(|| Refusal::not_found("Artifact not found."))?;
    let mut shown: Artifact = row(json!({
        "id": latest.id, "created": *latest.created, "updated": *latest.updated, "key": latest.key,
        "type": *latest.type_, "description": *latest.description, "data": null,
        "metadata_": *latest.metadata_, "flow_run_id": *latest.flow_run_id,
        "task_run_id": *latest.task_run_id,
    }))?;
    shown.data = latest.data.clone();
    Ok(Reply::ok(&shown))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let mut rows = matching(world, &body)?;
    sort(&mut rows, &body)?;
    Ok(Reply::ok(&page::page(rows, &body)?))
}

pub(super) fn count(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(&matching(world, &call.json()?)?.len()))
}

fn matching<'a>(world: &'a World, body: &Value) -> Result<Vec<&'a ArtifactCollection>, Refusal> {
    world.select(&world.artifacts.collections, |row| row.fulfils(world, body))
}
