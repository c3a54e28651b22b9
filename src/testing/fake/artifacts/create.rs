//! The creation of artifacts: by a request, and of the data of a state.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::call::Call;
use super::super::lifecycle::Change;
use super::super::reply::{Refusal, Reply};
use super::super::world::{World, row};
use super::affinity::stored;
use super::collection::collect;
use super::events;
use crate::types::{Artifact, ArtifactCreate, Json};

/// The longest value of the metadata, in characters; longer ones are cut.
const LONGEST_METADATA: usize = 500;

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: ArtifactCreate = call.body()?;
    // Python's `$` lets one line feed at the end pass.
    let key = body
        .key
        .as_deref()
        .map(|key| key.strip_suffix('\n').unwrap_or(key));
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if key.is_some_and(|key| !key.chars().all(is_allowed)) {
        let text =
            "Value error, Artifact key must only contain lowercase letters, numbers, and dashes.";
        return Err(Refusal::invalid(&["body", "key"], "value_error", text));
    }
    let mut artifact = empty(world)?;
    artifact.key = body.key.into_option().into();
    artifact.type_ = body.type_.into_option().into();
    artifact.description = body.description.into_option().into();
    artifact.data = Some(stored(body.data.unwrap_or_else(Json::null)));
    artifact.metadata_ = body.metadata_.into_option().map(cut).into();
    artifact.flow_run_id = body.flow_run_id.into_option().into();
    artifact.task_run_id = body.task_run_id.into_option().into();
    let reply = Reply::created(&artifact);
    add(world, artifact)?;
    Ok(reply)
}

/// The artifact that the server has made of the data of a state.
pub(crate) struct ResultArtifact {
    /// The data as the server returns it with the state from then on: without the keys that describe the artifact.
    ///
    /// The server keeps it with the artifact only, so who changes or deletes the artifact changes the state; the fake refuses that.
    pub data: Json,
}

/// Makes an artifact of the data of a state that a run enters; not to be called for data that is null, or says of itself that it
/// is not persisted.
pub(crate) fn of_result(
    world: &mut World,
    flow_run: Option<Uuid>,
    task_run: Option<Uuid>,
    data: &Json,
) -> Result<ResultArtifact, Refusal> {
    let mut artifact = empty(world)?;
    let mut data = data.clone();
    if let Ok(mut keys) = data.parse::<BTreeMap<String, Json>>() {
        let all = keys.len();
        artifact.key = describing(&mut keys, "artifact_key")?.into();
        artifact.type_ = describing(&mut keys, "artifact_type")?.into();
        artifact.description = describing(&mut keys, "artifact_description")?.into();
        if keys.len() < all {
            data = Json::new(&keys).unwrap_or(data);
        }
    }
    artifact.flow_run_id = flow_run.into();
    artifact.task_run_id = task_run.into();
    let data = stored(data);
    artifact.data = Some(data.clone());
    let id = add(world, artifact)?;
    world.artifacts.results.insert(id);
    Ok(ResultArtifact { data })
}

/// Takes a key that describes the artifact out of the data. What is empty in Python's eyes counts for nothing; no key is checked.
fn describing(keys: &mut BTreeMap<String, Json>, key: &str) -> Result<Option<String>, Refusal> {
    let value = keys.remove(key).and_then(|value| value.to_value().ok());
    match value.unwrap_or_default() {
        Value::Null | Value::Bool(false) => Ok(None),
        Value::String(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Value::Number(number) if number.as_f64() == Some(0.0) => Ok(None),
        Value::Array(list) if list.is_empty() => Ok(None),
        Value::Object(map) if map.is_empty() => Ok(None),
        // The server ends the transition with the text of pydantic's error.
        _ => Err(Refusal::unsupported(format!(
            "a `{key}` in the data of a state that is no text"
        ))),
    }
}

fn empty(world: &World) -> Result<Artifact, Refusal> {
    row(json!({
        "id": Uuid::new_v4(), "created": world.now, "updated": world.now, "key": null, "type": null,
        "description": null, "data": null, "metadata_": null, "flow_run_id": null, "task_run_id": null,
    }))
}

/// Adds an artifact; one with a key becomes the latest of it.
fn add(world: &mut World, artifact: Artifact) -> Result<Uuid, Refusal> {
    let id = artifact.id.unwrap_or_default();
    if let Some(key) = artifact.key.as_deref() {
        let before = world.artifacts.collection(key);
        let before = before.map(|collection| (collection.id, collection.created));
        let collection = before.as_ref().map_or_else(Uuid::new_v4, |(id, _)| *id);
        let mut collection = collect(&artifact, collection)?;
        let change = before.as_ref().map_or(Change::Created, |_| Change::Updated);
        if let Some((_, created)) = before {
            collection.created = created;
        }
        events::emit(world, change, &collection);
        world.artifacts.set_collection(collection);
    }
    world.artifacts.rows.insert(id, artifact);
    Ok(id)
}

pub(super) fn cut(metadata: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let cut = |text: String| match text.char_indices().nth(LONGEST_METADATA) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    };
    metadata
        .into_iter()
        .map(|(key, text)| (key, cut(text)))
        .collect()
}
