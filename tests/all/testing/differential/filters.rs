//! Filters: random conditions on each kind of object.

use serde_json::{Map, Value, json};

use super::model::{Kind, Model};
use super::values::tags;

/// The words for the kinds of objects by which lists are filtered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Of {
    Flows,
    FlowRuns,
    TaskRuns,
    Deployments,
    WorkPools,
    WorkQueues,
}

/// A body with filters: usually by the first kind, sometimes by others.
pub fn filters(model: &mut Model, kinds: &[Of]) -> Value {
    let mut body = Map::new();
    for (at, kind) in kinds.iter().enumerate() {
        if model.chance(if at == 0 { 75 } else { 7 }) {
            let (word, filter) = filter(model, *kind);
            body.insert(word.to_owned(), filter);
        }
    }
    Value::Object(body)
}

/// The word for a kind, and a filter by it.
pub fn filter(model: &mut Model, kind: Of) -> (&'static str, Value) {
    match kind {
        Of::Flows => ("flows", flows(model)),
        Of::FlowRuns => ("flow_runs", flow_runs(model)),
        Of::TaskRuns => ("task_runs", task_runs(model)),
        Of::Deployments => ("deployments", deployments(model)),
        Of::WorkPools => ("work_pools", work_pools(model)),
        Of::WorkQueues => ("work_pool_queues", work_queues(model)),
    }
}

/// A word of a filter, and what makes conditions for it.
type Word = (&'static str, fn(&mut Model) -> Value);

/// One or two conditions out of several, sometimes joined by `or_`.
fn some(model: &mut Model, words: &[Word], joins: bool) -> Value {
    let count = model.weighted(&[(1, 0), (10, 1), (5, 2), (1, 3)]);
    let mut chosen = Map::new();
    for _ in 0..count {
        let (word, make) = model.one(words);
        let conditions = if model.chance(3) {
            Value::Null
        } else {
            make(model)
        };
        chosen.insert(word.to_owned(), conditions);
    }
    if joins && model.chance(15) {
        let operator = model.one(&["or_", "and_"]);
        chosen.insert("operator".to_owned(), json!(operator));
    }
    Value::Object(chosen)
}

fn flows(model: &mut Model) -> Value {
    some(
        model,
        &[
            ("id", |model| by_id(model, Kind::Flow)),
            ("name", |model| by_name(model, Kind::Flow)),
            ("tags", by_tags_without_any),
            ("deployment", |model| json!({"is_null_": model.chance(50)})),
        ],
        true,
    )
}

pub fn flow_runs(model: &mut Model) -> Value {
    some(
        model,
        &[
            ("id", |model| by_id(model, Kind::FlowRun)),
            ("id", |model| by_id(model, Kind::FlowRun)),
            ("name", |model| by_name(model, Kind::FlowRun)),
            ("tags", by_tags),
            ("deployment_id", |model| by_parent(model, Kind::Deployment)),
            ("work_queue_name", |model| {
                let names = model.names(Kind::Queue);
                model.one(&[
                    json!({"any_": names}),
                    json!({"is_null_": true}),
                    json!({"is_null_": false}),
                ])
            }),
            ("state", by_state),
            ("state", by_state),
            ("flow_version", |_| json!({"any_": ["v1", "v2"]})),
            ("start_time", |model| by_time(model, true)),
            ("end_time", |model| by_time(model, true)),
            ("expected_start_time", |model| by_time(model, false)),
            ("next_scheduled_start_time", |model| by_time(model, false)),
            (
                "parent_flow_run_id",
                |model| json!({"any_": model.ids(Kind::FlowRun)}),
            ),
            ("parent_task_run_id", |model| {
                by_parent(model, Kind::TaskRun)
            }),
            ("idempotency_key", |model| {
                model.one(&[
                    json!({"any_": ["key-1", "key-2"]}),
                    json!({"not_any_": ["key-1"]}),
                    json!({"any_": []}),
                ])
            }),
        ],
        true,
    )
}

pub fn task_runs(model: &mut Model) -> Value {
    some(
        model,
        &[
            ("id", |model| json!({"any_": model.ids(Kind::TaskRun)})),
            ("name", |model| by_name(model, Kind::TaskRun)),
            ("tags", by_tags_without_any),
            ("state", by_state_without_not),
            ("start_time", |model| by_time(model, true)),
            ("end_time", |model| by_time(model, true)),
            ("expected_start_time", |model| by_time(model, false)),
            ("subflow_runs", |model| json!({"exists_": model.chance(50)})),
            ("flow_run_id", |model| by_parent(model, Kind::FlowRun)),
        ],
        true,
    )
}

pub fn deployments(model: &mut Model) -> Value {
    some(
        model,
        &[
            ("id", |model| by_id(model, Kind::Deployment)),
            ("name", |model| by_name(model, Kind::Deployment)),
            (
                "flow_or_deployment_name",
                |model| json!({"like_": model.one(&["flow", "deployment-1", "", "%"])}),
            ),
            ("paused", |model| json!({"eq_": model.chance(50)})),
            ("tags", by_tags),
            (
                "work_queue_name",
                |model| json!({"any_": model.names(Kind::Queue)}),
            ),
            ("concurrency_limit", |model| {
                model.one(&[
                    json!({"ge_": 1}),
                    json!({"le_": 1}),
                    json!({"is_null_": true}),
                    json!({"is_null_": false}),
                ])
            }),
        ],
        true,
    )
}

pub fn work_pools(model: &mut Model) -> Value {
    some(
        model,
        &[
            ("id", |model| json!({"any_": model.ids(Kind::Pool)})),
            ("name", |model| json!({"any_": model.names(Kind::Pool)})),
            (
                "type",
                |model| json!({"any_": [model.one(&["process", "docker", "prefect-agent"])]}),
            ),
        ],
        true,
    )
}

pub fn work_queues(model: &mut Model) -> Value {
    some(
        model,
        &[
            ("id", |model| json!({"any_": model.ids(Kind::Queue)})),
            ("name", |model| {
                let names = model.names(Kind::Queue);
                model.one(&[
                    json!({"any_": names}),
                    json!({"startswith_": ["queue", "DEF"]}),
                    json!({"startswith_": ["queue-1"]}),
                ])
            }),
        ],
        true,
    )
}

pub fn by_id(model: &mut Model, kind: Kind) -> Value {
    let ids = model.ids(kind);
    if model.chance(80) {
        json!({"any_": ids})
    } else {
        json!({"not_any_": ids})
    }
}

pub fn by_name(model: &mut Model, kind: Kind) -> Value {
    let names = model.names(kind);
    let like = model.one(&["1", "RUN-2", "flow", "_", "%2%", "", "-1"]);
    let both = json!({"any_": names, "like_": like});
    model.one(&[json!({"any_": names}), json!({"like_": like}), both])
}

pub fn by_tags(model: &mut Model) -> Value {
    let tags = tags(model);
    let is_null = model.chance(50);
    model.one(&[
        json!({"all_": tags}),
        json!({"any_": tags}),
        json!({"is_null_": is_null}),
        json!({"any_": tags, "is_null_": true, "operator": "or_"}),
        json!({"all_": tags, "is_null_": is_null}),
    ])
}

pub fn by_tags_without_any(model: &mut Model) -> Value {
    let tags = tags(model);
    let is_null = model.chance(50);
    model.one(&[
        json!({"all_": tags}),
        json!({"is_null_": is_null}),
        json!({"all_": tags, "is_null_": true, "operator": "or_"}),
    ])
}

fn by_parent(model: &mut Model, kind: Kind) -> Value {
    let ids = model.ids(kind);
    model.one(&[
        json!({"any_": ids}),
        json!({"any_": ids}),
        json!({"is_null_": true}),
        json!({"is_null_": false}),
        json!({"any_": ids, "is_null_": true, "operator": "or_"}),
    ])
}

fn by_state(model: &mut Model) -> Value {
    let kinds = model.one(&[
        json!(["SCHEDULED"]),
        json!(["RUNNING", "PENDING"]),
        json!(["COMPLETED", "FAILED", "CRASHED"]),
        json!([]),
    ]);
    let names = model.one(&[
        json!(["Scheduled", "Late"]),
        json!(["Running"]),
        json!(["AwaitingRetry", "Completed"]),
    ]);
    model.one(&[
        json!({"type": {"any_": kinds}}),
        json!({"type": {"not_any_": kinds}}),
        json!({"name": {"any_": names}}),
        json!({"name": {"not_any_": names}}),
        json!({"type": {"any_": kinds}, "name": {"any_": names}}),
        json!({"type": {"any_": kinds}, "name": {"any_": names}, "operator": "or_"}),
        json!({"type": {"any_": kinds, "not_any_": ["RUNNING"]}}),
        json!({"type": null, "name": {"any_": names}, "operator": "or_"}),
    ])
}

fn by_state_without_not(model: &mut Model) -> Value {
    let kinds = model.one(&[
        json!(["SCHEDULED"]),
        json!(["RUNNING", "PENDING"]),
        json!(["COMPLETED", "FAILED", "CRASHED"]),
        json!([]),
    ]);
    let names = model.one(&[
        json!(["Running"]),
        json!(["AwaitingRetry", "Completed"]),
        json!(["Retrying"]),
    ]);
    model.one(&[
        json!({"type": {"any_": kinds}}),
        json!({"name": {"any_": names}}),
        json!({"type": {"any_": kinds}, "name": {"any_": names}, "operator": "or_"}),
    ])
}

fn by_time(model: &mut Model, nullable: bool) -> Value {
    let (before, after) = (model.time(), model.time());
    let mut choices = vec![
        json!({"before_": before}),
        json!({"after_": after}),
        json!({"before_": before, "after_": after}),
    ];
    if nullable {
        choices.extend([
            json!({"is_null_": true}),
            json!({"is_null_": false}),
            json!({"before_": before, "is_null_": false}),
        ]);
    }
    model.one(&choices)
}
