//! Operations on artifacts.

use serde_json::{Value, json};

use super::Choices;
use crate::testing::differential::filters::{Of, filters};
use crate::testing::differential::model::{Kind, Model};
use crate::testing::differential::operation::{Operation, Order};
use crate::testing::differential::values::{page, some_of, with};

pub const CHOICES: Choices = &[
    (8, create),
    (3, read),
    (3, latest),
    (5, list),
    (2, count),
    (4, list_latest),
    (2, count_latest),
    (3, update),
    (2, delete),
];

const KEYS: &[&str] = &["report", "table-1", "link", "progress"];

const JOINED: &[Of] = &[Of::FlowRuns, Of::TaskRuns, Of::Flows, Of::Deployments];

fn data(model: &mut Model) -> Value {
    model.one(&[
        json!("# text"),
        json!({"a": 1}),
        json!([{"a": 1}]),
        json!(5),
        json!(null),
        json!(12.5),
    ])
}

fn create(model: &mut Model) -> Operation {
    let all = json!({
        "key": model.one(&[json!("report"), json!("table-1"), json!("link"), json!(null), json!("Not Allowed")]),
        "type": model.one(&[json!("markdown"), json!("table"), json!("result"), json!(null)]),
        "description": "what it is",
        "data": data(model),
        "metadata_": model.one(&[json!({"k": "v"}), json!(null)]),
        "flow_run_id": model.any(Kind::FlowRun).id,
        "task_run_id": model.any(Kind::TaskRun).id,
    });
    let body = some_of(model, 65, all);
    Operation::post("/artifacts/", body).learn(|model, reply| model.know(Kind::Artifact, reply, ""))
}

fn read(model: &mut Model) -> Operation {
    Operation::get(format!("/artifacts/{}", model.any(Kind::Artifact).id))
}

fn latest(model: &mut Model) -> Operation {
    Operation::get(format!("/artifacts/{}/latest", model.one(KEYS)))
}

/// A filter of artifacts, or of the newest of each key.
fn filter(model: &mut Model, id: &str) -> Value {
    let all = json!({
        id: {"any_": model.ids(Kind::Artifact)},
        "key": model.one(&[
            json!({"any_": ["report", "link"]}),
            json!({"like_": "TABLE"}),
            json!({"exists_": true}),
            json!({"exists_": false}),
        ]),
        "flow_run_id": {"any_": model.ids(Kind::FlowRun)},
        "task_run_id": {"any_": model.ids(Kind::TaskRun)},
        "type": model.one(&[json!({"any_": ["markdown", "table"]}), json!({"not_any_": ["result"]}), json!({"not_any_": []})]),
        "operator": model.one(&["and_", "or_"]),
    });
    let own = json!({"artifacts": some_of(model, 30, all)});
    let others = filters(model, JOINED);
    match model.chance(80) {
        true => own,
        false => with(own, others),
    }
}

/// A list whose order is `ID_DESC` is not cut: which rows are on a page is open.
fn sorted(model: &mut Model, body: Value) -> (Value, Order) {
    let sort = model.one(&[
        "CREATED_DESC",
        "UPDATED_DESC",
        "ID_DESC",
        "KEY_ASC",
        "KEY_DESC",
    ]);
    let body = with(body, json!({"sort": sort}));
    match sort {
        "ID_DESC" => (body, Order::Open),
        "KEY_ASC" | "KEY_DESC" => (body, Order::By(&["key"])),
        _ => (page(model, body), Order::Given),
    }
}

fn list(model: &mut Model) -> Operation {
    let body = filter(model, "id");
    let (body, order) = sorted(model, body);
    Operation::post("/artifacts/filter", body).ordered(order)
}

fn count(model: &mut Model) -> Operation {
    Operation::post("/artifacts/count", filter(model, "id"))
}

fn list_latest(model: &mut Model) -> Operation {
    let body = filter(model, "latest_id");
    let (body, order) = sorted(model, body);
    Operation::post("/artifacts/latest/filter", body).ordered(order)
}

fn count_latest(model: &mut Model) -> Operation {
    Operation::post("/artifacts/latest/count", filter(model, "latest_id"))
}

fn update(model: &mut Model) -> Operation {
    let all = json!({
        "data": data(model),
        "description": model.one(&[json!("changed"), json!(null)]),
        "metadata_": model.one(&[json!({"k": "w"}), json!(null)]),
    });
    let body = some_of(model, 50, all);
    Operation::patch(format!("/artifacts/{}", model.any(Kind::Artifact).id), body)
}

fn delete(model: &mut Model) -> Operation {
    Operation::delete(format!("/artifacts/{}", model.any(Kind::Artifact).id))
}
