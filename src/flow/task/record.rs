//! `TaskRecord`: what the server is told of a task run, as events of which each has its whole state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::input::Source;
use crate::flow::context::{RunContext, resource, tag_resource};
use crate::types::{Event, Field, StateType};

/// The longest time between two events of which one names the other.
const MAX_FOLLOWS_DISTANCE: TimeDelta = TimeDelta::minutes(5);

/// How many sources of one input are told: an event may have 1,500,000 bytes.
const MAX_INPUTS: usize = 5_000;

/// The most related resources of an event.
const MAX_RELATED: usize = 100;

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

/// What of a task run never changes.
pub(super) struct TaskIdentity {
    pub id: Uuid,
    pub name: String,
    pub key: String,
    pub tags: Vec<String>,
    pub inputs: BTreeMap<String, Vec<Source>>,
    pub version: Option<String>,
    pub retries: u32,
    pub retry_delay: Duration,
}

impl TaskIdentity {
    /// A new run of the task with this name.
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
            retry_delay: Duration::ZERO,
        }
    }
}

/// What the server does not count for task runs that are reported by events.
#[derive(Clone, Copy, Default)]
struct Counts {
    run_count: u32,
    expected_start: Option<DateTime<Utc>>,
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
    running_since: Option<DateTime<Utc>>,
    run_time: f64,
}

/// A task run, as it is now.
pub(super) struct TaskRecord {
    context: Arc<RunContext>,
    identity: Arc<TaskIdentity>,
    counts: Counts,
    state: Option<StateType>,
    last: Option<(Uuid, DateTime<Utc>)>,
}

/// A state of a task run that is to be reported. It is small; the event is made when it is sent, if it is.
pub(super) struct TaskReport {
    context: Arc<RunContext>,
    identity: Arc<TaskIdentity>,
    counts: Counts,
    event_id: Uuid,
    /// The place among all reports; given when it is queued.
    pub sequence: u64,
    pub follows: Option<Uuid>,
    pub at: DateTime<Utc>,
    from: Option<StateType>,
    state: TaskState,
}

impl TaskRecord {
    pub(super) fn new(context: Arc<RunContext>, identity: TaskIdentity) -> Self {
        Self {
            context,
            identity: Arc::new(identity),
            counts: Counts::default(),
            state: None,
            last: None,
        }
    }

    pub(super) fn identity(&self) -> &TaskIdentity {
        &self.identity
    }

    pub(super) fn run_count(&self) -> u32 {
        self.counts.run_count
    }

    /// Enters a state, and returns the report of it.
    pub(super) fn enter(&mut self, state: TaskState, now: DateTime<Utc>) -> TaskReport {
        let (event_id, at) = (Uuid::new_v4(), self.next_time(now));
        self.counts.count(&state.type_, at);
        let last = self.last.replace((event_id, at));
        let last = last.filter(|(_, when)| at - *when < MAX_FOLLOWS_DISTANCE);
        TaskReport {
            context: Arc::clone(&self.context),
            identity: Arc::clone(&self.identity),
            counts: self.counts,
            event_id,
            sequence: 0,
            follows: last.map(|(id, _)| id),
            at,
            from: self.state.replace(state.type_.clone()),
            state,
        }
    }

    /// A time after that of the last state, which the server requires: its resolution is the microsecond.
    fn next_time(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let now = now.trunc_subsecs(6);
        match self.last {
            Some((_, last)) => now.max(last + TimeDelta::microseconds(1)),
            None => now,
        }
    }
}

impl Counts {
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
}

impl TaskReport {
    pub(super) fn flow_run(&self) -> Uuid {
        self.context.id
    }

    pub(super) fn task_run(&self) -> Uuid {
        self.identity.id
    }

    /// The event that reports the state.
    pub(super) fn event(&self) -> Event {
        let (task, state) = (&self.identity, &self.state);
        let timestamp = self.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let subject = resource([
            (
                "prefect.resource.id",
                format!("prefect.task-run.{}", task.id),
            ),
            ("prefect.resource.name", task.name.clone()),
            ("prefect.run-count", self.counts.run_count.to_string()),
            ("prefect.state-message", state.message.clone()),
            ("prefect.state-name", state.name.to_owned()),
            ("prefect.state-timestamp", timestamp),
            ("prefect.state-type", state.type_.to_string()),
            ("prefect.orchestration", "client".to_owned()),
        ]);
        let mut related = self.context.related();
        related.extend(task.tags.iter().map(|tag| tag_resource(tag)));
        related.truncate(MAX_RELATED);
        let name = format!("prefect.task-run.{}", state.name);
        let mut event = Event::new(self.at, name, subject, self.event_id)
            .related(related)
            .payload(self.payload());
        event.follows = self.follows.map_or(Field::UNSET, Field::value);
        event
    }

    fn payload(&self) -> Value {
        let Self {
            context,
            identity: task,
            counts,
            state,
            ..
        } = self;
        let mut details = Map::new();
        details.insert("flow_run_id".to_owned(), json!(context.id));
        details.insert("task_run_id".to_owned(), json!(task.id));
        if let Some(at) = state.scheduled {
            details.insert("scheduled_time".to_owned(), json!(at));
        }
        let mut task_run = Map::new();
        let mut set = |key: &str, value: Value| {
            if !value.is_null() {
                task_run.insert(key.to_owned(), value);
            }
        };
        set("name", json!(task.name));
        set("task_key", json!(task.key));
        set("dynamic_key", json!(task.id));
        set("task_version", json!(task.version));
        set("tags", json!(task.tags));
        set("task_inputs", task.inputs());
        set("run_count", json!(counts.run_count));
        set("flow_run_run_count", json!(context.run_count));
        set("expected_start_time", json!(counts.expected_start));
        set("start_time", json!(counts.start));
        set("end_time", json!(counts.end));
        set("total_run_time", json!(counts.run_time));
        let delay = task.retry_delay.as_secs_f64();
        set(
            "empirical_policy",
            json!({
                "max_retries": task.retries, "retries": task.retries,
                "retry_delay_seconds": delay, "retry_delay": delay.round() as i64,
            }),
        );
        json!({
            "intended": { "from": self.from.as_ref().map(ToString::to_string), "to": state.type_.to_string() },
            "initial_state": null,
            "validated_state": {
                "type": state.type_.to_string(), "name": state.name, "message": state.message,
                "state_details": details, "data": null,
            },
            "task_run": task_run,
        })
    }
}

impl TaskIdentity {
    fn inputs(&self) -> Value {
        let inputs = self.inputs.iter().map(|(name, sources)| {
            let sources = sources.iter().take(MAX_INPUTS);
            (
                name.clone(),
                sources.map(|source| source.0.clone()).collect(),
            )
        });
        Value::Object(inputs.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> TaskRecord {
        let context = RunContext {
            id: Uuid::nil(),
            name: "run".to_owned(),
            flow_id: Uuid::nil(),
            flow_name: "flow".to_owned(),
            deployment_id: None,
            tags: Vec::new(),
            run_count: 1,
        };
        TaskRecord::new(Arc::new(context), TaskIdentity::new("extract".to_owned()))
    }

    #[test]
    fn times_rise_and_each_event_follows_the_last_even_if_the_clock_goes_back() {
        let (mut record, now) = (record(), Utc::now());
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
            events.push(record.enter(TaskState::new(type_, name), now).event());
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
        let (mut record, start) = (record(), Utc::now());
        let mut enter = |type_: StateType, seconds: i64| {
            let at = start + TimeDelta::seconds(seconds);
            record.enter(TaskState::new(type_, "x"), at);
        };
        enter(StateType::Running, 0);
        enter(StateType::Scheduled, 2);
        enter(StateType::Running, 10);
        enter(StateType::Completed, 13);
        assert_eq!((record.counts.run_time, record.run_count()), (5.0, 2));
    }
}
