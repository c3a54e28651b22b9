//! Operations on the limits of tags.

use serde_json::json;

use super::Choices;
use crate::testing::differential::model::{Kind, Known, Model};
use crate::testing::differential::operation::{Operation, Order};
use crate::testing::differential::values::page;

pub const CHOICES: Choices = &[
    (6, create),
    (3, read),
    (3, by_tag),
    (3, list),
    (2, reset),
    (1, delete),
    (1, delete_by_tag),
    (8, increment),
    (6, decrement),
];

/// The tags that have limits.
///
/// Task runs have none of them but the first, whose limit is 0: on SQLite, the server waits for itself when it takes a slot for a task run that is to
/// be RUNNING, and answers 503 after a minute.
const TAGS: &[&str] = &["red", "tag-1", "tag-2", "tag-3"];

fn create(model: &mut Model) -> Operation {
    let tag = model.one(TAGS);
    let limit = if tag == TAGS[0] {
        0
    } else {
        model.one(&[0, 1, 1, 2, 3])
    };
    let body = json!({"tag": tag, "concurrency_limit": limit});
    Operation::post("/concurrency_limits/", body).learn(move |model, reply| {
        model.know(Kind::Tag, reply, tag);
    })
}

fn read(model: &mut Model) -> Operation {
    Operation::get(format!("/concurrency_limits/{}", model.any(Kind::Tag).id))
        .open(&["$.active_slots"])
}

fn by_tag(model: &mut Model) -> Operation {
    let tag = model.one(TAGS);
    Operation::get(format!("/concurrency_limits/tag/{tag}")).open(&["$.active_slots"])
}

fn list(model: &mut Model) -> Operation {
    Operation::post("/concurrency_limits/filter", page(model, json!({})))
        .ordered(Order::By(&["tag"]))
        .open(&["$[].active_slots"])
}

fn reset(model: &mut Model) -> Operation {
    let tag = model.one(TAGS);
    let task = model.any(Kind::TaskRun).id;
    let body = model.one(&[
        json!({}),
        json!({"slot_override": null}),
        json!({"slot_override": [task]}),
        json!({"slot_override": []}),
    ]);
    Operation::post(format!("/concurrency_limits/tag/{tag}/reset"), body)
}

fn delete(model: &mut Model) -> Operation {
    let Known { id, .. } = model.any(Kind::Tag);
    Operation::delete(format!("/concurrency_limits/{id}"))
}

fn delete_by_tag(model: &mut Model) -> Operation {
    Operation::delete(format!("/concurrency_limits/tag/{}", model.one(TAGS)))
}

fn names(model: &mut Model) -> Vec<&'static str> {
    let count = model.weighted(&[(1, 0), (6, 1), (3, 2)]);
    (0..count).map(|_| model.one(TAGS)).collect()
}

fn increment(model: &mut Model) -> Operation {
    let body = json!({"names": names(model), "task_run_id": model.any(Kind::TaskRun).id});
    Operation::post("/concurrency_limits/increment", body)
}

fn decrement(model: &mut Model) -> Operation {
    let body = json!({"names": names(model), "task_run_id": model.any(Kind::TaskRun).id});
    Operation::post("/concurrency_limits/decrement", body)
}
