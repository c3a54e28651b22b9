//! Operations on the inputs of flow runs.

use serde_json::json;

use super::Choices;
use crate::testing::differential::model::{Kind, Model};
use crate::testing::differential::operation::{Operation, Order};
use crate::testing::differential::values::{some_of, with};

pub const CHOICES: Choices = &[(8, create), (4, read), (5, list), (2, delete)];

/// Keys as pauses use them, with a schema that the fake checks as the server does.
const KEYS: &[&str] = &[
    "in-schema",
    "in-response",
    "in-description",
    "other",
    "in-1",
];

fn path(model: &mut Model) -> String {
    format!("/flow_runs/{}/input", model.any(Kind::FlowRun).id)
}

fn create(model: &mut Model) -> Operation {
    let key = model.one(KEYS);
    let schema =
        json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let value = match key {
        "in-schema" => model.one(&[schema.to_string(), "{}".to_owned(), "no json".to_owned()]),
        _ => model.one(&["5", "\"text\"", "", "ünï"]).to_owned(),
    };
    let body = json!({"key": key, "value": value});
    let more = json!({"sender": model.one(&[json!("me"), json!(null)])});
    Operation::post(path(model), with(body, some_of(model, 40, more)))
}

fn read(model: &mut Model) -> Operation {
    let key = model.one(KEYS);
    Operation::get(format!("{}/{key}", path(model)))
}

fn list(model: &mut Model) -> Operation {
    let body = json!({"prefix": model.one(&["in-", "", "other", "IN"]), "limit": 10});
    let more = json!({"exclude_keys": model.one(&[json!([]), json!(["in-schema"])])});
    let body = with(body, some_of(model, 30, more));
    Operation::post(format!("{}/filter", path(model)), body).ordered(Order::Given)
}

fn delete(model: &mut Model) -> Operation {
    let key = model.one(KEYS);
    Operation::delete(format!("{}/{key}", path(model)))
}
