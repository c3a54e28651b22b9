//! Transitions of flow runs.

use serde_json::{Value, json};

use super::Choices;
use super::flow_runs::PLAIN;
use crate::testing::differential::model::{Kind, Known, Model};
use crate::testing::differential::operation::Operation;
use crate::testing::differential::values::some_of;

pub const CHOICES: Choices = &[
    (80, set_state),
    (6, resume),
    (6, states),
    (3, read),
    (3, bulk_set_state),
];

/// The types of states, with the names that they have.
const TYPES: &[(u32, &str, &[&str])] = &[
    (
        16,
        "SCHEDULED",
        &[
            "Scheduled",
            "Late",
            "AwaitingRetry",
            "AwaitingConcurrencySlot",
            "Resuming",
        ],
    ),
    (
        18,
        "PENDING",
        &["Pending", "Submitting", "InfrastructurePending", "NotReady"],
    ),
    (24, "RUNNING", &["Running", "Retrying", "My phase"]),
    (10, "COMPLETED", &["Completed", "Cached", "RolledBack"]),
    (10, "FAILED", &["Failed", "TimedOut"]),
    (6, "CRASHED", &["Crashed"]),
    (7, "CANCELLED", &["Cancelled"]),
    (7, "CANCELLING", &["Cancelling", "Cancelling early"]),
    (9, "PAUSED", &["Paused", "Suspended"]),
];

/// The programs that propose states: the server treats them differently.
const AGENTS: &[(u32, Option<&str>)] = &[
    (10, None),
    (4, Some("prefect/3.9.1 (API 0.8.4)")),
    (1, Some("prefect/3.0.1 (API 0.8.4)")),
    (3, Some("prefect/3.4.10 (API 0.8.4)")),
    (1, Some("prefect-sdk-rust/0.1.0")),
];

/// A state to propose.
pub fn state(model: &mut Model) -> Value {
    let kinds: Vec<_> = TYPES
        .iter()
        .map(|(weight, kind, names)| (*weight, (*kind, *names)))
        .collect();
    let (kind, names) = model.weighted(&kinds);
    let mut state = json!({"type": kind});
    if model.chance(55) {
        state["name"] = json!(model.one(names));
    }
    if model.chance(25) {
        state["message"] = model.one(&[json!("because"), json!(""), json!(null)]);
    }
    if model.chance(35) {
        state["data"] = data(model);
    }
    let details = details(model, kind);
    if details != json!({}) || model.chance(10) {
        state["state_details"] = details;
    }
    state
}

/// What a state may carry.
fn data(model: &mut Model) -> Value {
    model.one(&[
        json!(null),
        json!({}),
        json!({"type": "unpersisted"}),
        json!({"type": "reference", "storage_key": "results/1"}),
        json!({"answer": 42}),
        json!("text"),
        json!(5),
        json!(true),
        json!([1, 2]),
    ])
}

fn details(model: &mut Model, kind: &str) -> Value {
    let mut details = json!({});
    match kind {
        "SCHEDULED" if model.chance(80) => details["scheduled_time"] = model.time(),
        "PAUSED" => {
            let pause = json!({
                "pause_timeout": model.future(),
                "pause_reschedule": model.chance(50),
                "pause_key": model.one(&["pause-1", "pause-2"]),
                "run_input_keyset": {"response": "in-response", "schema": "in-schema", "description": "in-description"},
            });
            details = some_of(model, 45, pause);
        }
        _ => {}
    }
    if model.chance(18) {
        details["transition_id"] = json!(model.stranger());
    }
    let rare = json!({
        "untrackable_result": model.chance(50),
        "retriable": model.one(&[json!(true), json!(false), json!(null)]),
        "cache_key": model.one(&["cache-1", "cache-2"]),
        "cache_expiration": model.time(),
        "refresh_cache": model.chance(50),
        "deferred": model.chance(50),
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "flow_run_id": model.stranger(),
        "scheduled_time": model.time(),
    });
    let rare = some_of(model, 3, rare);
    if let (Value::Object(details), Value::Object(rare)) = (&mut details, rare) {
        details.extend(rare);
    }
    details
}

/// The body that proposes a state.
pub fn proposal(model: &mut Model) -> Value {
    let mut body = json!({"state": state(model)});
    if model.chance(15) {
        body["force"] = json!(model.chance(70));
    }
    if model.chance(1) {
        body["state"]["id"] = json!(model.stranger());
    }
    body
}

fn set_state(model: &mut Model) -> Operation {
    let run = model.any(Kind::FlowRun).id;
    let body = proposal(model);
    let agent = model.weighted(AGENTS);
    Operation::post(format!("/flow_runs/{run}/set_state"), body)
        .by(agent)
        .learn(move |model, reply| {
            model.know(Kind::FlowRunState, &reply["state"], &run);
            note_paused(model, reply, &run);
        })
}

/// A run that is paused is soon resumed: else most pauses end otherwise.
fn note_paused(model: &mut Model, reply: &Value, run: &str) {
    if reply["state"]["type"] == "PAUSED" && model.chance(50) {
        let resume = resume_of(model, run);
        model.then(resume);
    }
}

fn resume(model: &mut Model) -> Operation {
    let run = model.any(Kind::FlowRun).id;
    resume_of(model, &run)
}

fn resume_of(model: &mut Model, run: &str) -> Operation {
    let body = model.one(&[
        json!({}),
        json!({"run_input": null}),
        json!({"run_input": {}}),
        json!({"run_input": {"n": 1}}),
    ]);
    let agent = model.weighted(AGENTS);
    Operation::post(format!("/flow_runs/{run}/resume"), body).by(agent)
}

fn states(model: &mut Model) -> Operation {
    let run = model.any(Kind::FlowRun).id;
    Operation::get(format!("/flow_run_states/?flow_run_id={run}"))
}

fn read(model: &mut Model) -> Operation {
    let state: Known = model.any(Kind::FlowRunState);
    Operation::get(format!("/flow_run_states/{}", state.id))
}

fn bulk_set_state(model: &mut Model) -> Operation {
    // The server shares the details of the state between the runs: they show the last run, and hand the lease of a deployment's slot and the task
    // run of a subflow from run to run. So of several runs, none is of a deployment or a subflow.
    let count = model.one(&[1, 1, 3]);
    let is_plain = |run: &Known| count == 1 || run.of == PLAIN;
    let ids: Vec<_> = (0..count)
        .map(|_| model.any_where(Kind::FlowRun, is_plain).id)
        .collect();
    let mut body = proposal(model);
    if count > 1 {
        // The runs are in the order of their ids, which is open: times and artifacts of results would be, too.
        body["state"] =
            json!({"type": "SCHEDULED", "state_details": {"scheduled_time": model.time()}});
    }
    body["flow_runs"] = json!({"id": {"any_": ids}});
    if model.chance(10) {
        body["limit"] = model.one(&[json!(50), json!(51), json!(0)]);
    }
    let operation = Operation::post("/flow_runs/bulk_set_state", body).open(&["$.results"]);
    match count {
        1 => operation,
        _ => operation.ignoring(&["$.results[].state.state_details.flow_run_id"]),
    }
}
