//! Operations on work queues by the older routes, which name no pool.

use serde_json::{Value, json};

use super::Choices;
use super::work_pools::queue_settings;
use crate::testing::differential::filters::work_queues;
use crate::testing::differential::model::{Kind, Model};
use crate::testing::differential::operation::{Operation, Order};
use crate::testing::differential::values::{page, some_of, with};

pub const CHOICES: Choices = &[
    (3, create),
    (3, read),
    (2, by_name),
    (3, list),
    (3, update),
    (1, delete),
    (2, status),
    (2, polled),
    (4, runs),
];

/// The pool of queues that name none.
const POOL: &str = "default-agent-pool";

fn create(model: &mut Model) -> Operation {
    let name = match model.chance(15) {
        true => model.any(Kind::Queue).name,
        false => model.new_name("old-queue"),
    };
    let more = queue_settings(model);
    let body = with(json!({"name": name}), some_of(model, 30, more));
    Operation::post("/work_queues/", body)
        .learn(|model, reply| model.know(Kind::Queue, reply, POOL))
}

fn path(model: &mut Model) -> String {
    format!("/work_queues/{}", model.any(Kind::Queue).id)
}

fn read(model: &mut Model) -> Operation {
    Operation::get(path(model))
}

fn by_name(model: &mut Model) -> Operation {
    let queue = model.any_where(Kind::Queue, |queue| queue.of == POOL);
    Operation::get(format!("/work_queues/name/{}", queue.name))
}

fn list(model: &mut Model) -> Operation {
    let body = json!({"work_queues": work_queues(model)});
    let body = some_of(model, 80, body);
    Operation::post("/work_queues/filter", page(model, body)).ordered(Order::By(&["name"]))
}

fn update(model: &mut Model) -> Operation {
    let all = queue_settings(model);
    let body: Value = some_of(model, 30, all);
    Operation::patch(path(model), body)
}

fn delete(model: &mut Model) -> Operation {
    let queue = model.any_where(Kind::Queue, |queue| queue.of == POOL);
    Operation::delete(format!("/work_queues/{}", queue.id))
}

fn status(model: &mut Model) -> Operation {
    // The runs are in the order of their ids, so which are on a page is open.
    let body = model.one(&[
        json!({}),
        json!({"page": 1, "limit": 200}),
        json!({"page": 0}),
        json!({"limit": 201}),
    ]);
    Operation::post(format!("{}/concurrency_status", path(model)), body).open(&["$.flow_runs"])
}

fn polled(model: &mut Model) -> Operation {
    Operation::get(format!("{}/status", path(model)))
}

fn runs(model: &mut Model) -> Operation {
    let all = json!({"limit": model.one(&[200, 3]), "scheduled_before": model.time()});
    let body = some_of(model, 50, all);
    Operation::post(format!("{}/get_runs", path(model)), body)
        .ordered(Order::By(&["next_scheduled_start_time"]))
        .settles(super::server::BACKGROUND)
}
