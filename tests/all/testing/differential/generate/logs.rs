//! Operations on logs.

use serde_json::{Value, json};

use super::Choices;
use crate::testing::differential::model::{Kind, Model};
use crate::testing::differential::operation::{Operation, Order};
use crate::testing::differential::values::{some_of, with};

pub const CHOICES: Choices = &[(6, create), (6, list), (1, download)];

fn create(model: &mut Model) -> Operation {
    let count = model.one(&[0, 1, 2, 5]);
    let lines: Vec<_> = (0..count).map(|_| line(model)).collect();
    Operation::post("/logs/", json!(lines))
}

fn line(model: &mut Model) -> Value {
    let body = json!({
        "name": model.one(&["prefect.flow_runs", "mine"]),
        "level": model.one(&[10, 20, 30, 40]),
        "message": model.one(&["Beginning", "quoted \"text\", with commas", "error: it broke", "", "zwei\nZeilen"]),
        "timestamp": model.time(),
    });
    let of = json!({"flow_run_id": model.any(Kind::FlowRun).id, "task_run_id": model.any(Kind::TaskRun).id});
    with(body, some_of(model, 60, of))
}

fn list(model: &mut Model) -> Operation {
    let (time, tasks) = (model.time(), model.ids(Kind::TaskRun));
    let all = json!({
        "level": model.one(&[json!({"ge_": 20}), json!({"le_": 20}), json!({"ge_": 20, "le_": 30})]),
        "timestamp": model.one(&[json!({"before_": time}), json!({"after_": time})]),
        "flow_run_id": {"any_": model.ids(Kind::FlowRun)},
        "task_run_id": model.one(&[json!({"any_": tasks}), json!({"is_null_": true}), json!({"is_null_": false})]),
        "text": {"query": model.one(&["beginning", "error OR quoted", "-broke", "\"it broke\"", "+error broke", "mine"])},
        "operator": model.one(&["and_", "or_"]),
    });
    let sort = model.one(&["TIMESTAMP_ASC", "TIMESTAMP_DESC"]);
    let body = json!({"logs": some_of(model, 30, all), "sort": sort});
    // Lines of one moment are in no order: which of them are on a page is open.
    let body = with(
        body,
        model.weighted(&[
            (20, json!({})),
            (1, json!({"limit": 201})),
            (1, json!({"offset": -1})),
        ]),
    );
    Operation::post("/logs/filter", body).ordered(Order::By(&["timestamp"]))
}

fn download(model: &mut Model) -> Operation {
    Operation::get(format!(
        "/flow_runs/{}/logs/download",
        model.any(Kind::FlowRun).id
    ))
}
