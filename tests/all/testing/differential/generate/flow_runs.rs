//! Operations on flow runs, but for their states.

use serde_json::{Value, json};

use super::Choices;
use super::states::state;
use crate::testing::differential::filters::{Of, filters};
use crate::testing::differential::model::{Kind, Model};
use crate::testing::differential::operation::{Operation, Order};
use crate::testing::differential::values::{
    labels, numbered_page, page, parameters, some_of, tags, with,
};

pub const CHOICES: Choices = &[
    (30, create),
    (10, read),
    (24, list),
    (10, count),
    (8, paginate),
    (4, lateness),
    (10, update),
    (4, update_labels),
    (5, delete),
    (2, bulk_delete),
    (3, history),
    (2, ui_history),
    (2, graph),
    (1, count_task_runs),
];

const JOINED: &[Of] = &[
    Of::FlowRuns,
    Of::Flows,
    Of::TaskRuns,
    Of::Deployments,
    Of::WorkPools,
    Of::WorkQueues,
];

/// The orders of a list, with what is known of it.
const ORDERS: &[(&str, Order)] = &[
    ("ID_DESC", Order::Open),
    (
        "START_TIME_ASC",
        Order::By(&["start_time", "expected_start_time"]),
    ),
    (
        "START_TIME_DESC",
        Order::By(&["start_time", "expected_start_time"]),
    ),
    (
        "EXPECTED_START_TIME_ASC",
        Order::By(&["expected_start_time"]),
    ),
    (
        "EXPECTED_START_TIME_DESC",
        Order::By(&["expected_start_time"]),
    ),
    ("NAME_ASC", Order::By(&["name"])),
    ("NAME_DESC", Order::By(&["name"])),
    (
        "NEXT_SCHEDULED_START_TIME_ASC",
        Order::By(&["next_scheduled_start_time"]),
    ),
    ("END_TIME_DESC", Order::By(&["end_time"])),
];

/// What runs belong to that are neither of a deployment nor subflows.
pub const PLAIN: &str = "plain";

/// What a server does about retries and pauses of a run.
pub fn policy(model: &mut Model) -> Value {
    let all = json!({
        "retries": model.one(&[json!(0), json!(1), json!(2), json!(null)]),
        "retry_delay": model.one(&[json!(0), json!(3600), json!(null), json!(1.5)]),
        "pause_keys": model.one(&[json!([]), json!(["pause-1"])]),
        "resuming": model.one(&[json!(false), json!(true), json!(null)]),
        "retry_type": model.one(&[json!(null), json!("in_process"), json!("reschedule")]),
    });
    some_of(model, 40, all)
}

fn create(model: &mut Model) -> Operation {
    let mut flow = model.any(Kind::Flow);
    if model.of(Kind::Flow).is_empty() {
        flow.id = model.stranger();
    }
    let name = match model.chance(8) {
        true => model.any(Kind::FlowRun).name,
        false => model.new_name("run"),
    };
    let mut body = json!({"flow_id": flow.id});
    if model.chance(94) {
        body["name"] = json!(name);
    }
    if model.chance(65) {
        body["state"] = match model.chance(3) {
            true => Value::Null,
            false => state(model),
        };
    }
    let more = json!({
        "parameters": parameters(model),
        "context": model.one(&[json!({}), json!({"a": 1})]),
        "empirical_policy": policy(model),
        "tags": tags(model),
        "labels": labels(model),
        "flow_version": model.one(&[json!("v1"), json!("v2"), json!(null)]),
        "idempotency_key": model.one(&[json!("key-1"), json!("key-2"), json!("key-3"), json!(""), json!(null)]),
        "job_variables": model.one(&[json!({"a": 1}), json!({}), json!(null)]),
    });
    let mut body = with(body, some_of(model, 25, more));
    if model.chance(12) {
        body["parent_task_run_id"] = json!(model.any(Kind::TaskRun).id);
    }
    if model.chance(2) {
        body["infrastructure_document_id"] = json!(model.stranger());
    }
    if model.chance(2) {
        body["no_such_key"] = json!(1);
    }
    Operation::post("/flow_runs/", body).learn(|model, reply| {
        let is_subflow = reply["parent_task_run_id"].is_string();
        model.know(Kind::FlowRun, reply, if is_subflow { "" } else { PLAIN });
        model.know(Kind::FlowRunState, &reply["state"], "");
    })
}

fn read(model: &mut Model) -> Operation {
    Operation::get(format!("/flow_runs/{}", model.any(Kind::FlowRun).id))
}

fn sorted(model: &mut Model) -> (Value, Order) {
    let (sort, order) = model.one(ORDERS);
    let body = filters(model, JOINED);
    match model.chance(75) {
        true => (with(body, json!({"sort": sort})), order),
        false => (body, Order::Open),
    }
}

fn list(model: &mut Model) -> Operation {
    let (body, order) = sorted(model);
    // Which rows are on a page is open where their order is.
    let body = if is_total(order) {
        page(model, body)
    } else {
        body
    };
    Operation::post("/flow_runs/filter", body).ordered(order)
}

/// Whether an order leaves nothing open but for rare cases.
fn is_total(order: Order) -> bool {
    matches!(order, Order::Given) || matches!(order, Order::By(["name"]))
}

fn count(model: &mut Model) -> Operation {
    Operation::post("/flow_runs/count", filters(model, JOINED))
}

fn paginate(model: &mut Model) -> Operation {
    let (body, order) = sorted(model);
    let body = if is_total(order) {
        numbered_page(model, body)
    } else {
        body
    };
    Operation::post("/flow_runs/paginate", body).ordered(order)
}

fn lateness(model: &mut Model) -> Operation {
    Operation::post("/flow_runs/lateness", filters(model, JOINED))
}

fn update(model: &mut Model) -> Operation {
    let run = model.any(Kind::FlowRun);
    let body = json!({
        "name": model.new_name("renamed"),
        "flow_version": model.one(&[json!("v2"), json!(null)]),
        "parameters": parameters(model),
        "empirical_policy": policy(model),
        "tags": tags(model),
        "infrastructure_pid": model.one(&[json!("host:1"), json!(null), json!("")]),
    });
    let mut body = some_of(model, 30, body);
    if model.chance(8) {
        body["job_variables"] = model.one(&[json!({"b": 2}), json!(null)]);
    }
    if model.chance(2) {
        body["name"] = Value::Null;
    }
    let is_unnamed = body.get("name").is_some_and(Value::is_null);
    let read = Operation::get(format!("/flow_runs/{}", run.id));
    Operation::patch(format!("/flow_runs/{}", run.id), body).learn(move |model, _| {
        // Each server gives it a name of its own, which is replaced when it is seen.
        if is_unnamed {
            model.then(read);
        }
    })
}

fn update_labels(model: &mut Model) -> Operation {
    let body = labels(model);
    Operation::patch(
        format!("/flow_runs/{}/labels", model.any(Kind::FlowRun).id),
        body,
    )
}

fn delete(model: &mut Model) -> Operation {
    let run = model.any(Kind::FlowRun);
    let settles = super::server::BACKGROUND;
    Operation::delete(format!("/flow_runs/{}", run.id)).settles(settles)
}

fn bulk_delete(model: &mut Model) -> Operation {
    let ids = model.ids(Kind::FlowRun);
    let ids = if ids.is_empty() {
        vec![json!(model.any(Kind::FlowRun).id)]
    } else {
        ids
    };
    let limit = model.one(&[json!(50), json!(50), json!(0), json!(51)]);
    let body = json!({"flow_runs": {"id": {"any_": ids}}, "limit": limit});
    Operation::post("/flow_runs/bulk_delete", body)
        .open(&["$.deleted"])
        .settles(super::server::BACKGROUND)
}

fn history(model: &mut Model) -> Operation {
    let filter = filters(model, &JOINED[..4]);
    Operation::post("/flow_runs/history", with(filter, interval(model))).open(&["$[].states"])
}

/// The time of a history: days, so that the moment of a request does not matter.
pub fn interval(model: &mut Model) -> Value {
    let seconds = model.one(&[86_400.0, 43_200.0, 7_200.0, 0.5]);
    json!({"history_start": model.at(-2900), "history_end": model.at(2900), "history_interval_seconds": seconds})
}

fn ui_history(model: &mut Model) -> Operation {
    let filter = filters(model, &JOINED[..5]);
    let sort = with(filter, json!({"sort": "EXPECTED_START_TIME_DESC"}));
    Operation::post("/ui/flow_runs/history", sort).ordered(Order::Open)
}

fn graph(model: &mut Model) -> Operation {
    let run = model.any(Kind::FlowRun).id;
    let path = model.one(&["graph-v2", "graph-v2", "graph"]);
    Operation::get(format!("/flow_runs/{run}/{path}"))
        .ordered(Order::Open)
        .open(&[
            "$.nodes",
            "$.root_node_ids",
            "$.nodes[][].children",
            "$.nodes[][].parents",
        ])
}

fn count_task_runs(model: &mut Model) -> Operation {
    let body = json!({"flow_run_ids": model.ids(Kind::FlowRun)});
    Operation::post("/ui/flow_runs/count-task-runs", body)
}
