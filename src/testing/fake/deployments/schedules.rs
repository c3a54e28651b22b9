//! What the operations on the schedules of a deployment do.

use std::collections::HashSet;

use serde_json::Value;
use uuid::Uuid;

use super::new_schedule::{check_most, check_parameters, complete, new_schedule};
use super::row::Deployment;
use super::waiting_runs::{Which, remove_waiting_runs};
use crate::testing::fake::call::Call;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::work_pools::no_null;
use crate::testing::fake::world::World;
use crate::types::{DeploymentSchedule, DeploymentScheduleCreate, DeploymentScheduleUpdate};

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(found(world, call.id("id")?)?.schedules()))
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let body: Vec<DeploymentScheduleCreate> = call.body()?;
    for item in call.json()?.as_array().into_iter().flatten() {
        no_null(item, &["active", "parameters"])?;
    }
    let now = world.now;
    let created: Vec<DeploymentSchedule> = body
        .into_iter()
        .map(|new| new_schedule(now, id, new))
        .collect::<Result<_, _>>()?;
    let row = found(world, id)?;
    let mut schedules = row.schedules().to_vec();
    for schedule in &created {
        schedules.insert(0, schedule.clone());
    }
    put(world, id, schedules)?;
    Ok(Reply::created(&created))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let (id, schedule) = (call.id("id")?, call.id("schedule_id")?);
    let body: DeploymentScheduleUpdate = call.body()?;
    no_null(&call.json()?, &["parameters"])?;
    let change = Change::new(world, body)?;
    let now = world.now;
    let mut schedules = found(world, id)?.schedules().to_vec();
    let place = schedules.iter().position(|held| held.id == schedule);
    let place = place.ok_or_else(|| Refusal::not_found("Schedule not found."))?;
    change.apply(&mut schedules, place, now);
    put(world, id, schedules)?;
    remove_waiting_runs(world, id, Which::AutoInFuture);
    Ok(Reply::no_content())
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let (id, schedule) = (call.id("id")?, call.id("schedule_id")?);
    let mut schedules = found(world, id)?.schedules().to_vec();
    let count = schedules.len();
    schedules.retain(|held| held.id != schedule);
    if schedules.len() == count {
        return Err(Refusal::not_found("Schedule not found."));
    }
    put(world, id, schedules)?;
    remove_waiting_runs(world, id, Which::Auto);
    Ok(Reply::no_content())
}

fn found(world: &World, id: Uuid) -> Result<&Deployment, Refusal> {
    let row = world.deployments.rows.get(id);
    row.ok_or_else(|| Refusal::not_found("Deployment not found."))
}

/// Replaces the schedules of a deployment; their slugs must be unique.
pub(super) fn put(
    world: &mut World,
    id: Uuid,
    schedules: Vec<DeploymentSchedule>,
) -> Result<(), Refusal> {
    check_slugs(&schedules)?;
    if let Some(row) = world.deployments.rows.get_mut(id) {
        *row.schedules_mut() = schedules;
    }
    Ok(())
}

pub(super) fn check_slugs(schedules: &[DeploymentSchedule]) -> Result<(), Refusal> {
    let mut slugs = HashSet::new();
    let named = schedules.iter().filter_map(|held| held.slug.as_ref());
    match named.into_iter().all(|slug| slugs.insert(slug)) {
        true => Ok(()),
        false => Err(Refusal::integrity()),
    }
}

/// A change of a schedule: null changes nothing, and parameters that are left out are emptied.
pub(super) struct Change(DeploymentScheduleUpdate);

impl Change {
    pub(super) fn new(world: &World, mut body: DeploymentScheduleUpdate) -> Result<Self, Refusal> {
        if !body.extra.is_empty() {
            let text = "Extra inputs are not permitted";
            return Err(Refusal::invalid(&["body"], "extra_forbidden", text));
        }
        check_most(*body.max_scheduled_runs)?;
        if let Some(parameters) = &body.parameters {
            check_parameters(parameters)?;
        }
        if let Some(schedule) = body.schedule.take() {
            body.schedule = complete(world.now, schedule)?.into();
        }
        Ok(Self(body))
    }

    /// The slug that the schedule shall have.
    pub(super) fn slug(&self) -> Option<&str> {
        self.0.slug.as_deref()
    }

    /// The slug of the schedule that is meant, if it is another one. An empty one is none.
    pub(super) fn replaces(&self) -> Option<&str> {
        self.0.replaces.as_deref().filter(|slug| !slug.is_empty())
    }

    pub(super) fn has_schedule(&self) -> bool {
        self.0.schedule.is_some()
    }

    /// A new schedule of these values; `None` where they name no dates. The number of runs gets lost on this way.
    pub(super) fn into_creation(self) -> Option<DeploymentScheduleCreate> {
        let Self(body) = self;
        let mut new = DeploymentScheduleCreate::new(body.schedule.into_option()?);
        new.active = Some(body.active.unwrap_or(true));
        new.parameters = body.parameters;
        new.slug = body.slug.into_option().into();
        Some(new)
    }

    /// Changes the schedule at this place, and puts it to the front.
    pub(super) fn apply(
        &self,
        schedules: &mut Vec<DeploymentSchedule>,
        place: usize,
        now: chrono::DateTime<chrono::Utc>,
    ) {
        let mut schedule = schedules.remove(place);
        let body = self.0.clone();
        schedule.updated = now.into();
        if let Some(active) = body.active.into_option() {
            schedule.active = Some(active);
        }
        if let Some(of) = body.schedule.into_option() {
            schedule.schedule = of;
        }
        if body.max_scheduled_runs.is_some() {
            schedule.max_scheduled_runs = body.max_scheduled_runs;
        }
        if body.slug.is_some() {
            schedule.slug = body.slug;
        }
        let empty = || Value::Object(serde_json::Map::new()).into();
        schedule.parameters = Some(body.parameters.unwrap_or_else(empty));
        schedules.insert(0, schedule);
    }
}
