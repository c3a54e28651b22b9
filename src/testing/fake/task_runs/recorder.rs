//! The recorder: what clients tell of task runs by events becomes task runs.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use uuid::Uuid;

use super::blank::blank;
use super::data::is_empty;
use super::inputs;
use super::policy;
use super::state::TaskRow;
use crate::testing::fake::artifacts::stored;
use crate::testing::fake::flow_runs::{new_state, random_name};
use crate::testing::fake::world::World;
use crate::types::{Json, ReceivedEvent, Seconds, State, StateCreate, StateType, TaskRun};

/// What the server works out by itself, or takes from the state.
const OWN: [&str; 9] = [
    "id",
    "state_id",
    "state",
    "created",
    "updated",
    "state_type",
    "state_name",
    "estimated_run_time",
    "estimated_start_time_delta",
];

/// What cannot be null.
const NEVER_NULL: [&str; 7] = [
    "id",
    "tags",
    "task_inputs",
    "run_count",
    "flow_run_run_count",
    "total_run_time",
    "empirical_policy",
];

/// Records an event of a task run, if it is one. An event that cannot be read is dropped, as the server drops it in the end.
pub(crate) fn record(world: &mut World, event: &ReceivedEvent) {
    let orchestration = event.resource.get("prefect.orchestration");
    let is_client = orchestration.is_some_and(|by| by == "client");
    if !event.event.starts_with("prefect.task-run") || !is_client {
        return;
    }
    if let Some(told) = Told::by(world, event) {
        told.write(world);
    }
}

/// What an event tells of a task run.
struct Told {
    state: State,
    run: TaskRun,
    /// The fields that were named; others are left as they are.
    keys: Vec<String>,
}

impl Told {
    fn by(world: &World, event: &ReceivedEvent) -> Option<Self> {
        let id = id_after(
            "prefect.task-run.",
            event.resource.get("prefect.resource.id")?,
        )?;
        let is_flow_run = |role: &String| role == "flow-run";
        let mut related = event.related.iter().flatten();
        let flow_run =
            related.find(|one| one.get("prefect.resource.role").is_some_and(is_flow_run));
        let flow_run = match flow_run {
            Some(related) => Some(id_after(
                "prefect.flow-run.",
                related.get("prefect.resource.id")?,
            )?),
            None => None,
        };
        let payload: BTreeMap<String, Json> = event.payload.as_ref()?.parse().ok()?;
        let state = state(world, event, payload.get("validated_state")?)?;
        let mut told: BTreeMap<String, Json> = payload.get("task_run")?.parse().ok()?;
        let is_null = |key: &&str| told.get(*key).is_some_and(Json::is_null);
        if told.contains_key("state") || NEVER_NULL.iter().any(is_null) {
            return None;
        }
        let blank = Json::new(&blank(id, world.now).ok()?).ok()?;
        let mut all: BTreeMap<String, Json> = blank.parse().ok()?;
        all.remove("task_key");
        all.remove("dynamic_key");
        told.entry("id".to_owned()).or_insert(Json::new(&id).ok()?);
        told.entry("flow_run_id".to_owned())
            .or_insert(Json::new(&flow_run).ok()?);
        let keys = told.keys().cloned().collect();
        all.extend(
            told.into_iter()
                .filter(|(key, _)| key == "id" || !OWN.contains(&key.as_str())),
        );
        let mut run: TaskRun = Json::new(&all).ok()?.parse().ok()?;
        run.extra.clear();
        if run.name.as_ref().is_none_or(String::is_empty) {
            run.name = Some(random_name());
        }
        run.empirical_policy = Some(policy::complete(run.empirical_policy).ok()?);
        run.task_inputs = Some(inputs::complete(run.task_inputs.unwrap_or_default())?);
        let mut told = Self { state, run, keys };
        let (id, flow_run) = (told.run.id, *told.run.flow_run_id);
        let details = told.state.state_details.get_or_insert_default();
        details.flow_run_id = flow_run.into();
        details.task_run_id = id.into();
        Some(told)
    }

    /// Writes the task run if the state is later than its present one, and adds the state.
    fn write(mut self, world: &mut World) {
        let (shown, now) = (&self.run, world.now);
        let flow_run = *shown.flow_run_id;
        if flow_run.is_some_and(|run| !world.flow_runs.rows.contains(run)) {
            return;
        }
        let by_key = flow_run.and_then(|_| {
            world
                .task_runs
                .by_key(flow_run, &shown.task_key, &shown.dynamic_key)
        });
        let existing = by_key.unwrap_or(shown.id);
        let Some(row) = world.task_runs.rows.get(existing) else {
            self.state_into_run(now);
            let run_time = micros(self.run.total_run_time);
            let states = vec![self.state];
            return world.task_runs.put(TaskRow {
                shown: self.run,
                states,
                run_time,
            });
        };
        let mut row = row.clone();
        // Each state of a task run has a time of its own, and an id of its own.
        let same_time = |state: &&State| state.timestamp == self.state.timestamp;
        if let Some(state) = row.states.iter().find(same_time)
            && state.id != self.state.id
        {
            return;
        }
        self.state.state_details.get_or_insert_default().task_run_id = existing.into();
        let is_later = row
            .since()
            .is_some_and(|since| self.state.timestamp > Some(since));
        if !row.states.iter().any(|state| state.id == self.state.id) {
            row.states.push(self.state.clone());
        }
        if is_later {
            self.state_into_run(now);
            self.update(&mut row);
        }
        world.task_runs.put(row);
    }

    fn state_into_run(&mut self, now: chrono::DateTime<chrono::Utc>) {
        self.run.state_id = self.state.id.into();
        self.run.state_type = self.state.type_.clone().into();
        self.run.state_name = self.state.name.clone();
        self.run.state = self.state.clone().into();
        self.run.updated = now.into();
    }

    /// Overwrites what was named.
    fn update(&mut self, row: &mut TaskRow) {
        let (new, old) = (&self.run, &mut row.shown);
        for key in &self.keys {
            match key.as_str() {
                "name" => old.name.clone_from(&new.name),
                "flow_run_id" => old.flow_run_id = new.flow_run_id,
                "task_key" => old.task_key.clone_from(&new.task_key),
                "dynamic_key" => old.dynamic_key.clone_from(&new.dynamic_key),
                "cache_key" => old.cache_key.clone_from(&new.cache_key),
                "cache_expiration" => old.cache_expiration = new.cache_expiration,
                "task_version" => old.task_version.clone_from(&new.task_version),
                "empirical_policy" => old.empirical_policy.clone_from(&new.empirical_policy),
                "tags" => old.tags.clone_from(&new.tags),
                "labels" => old.labels.clone_from(&new.labels),
                "task_inputs" => old.task_inputs.clone_from(&new.task_inputs),
                "run_count" => old.run_count = new.run_count,
                "flow_run_run_count" => old.flow_run_run_count = new.flow_run_run_count,
                "expected_start_time" => old.expected_start_time = new.expected_start_time,
                "next_scheduled_start_time" => {
                    old.next_scheduled_start_time = new.next_scheduled_start_time;
                }
                "start_time" => old.start_time = new.start_time,
                "end_time" => old.end_time = new.end_time,
                "total_run_time" => row.run_time = micros(new.total_run_time),
                _ => {}
            }
        }
        old.state_id = new.state_id;
        old.state_type.clone_from(&new.state_type);
        old.state_name.clone_from(&new.state_name);
        old.state.clone_from(&new.state);
        old.updated = new.updated;
    }
}

/// The state of an event: its id and its time are those of the event, unless it has its own.
fn state(world: &World, event: &ReceivedEvent, told: &Json) -> Option<State> {
    let mut proposed: StateCreate = told.parse().ok()?;
    let own = std::mem::take(&mut proposed.extra);
    if matches!(proposed.type_, StateType::Unknown(_)) {
        return None;
    }
    let mut state = new_state(world.now, proposed).ok()?;
    state.id = match own.get("id") {
        Some(id) => id.parse().ok()?,
        None => event.id,
    };
    state.timestamp = match own.get("timestamp") {
        Some(time) => Some(time.parse().ok()?),
        None => Some(event.occurred),
    };
    state.state_details.get_or_insert_default().extra.clear();
    state.data = match state.data {
        Some(data) if !is_empty(Some(&data)) => Some(stored(data)),
        _ => Some(Json::null()),
    };
    Some(state)
}

fn id_after(prefix: &str, text: &str) -> Option<Uuid> {
    Uuid::try_parse(text.strip_prefix(prefix)?).ok()
}

fn micros(time: Option<Seconds>) -> TimeDelta {
    let seconds = time.map_or(0.0, Seconds::as_f64);
    TimeDelta::microseconds((seconds * 1e6).round() as i64)
}
