//! `TaskRecord`: what the server is told of a task run, as events of which each has its whole state.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::input::Source;
use crate::flow::context::{RunContext, resource, tag_resource};
use crate::types::{Event, Field, StateType};

/// The longest time between two events of which one names the other.
const MAX_FOLLOWS_DISTANCE: TimeDelta = TimeDelta::minutes(5);

/// The most bytes of what is told of the inputs: an event may have 1,500,000 bytes.
const MAX_INPUTS: usize = 5_000;

/// A state of a task run.
pub(super) struct TaskState {
    pub type_: StateType,
    pub name: &'static str,
    pub message: String,
    pub scheduled: Option<DateTime<Utc>>,
}

impl TaskState {
    pub(super) fn new(type_: StateType, name: &'static str) -> Self {
        Self {
            type_,
            name,
            message: String::new(),
            scheduled: None,
        }
    }

    pub(super) fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
}

/// A task run.
pub(super) struct TaskRecord {
    pub id: Uuid,
    pub name: String,
    pub key: String,
    pub tags: Vec<String>,
    pub inputs: BTreeMap<String, Vec<Source>>,
    pub version: Option<String>,
    pub retries: u32,
    pub retry_delay: f64,
    pub run_count: u32,
    state: Option<StateType>,
    expected_start: Option<DateTime<Utc>>,
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
    running_since: Option<DateTime<Utc>>,
    run_time: f64,
    last: Option<(Uuid, DateTime<Utc>)>,
}

impl TaskRecord {
    pub(super) fn new(key: String) -> Self {
        let id = Uuid::new_v4();
        let short = &id.simple().to_string()[..3];
        Self {
            id,
            name: format!("{key}-{short}"),
            key,
            tags: Vec::new(),
            inputs: BTreeMap::new(),
            version: None,
            retries: 0,
            retry_delay: 0.0,
            run_count: 0,
            state: None,
            expected_start: None,
            start: None,
            end: None,
            running_since: None,
            run_time: 0.0,
            last: None,
        }
    }

    /// Enters a state, and returns the event that reports it.
    pub(super) fn enter(
        &mut self,
        context: &RunContext,
        state: TaskState,
        now: DateTime<Utc>,
    ) -> Event {
        let id = Uuid::new_v4();
        let at = self.next_time(now);
        self.count(&state.type_, at);
        let from = self.state.replace(state.type_.clone());
        let timestamp = at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let mut subject = resource([
            (
                "prefect.resource.id",
                format!("prefect.task-run.{}", self.id),
            ),
            ("prefect.resource.name", self.name.clone()),
            ("prefect.run-count", self.run_count.to_string()),
            ("prefect.state-name", state.name.to_owned()),
            ("prefect.state-timestamp", timestamp),
            ("prefect.state-type", state.type_.to_string()),
            ("prefect.orchestration", "client".to_owned()),
        ]);
        subject.insert("prefect.state-message".to_owned(), state.message.clone());
        let mut related = context.related();
        related.extend(self.tags.iter().map(|tag| tag_resource(tag)));
        related.truncate(100);
        let name = format!("prefect.task-run.{}", state.name);
        let mut event = Event::new(at, name, subject, id)
            .related(related)
            .payload(self.payload(context, &state, from));
        if let Some((last, when)) = self.last
            && at - when < MAX_FOLLOWS_DISTANCE
        {
            event.follows = Field::value(last);
        }
        self.last = Some((id, at));
        event
    }

    /// A time after that of the last state, which the server requires: its resolution is the microsecond.
    fn next_time(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let now = now.trunc_subsecs(6);
        match self.last {
            Some((_, last)) => now.max(last + TimeDelta::microseconds(1)),
            None => now,
        }
    }

    /// Counts what the server does not count for task runs that are reported by events.
    fn count(&mut self, state: &StateType, at: DateTime<Utc>) {
        self.expected_start.get_or_insert(at);
        if let Some(since) = self.running_since.take() {
            self.run_time += (at - since).as_seconds_f64();
        }
        if *state == StateType::Running {
            self.run_count += 1;
            self.start.get_or_insert(at);
            self.running_since = Some(at);
        }
        if state.is_terminal() {
            self.end.get_or_insert(at);
        }
    }

    fn payload(&self, context: &RunContext, state: &TaskState, from: Option<StateType>) -> Value {
        let mut details = Map::new();
        details.insert("flow_run_id".to_owned(), json!(context.id));
        details.insert("task_run_id".to_owned(), json!(self.id));
        if let Some(at) = state.scheduled {
            details.insert("scheduled_time".to_owned(), json!(at));
        }
        let mut task_run = Map::new();
        let mut set = |key: &str, value: Value| {
            if !value.is_null() {
                task_run.insert(key.to_owned(), value);
            }
        };
        set("name", json!(self.name));
        set("task_key", json!(self.key));
        set("dynamic_key", json!(self.id));
        set("task_version", json!(self.version));
        set("tags", json!(self.tags));
        set("task_inputs", self.inputs());
        set("run_count", json!(self.run_count));
        set("flow_run_run_count", json!(context.run_count));
        set("expected_start_time", json!(self.expected_start));
        set("start_time", json!(self.start));
        set("end_time", json!(self.end));
        set("total_run_time", json!(self.run_time));
        set(
            "empirical_policy",
            json!({
                "max_retries": self.retries, "retries": self.retries,
                "retry_delay_seconds": self.retry_delay, "retry_delay": self.retry_delay.round() as i64,
            }),
        );
        json!({
            "intended": { "from": from.map(|it| it.to_string()), "to": state.type_.to_string() },
            "initial_state": null,
            "validated_state": {
                "type": state.type_.to_string(), "name": state.name, "message": state.message,
                "state_details": details, "data": null,
            },
            "task_run": task_run,
        })
    }

    fn inputs(&self) -> Value {
        let inputs = self.inputs.iter().map(|(name, sources)| {
            let sources = sources
                .iter()
                .take(MAX_INPUTS)
                .map(|source| source.0.clone());
            (name.clone(), sources.collect())
        });
        Value::Object(inputs.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> RunContext {
        RunContext {
            id: Uuid::nil(),
            name: "run".to_owned(),
            flow_id: Uuid::nil(),
            flow_name: "flow".to_owned(),
            deployment_id: None,
            tags: Vec::new(),
            run_count: 1,
        }
    }

    #[test]
    fn times_rise_and_each_event_follows_the_last_even_if_the_clock_goes_back() {
        let (mut record, context) = (TaskRecord::new("extract".to_owned()), context());
        let now = Utc::now();
        let states = [
            (StateType::Pending, "Pending", now),
            (StateType::Running, "Running", now),
            (
                StateType::Completed,
                "Completed",
                now - TimeDelta::seconds(60),
            ),
        ];
        let mut events: Vec<Event> = Vec::new();
        for (type_, name, now) in states {
            events.push(record.enter(&context, TaskState::new(type_, name), now));
        }
        for pair in events.windows(2) {
            assert!(pair[0].occurred < pair[1].occurred);
            assert_eq!(*pair[1].follows, Some(pair[0].id));
        }
        let last = events[2]
            .payload
            .as_ref()
            .expect("a payload")
            .to_value()
            .expect("JSON");
        assert_eq!(last["task_run"]["run_count"], 1);
        assert!(
            last["task_run"]["total_run_time"]
                .as_f64()
                .is_some_and(|it| it >= 0.0)
        );
    }

    #[test]
    fn the_time_between_tries_does_not_count_as_run_time() {
        let (mut record, context, start) = (TaskRecord::new("x".to_owned()), context(), Utc::now());
        let mut enter = |type_: StateType, seconds: i64| {
            let at = start + TimeDelta::seconds(seconds);
            record.enter(&context, TaskState::new(type_, "x"), at);
        };
        enter(StateType::Running, 0);
        enter(StateType::Scheduled, 2);
        enter(StateType::Running, 10);
        enter(StateType::Completed, 13);
        assert_eq!((record.run_time, record.run_count), (5.0, 2));
    }
}
