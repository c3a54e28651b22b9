//! Reading of artifacts.

use serde_json::Value;

use super::super::call::Call;
use super::super::page;
use super::super::reply::{Refusal, Reply};
use super::super::world::World;
use super::filters::{Row, sort};
use crate::types::Artifact;

pub(super) fn read(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let artifact = world.artifacts.get(call.id("id")?);
    let artifact = artifact.ok_or_else(|| Refusal::not_found("Artifact not found."))?;
    Ok(Reply::ok(artifact))
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

fn matching<'a>(world: &'a World, body: &Value) -> Result<Vec<&'a Artifact>, Refusal> {
    world.select(&world.artifacts.rows, |row| row.fulfils(world, body))
}
