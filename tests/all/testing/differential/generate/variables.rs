//! Operations on variables.

use serde_json::{Value, json};

use super::Choices;
use crate::testing::differential::filters::{by_name, by_tags_without_any};
use crate::testing::differential::model::{Kind, Model};
use crate::testing::differential::operation::Operation;
use crate::testing::differential::values::{page, some_of, tags, with};

pub const CHOICES: Choices = &[
    (8, create),
    (3, read),
    (3, by_its_name),
    (6, list),
    (3, count),
    (3, update),
    (3, update_by_name),
    (1, delete),
    (1, delete_by_name),
];

fn value(model: &mut Model) -> Value {
    model.one(&[
        json!("text"),
        json!(5),
        json!(1.5),
        json!(null),
        json!({"a": [1, "b"]}),
        json!([]),
        json!(true),
    ])
}

fn create(model: &mut Model) -> Operation {
    let name = match model.chance(15) {
        true => model.any(Kind::Variable).name,
        false => model.new_name("variable").replace('-', "_"),
    };
    let name = model.weighted(&[
        (30, name.clone()),
        (1, name.to_uppercase()),
        (1, format!("{name} x")),
        (1, String::new()),
    ]);
    let more = json!({"tags": tags(model), "value": value(model)});
    let body = with(json!({"name": name}), some_of(model, 80, more));
    Operation::post("/variables/", body).learn(|model, reply| model.know(Kind::Variable, reply, ""))
}

fn read(model: &mut Model) -> Operation {
    Operation::get(format!("/variables/{}", model.any(Kind::Variable).id))
}

fn by_its_name(model: &mut Model) -> Operation {
    Operation::get(format!(
        "/variables/name/{}",
        model.any(Kind::Variable).name
    ))
}

fn filter(model: &mut Model) -> Value {
    let all = json!({
        "id": {"any_": model.ids(Kind::Variable)},
        "name": by_name(model, Kind::Variable),
        "tags": by_tags_without_any(model),
    });
    json!({"variables": some_of(model, 35, all)})
}

fn list(model: &mut Model) -> Operation {
    let sort =
        json!({"sort": model.one(&["NAME_ASC", "NAME_DESC", "CREATED_DESC", "UPDATED_DESC"])});
    let body = with(filter(model), some_of(model, 70, sort));
    Operation::post("/variables/filter", page(model, body))
}

fn count(model: &mut Model) -> Operation {
    Operation::post("/variables/count", filter(model))
}

fn changes(model: &mut Model) -> Value {
    let name = match model.chance(30) {
        true => model.any(Kind::Variable).name,
        false => model.new_name("variable").replace('-', "_"),
    };
    let all = json!({"name": name, "value": value(model), "tags": tags(model)});
    some_of(model, 40, all)
}

fn update(model: &mut Model) -> Operation {
    let body = changes(model);
    Operation::patch(format!("/variables/{}", model.any(Kind::Variable).id), body)
}

fn update_by_name(model: &mut Model) -> Operation {
    let body = changes(model);
    Operation::patch(
        format!("/variables/name/{}", model.any(Kind::Variable).name),
        body,
    )
}

fn delete(model: &mut Model) -> Operation {
    Operation::delete(format!("/variables/{}", model.any(Kind::Variable).id))
}

fn delete_by_name(model: &mut Model) -> Operation {
    Operation::delete(format!(
        "/variables/name/{}",
        model.any(Kind::Variable).name
    ))
}
