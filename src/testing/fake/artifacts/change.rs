//! Changes and deletion of artifacts.

use uuid::Uuid;

use super::super::call::Call;
use super::super::lifecycle::Change;
use super::super::reply::{Refusal, Reply};
use super::super::world::World;
use super::affinity::stored;
use super::collection::collect;
use super::create::cut;
use super::events;
use crate::types::ArtifactUpdate;

/// Changes an artifact, and its key's collection when it is the latest.
pub(super) fn update(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let (id, now) = (call.id("id")?, world.now);
    let body: ArtifactUpdate = call.body()?;
    if body.data.is_some() {
        refuse_results(world, id)?;
    }
    let artifact = world.artifacts.rows.get_mut(id).ok_or_else(missing)?;
    artifact.updated = now.into();
    if let Some(data) = body.data {
        artifact.data = Some(stored(data));
    }
    if !body.description.is_unset() {
        artifact.description = body.description.clone();
    }
    if !body.metadata_.is_unset() {
        artifact.metadata_ = body.metadata_.into_option().map(cut).into();
    }
    let artifact = artifact.clone();
    if let Some(collection) = world.artifacts.latest_in(id) {
        collection.updated = now.into();
        collection.data = artifact.data;
        collection.description = artifact.description;
        collection.metadata_ = artifact.metadata_;
    }
    Ok(Reply::no_content())
}

/// Deletes an artifact. When it is the latest of its key, the one before becomes that; with the last one, the collection goes.
pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    refuse_results(world, id)?;
    let collection = world.artifacts.latest_in(id).map(|latest| latest.id);
    let artifact = world.artifacts.rows.remove(id).ok_or_else(missing)?;
    world.artifacts.results.remove(&id);
    if let Some(collection) = collection {
        let next = {
            let mut others = world.artifacts.rows.iter().rev();
            let next = others.find(|other| other.key == *artifact.key);
            next.map(|next| collect(next, collection)).transpose()?
        };
        match next {
            Some(next) => {
                events::emit(world, Change::Updated, &next);
                world.artifacts.set_collection(next);
            }
            None => {
                let key = artifact.key.as_deref().unwrap_or_default();
                if let Some(removed) = world.artifacts.remove_collection(key) {
                    events::emit(world, Change::Deleted, &removed);
                }
            }
        }
    }
    Ok(Reply::no_content())
}

/// Refuses what would change the data of a state: the server keeps that in an artifact.
fn refuse_results(world: &World, id: Uuid) -> Result<(), Refusal> {
    let result = world
        .artifacts
        .get(id)
        .filter(|_| world.artifacts.results.contains(&id));
    let is_used = result.is_some_and(|result| match (*result.task_run_id, *result.flow_run_id) {
        (Some(run), _) => world.task_runs.rows.get(run).is_some(),
        (None, Some(run)) => world.flow_runs.rows.get(run).is_some(),
        (None, None) => false,
    });
    if is_used {
        return Err(Refusal::unsupported(
            "a change of the artifact that is the data of a state",
        ));
    }
    Ok(())
}

fn missing() -> Refusal {
    Refusal::not_found("Artifact not found.")
}
