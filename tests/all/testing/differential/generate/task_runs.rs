//! Operations on task runs.

use serde_json::{Value, json};

use super::Choices;
use super::flow_runs::interval;
use super::states::{proposal, state};
use crate::testing::differential::filters::{Of, filters};
use crate::testing::differential::model::{Kind, Model};
use crate::testing::differential::operation::{Operation, Order};
use crate::testing::differential::values::{labels, numbered_page, page, some_of, tags, with};

pub const CHOICES: Choices = &[
    (26, create),
    (34, set_state),
    (6, read),
    (12, list),
    (5, paginate),
    (5, count),
    (2, history),
    (3, update),
    (2, delete),
    (3, states),
    (2, read_state),
    (2, read_for_ui),
    (2, counts),
];

const JOINED: &[Of] = &[Of::TaskRuns, Of::FlowRuns, Of::Flows, Of::Deployments];

const ORDERS: &[(&str, Order)] = &[
    ("ID_DESC", Order::Open),
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

fn create(model: &mut Model) -> Operation {
    let run = model.any(Kind::FlowRun).id;
    let mut body = json!({
        "task_key": model.one(&["task-a", "task-b"]),
        "dynamic_key": match model.chance(10) {
            true => "again".to_owned(),
            false => model.new_name("key"),
        },
    });
    if model.chance(90) {
        body["flow_run_id"] = json!(run);
    }
    if model.chance(92) {
        body["name"] = json!(model.new_name("task"));
    }
    if model.chance(60) {
        body["state"] = state(model);
        // With a state that has data, the server creates the task run, and fails to tell of it: it would never be named.
        body["name"] = json!(model.new_name("task"));
    }
    if model.chance(5) {
        body["id"] = json!(model.stranger());
    }
    let inputs = json!({
        "x": [{"input_type": "task_run", "id": model.any(Kind::TaskRun).id}],
        "y": [{"input_type": "constant", "type": "int"}, {"input_type": "parameter", "name": "p"}],
    });
    let policy = json!({
        "max_retries": 1,
        "retries": model.one(&[0, 1, 3]),
        "retry_delay": model.one(&[json!(0), json!(3600), json!([0, 3600]), json!(null), json!([])]),
        "retry_jitter_factor": model.one(&[json!(0.5), json!(null)]),
    });
    let more = json!({
        "empirical_policy": some_of(model, 60, policy),
        "tags": tags(model),
        "labels": labels(model),
        "task_inputs": some_of(model, 60, inputs),
        "task_version": "v1",
        "cache_key": model.one(&[json!("cache-1"), json!(null)]),
        "cache_expiration": model.time(),
    });
    let body = with(body, some_of(model, 30, more));
    Operation::post("/task_runs/", body).learn(move |model, reply| {
        model.know(Kind::TaskRun, reply, &run);
        model.know(Kind::TaskRunState, &reply["state"], "");
    })
}

fn set_state(model: &mut Model) -> Operation {
    let task = model.any(Kind::TaskRun).id;
    let body = proposal(model);
    Operation::post(format!("/task_runs/{task}/set_state"), body)
        .learn(move |model, reply| model.know(Kind::TaskRunState, &reply["state"], &task))
}

fn read(model: &mut Model) -> Operation {
    Operation::get(format!("/task_runs/{}", model.any(Kind::TaskRun).id))
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
    let body = match order {
        Order::By(["name"]) => page(model, body),
        _ => body,
    };
    Operation::post("/task_runs/filter", body).ordered(order)
}

fn paginate(model: &mut Model) -> Operation {
    let (body, order) = sorted(model);
    let body = match order {
        Order::By(["name"]) => numbered_page(model, body),
        _ => body,
    };
    Operation::post("/task_runs/paginate", body).ordered(order)
}

fn count(model: &mut Model) -> Operation {
    Operation::post("/task_runs/count", filters(model, JOINED))
}

fn history(model: &mut Model) -> Operation {
    let filter = filters(model, JOINED);
    Operation::post("/task_runs/history", with(filter, interval(model))).open(&["$[].states"])
}

fn update(model: &mut Model) -> Operation {
    let body = json!({"name": model.new_name("renamed-task")});
    let body = some_of(model, 90, body);
    Operation::patch(format!("/task_runs/{}", model.any(Kind::TaskRun).id), body)
}

fn delete(model: &mut Model) -> Operation {
    Operation::delete(format!("/task_runs/{}", model.any(Kind::TaskRun).id))
        .settles(super::server::BACKGROUND)
}

fn states(model: &mut Model) -> Operation {
    let task = model.any(Kind::TaskRun).id;
    Operation::get(format!("/task_run_states/?task_run_id={task}"))
}

fn read_state(model: &mut Model) -> Operation {
    Operation::get(format!(
        "/task_run_states/{}",
        model.any(Kind::TaskRunState).id
    ))
}

fn read_for_ui(model: &mut Model) -> Operation {
    Operation::get(format!("/ui/task_runs/{}", model.any(Kind::TaskRun).id))
}

fn counts(model: &mut Model) -> Operation {
    Operation::post("/ui/task_runs/count", filters(model, JOINED))
}
