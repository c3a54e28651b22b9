//! The events that the server emits when flow runs change their state.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::testing::fake::flow_runs::Run;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::{World, row};
use crate::types::{RelatedResource, State, StateType};

/// From how many characters on the message of a state is cut in events.
const MAX_MESSAGE: usize = 100_000;

/// Up to which distance in time an event says which one it follows.
const TIGHT: TimeDelta = TimeDelta::minutes(5);

/// Emits the event of a transition.
pub(crate) fn flow_run_changed(world: &mut World, run: Uuid, from: Option<&State>, to: &State) {
    // Nothing of it can fail but for a document without the keys that every server sends.
    if let Some(Ok(event)) = world
        .flow_runs
        .rows
        .get(run)
        .map(|run| event(world, run, from, to))
    {
        world.events.remember_related(run, world.now, event.1);
        world.events.add(event.0);
    }
}

type Related = Vec<RelatedResource>;

/// The event, and what it is related to by the objects of the run.
fn event(
    world: &World,
    run: &Run,
    from: Option<&State>,
    to: &State,
) -> Result<(crate::types::ReceivedEvent, Related), Refusal> {
    let shown = &run.shown;
    let occurred = to.timestamp.unwrap_or(world.now);
    let name = to.name.as_deref().unwrap_or_default();
    let remembered = world.events.related_to(shown.id, world.now);
    let objects = remembered.unwrap_or_else(|| objects(world, run));
    let follows = from.filter(|from| {
        let before = from.timestamp.unwrap_or_default();
        (occurred - before).abs() < TIGHT
    });
    let related = [objects.clone(), creator(run)].concat();
    let event = row(json!({
        "occurred": occurred,
        "event": format!("prefect.flow-run.{name}"),
        "resource": {
            "prefect.resource.id": format!("prefect.flow-run.{}", shown.id),
            "prefect.resource.name": shown.name,
            "prefect.run-count": shown.run_count.unwrap_or(0).to_string(),
            "prefect.state-message": cut(to.message.as_deref().unwrap_or_default()),
            "prefect.state-name": name,
            "prefect.state-timestamp": iso(occurred),
            "prefect.state-type": to.type_,
        },
        "related": related,
        "payload": {
            "intended": {"from": from.map(|from| &from.type_), "to": to.type_},
            "initial_state": from.map(payload),
            "validated_state": payload(to),
        },
        "id": to.id,
        "follows": follows.map(|from| from.id),
        "received": world.now,
    }))?;
    Ok((event, objects))
}

/// What the run is of: its flow, its deployment, its queue and pool, the task run that it is a subflow of, and the tags of all these.
fn objects(world: &World, run: &Run) -> Related {
    let shown = &run.shown;
    let mut tags: BTreeSet<&str> = shown.tags.iter().flatten().map(String::as_str).collect();
    let mut related = Related::new();
    if let Some(flow) = world.flows.get(shown.flow_id) {
        tags.extend(flow.tags.iter().flatten().map(String::as_str));
        related.push(resource("flow", flow.id, &flow.name));
    }
    let deployment = shown.deployment_id.and_then(|id| world.deployments.get(id));
    if let Some(deployment) = deployment {
        let deployment = &deployment.shown;
        tags.extend(deployment.tags.iter().flatten().map(String::as_str));
        related.push(resource("deployment", deployment.id, &deployment.name));
    }
    let queue = shown
        .work_queue_id
        .and_then(|id| world.work_pools.queue_and_pool(id));
    if let Some((queue, pool)) = queue {
        let (queue, pool) = (&queue.shown, &pool.shown);
        related.push(resource("work-queue", queue.id, &queue.name));
        let mut pool_resource = resource("work-pool", pool.id, &pool.name);
        pool_resource.insert("prefect.work-pool.type".to_owned(), pool.type_.clone());
        related.push(pool_resource);
    }
    let parent = shown
        .parent_task_run_id
        .and_then(|id| world.task_runs.rows.get(id));
    if let Some(task) = parent {
        tags.extend(task.shown.tags.iter().flatten().map(String::as_str));
        let name = task.shown.name.as_deref().unwrap_or_default();
        related.push(resource("task-run", task.shown.id, name));
    }
    related.extend(tags.into_iter().map(|tag| {
        RelatedResource::from([
            (
                "prefect.resource.id".to_owned(),
                format!("prefect.tag.{tag}"),
            ),
            ("prefect.resource.role".to_owned(), "tag".to_owned()),
        ])
    }));
    related
}

fn resource(kind: &str, id: Uuid, name: &str) -> RelatedResource {
    RelatedResource::from([
        (
            "prefect.resource.id".to_owned(),
            format!("prefect.{kind}.{id}"),
        ),
        ("prefect.resource.role".to_owned(), kind.to_owned()),
        ("prefect.resource.name".to_owned(), name.to_owned()),
    ])
}

/// The deployment or the automation that has created the run.
fn creator(run: &Run) -> Related {
    let created_by = run.shown.created_by.as_option().as_ref();
    let creator = created_by.and_then(|by| {
        let kind = by.type_.as_deref()?.to_lowercase();
        let id = (*by.id)?;
        matches!(kind.as_str(), "deployment" | "automation").then(|| (kind, id, by))
    });
    let Some((kind, id, by)) = creator else {
        return Related::new();
    };
    let mut creator = RelatedResource::from([
        (
            "prefect.resource.id".to_owned(),
            format!("prefect.{kind}.{id}"),
        ),
        ("prefect.resource.role".to_owned(), "creator".to_owned()),
    ]);
    if let Some(name) = by.display_value.as_deref().filter(|name| !name.is_empty()) {
        creator.insert("prefect.resource.name".to_owned(), name.to_owned());
    }
    vec![creator]
}

/// What an event tells of a state.
fn payload(state: &State) -> Value {
    let mut payload = json!({"type": state.type_});
    let texts = [("name", &state.name), ("message", &state.message)];
    for (key, text) in texts {
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            payload[key] = json!(cut(text));
        }
    }
    if state.type_ == StateType::Paused {
        let details = state.state_details.as_ref();
        let reschedules = details
            .and_then(|details| details.pause_reschedule)
            .unwrap_or(false);
        payload["pause_reschedule"] = json!(reschedules.to_string());
    }
    payload
}

/// A text without its middle, if it is too long.
fn cut(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= MAX_MESSAGE {
        return text.to_owned();
    }
    let half = MAX_MESSAGE / 2;
    let (begin, end) = (&chars[..half], &chars[chars.len() - half..]);
    let omitted = chars.len() - 2 * half;
    let middle = format!("...{omitted} additional characters...");
    let shorter: String = begin
        .iter()
        .copied()
        .chain(middle.chars())
        .chain(end.iter().copied())
        .collect();
    match shorter.chars().count() < chars.len() {
        true => shorter,
        false => text.to_owned(),
    }
}

/// A time as Python writes it.
fn iso(time: DateTime<Utc>) -> String {
    let format = match time.timestamp_subsec_micros() {
        0 => "%Y-%m-%dT%H:%M:%S+00:00",
        _ => "%Y-%m-%dT%H:%M:%S%.6f+00:00",
    };
    time.format(format).to_string()
}
