//! Task runs that are told of by events, as clients tell of theirs.

use std::time::Duration;

use serde_json::{Value, json};

use super::Choices;
use crate::testing::differential::model::{Kind, Known, Model};
use crate::testing::differential::operation::Operation;
use crate::testing::differential::values::{labels, some_of, tags, with};

pub const CHOICES: Choices = &[(1, tell)];

/// How long the real server takes to record an event.
const RECORDED_AFTER: Duration = Duration::from_millis(150);

const STATES: &[(&str, &str)] = &[
    ("PENDING", "Pending"),
    ("RUNNING", "Running"),
    ("RUNNING", "Retrying"),
    ("SCHEDULED", "AwaitingRetry"),
    ("COMPLETED", "Completed"),
    ("COMPLETED", "Cached"),
    ("FAILED", "Failed"),
    ("CRASHED", "Crashed"),
];

/// A new task run, or one that events have told of before.
fn task_run(model: &mut Model) -> Known {
    if model.chance(55) && !model.of(Kind::ToldTaskRun).is_empty() {
        return model.any(Kind::ToldTaskRun);
    }
    let run = model.any(Kind::FlowRun);
    let told = Known {
        id: model.fresh(),
        name: model.new_name("told"),
        of: run.id,
    };
    model.add(Kind::ToldTaskRun, told.clone());
    told
}

/// Asks for the flow run first: an event about one that is not there keeps the server busy for seconds, and others wait.
fn tell(model: &mut Model) -> Operation {
    let task = task_run(model);
    Operation::get(format!("/flow_runs/{}", task.of)).learn(move |model, _| {
        let event = event(model, &task);
        model.then(event);
    })
}

fn event(model: &mut Model, task: &Known) -> Operation {
    let (kind, name) = model.one(STATES);
    let occurred = model.tick();
    let details = json!({
        "scheduled_time": model.time(),
        "cache_key": "cache-1",
        "cache_expiration": model.future(),
    });
    let details = some_of(model, 30, details);
    let state = json!({
        "message": model.one(&[json!("because"), json!(null)]),
        "state_details": with(details, json!({"flow_run_id": task.of, "task_run_id": task.id})),
        "data": model.one(&[json!(null), json!({"type": "unpersisted"})]),
    });
    let state = with(
        json!({"type": kind, "name": name}),
        some_of(model, 50, state),
    );
    let more = json!({
        "run_count": model.one(&[0, 1, 2]),
        "flow_run_run_count": 1,
        "start_time": model.past(),
        "end_time": model.past(),
        "expected_start_time": model.past(),
        "tags": tags(model),
        "labels": labels(model),
        "task_inputs": {"x": [{"input_type": "parameter", "name": "p"}]},
        "task_version": "v1",
        "empirical_policy": {"retries": 2, "retry_delay": [0, 5]},
        "total_run_time": 1.5,
    });
    let shown = json!({"name": task.name, "task_key": "told", "dynamic_key": task.name});
    let event = json!({
        "id": model.fresh(),
        "occurred": occurred,
        "event": format!("prefect.task-run.{name}"),
        "resource": {
            "prefect.resource.id": format!("prefect.task-run.{}", task.id),
            "prefect.resource.name": task.name,
            "prefect.orchestration": "client",
        },
        "related": [{"prefect.resource.id": format!("prefect.flow-run.{}", task.of), "prefect.resource.role": "flow-run"}],
        "payload": {"validated_state": state, "task_run": with(shown, some_of(model, 40, more))},
    });
    let read = Operation::get(format!("/task_runs/{}", task.id));
    let states = Operation::get(format!("/task_run_states/?task_run_id={}", task.id));
    Operation::post("/events", json!([event]))
        .settles(RECORDED_AFTER)
        .learn(move |model, _: &Value| {
            model.then(read);
            model.then(states);
        })
}
