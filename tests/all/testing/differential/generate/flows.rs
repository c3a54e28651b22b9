//! Operations on flows.

use serde_json::json;

use super::Choices;
use crate::testing::differential::filters::{Of, filters};
use crate::testing::differential::model::{Kind, Model};
use crate::testing::differential::operation::{Operation, Order};
use crate::testing::differential::values::{labels, numbered_page, page, some_of, tags, with};

pub const CHOICES: Choices = &[
    (8, create),
    (3, read),
    (2, by_name),
    (5, list),
    (3, count),
    (3, paginate),
    (3, update),
    (1, delete),
    (1, bulk_delete),
    (1, deployments),
    (1, next_runs),
];

const JOINED: &[Of] = &[
    Of::Flows,
    Of::FlowRuns,
    Of::TaskRuns,
    Of::Deployments,
    Of::WorkPools,
];

fn create(model: &mut Model) -> Operation {
    let name = match model.chance(15) {
        true => model.any(Kind::Flow).name,
        false => model.new_name("flow"),
    };
    let more = json!({"tags": tags(model), "labels": labels(model)});
    let body = with(json!({"name": name}), some_of(model, 50, more));
    Operation::post("/flows/", body).learn(|model, reply| model.know(Kind::Flow, reply, ""))
}

fn read(model: &mut Model) -> Operation {
    Operation::get(format!("/flows/{}", model.any(Kind::Flow).id))
}

fn by_name(model: &mut Model) -> Operation {
    Operation::get(format!("/flows/name/{}", model.any(Kind::Flow).name))
}

fn sorted(model: &mut Model) -> serde_json::Value {
    let sort = model.one(&["NAME_ASC", "NAME_DESC", "CREATED_DESC", "UPDATED_DESC"]);
    let body = filters(model, JOINED);
    if model.chance(70) {
        with(body, json!({"sort": sort}))
    } else {
        body
    }
}

fn list(model: &mut Model) -> Operation {
    let body = sorted(model);
    Operation::post("/flows/filter", page(model, body))
}

fn count(model: &mut Model) -> Operation {
    Operation::post("/flows/count", filters(model, JOINED))
}

fn paginate(model: &mut Model) -> Operation {
    let body = sorted(model);
    Operation::post("/flows/paginate", numbered_page(model, body))
}

fn update(model: &mut Model) -> Operation {
    let body = json!({"tags": tags(model)});
    let body = some_of(model, 90, body);
    Operation::patch(format!("/flows/{}", model.any(Kind::Flow).id), body)
}

fn delete(model: &mut Model) -> Operation {
    Operation::delete(format!("/flows/{}", model.any(Kind::Flow).id))
}

fn bulk_delete(model: &mut Model) -> Operation {
    let ids = [
        json!(model.any(Kind::Flow).id),
        json!(model.any(Kind::Flow).id),
    ];
    let limit = model.one(&[json!(50), json!(50), json!(0), json!(51)]);
    let body = json!({"flows": {"id": {"any_": ids}}, "limit": limit});
    Operation::post("/flows/bulk_delete", body).open(&["$.deleted"])
}

fn deployments(model: &mut Model) -> Operation {
    let body = json!({"flow_ids": model.ids(Kind::Flow)});
    Operation::post("/ui/flows/count-deployments", body)
}

fn next_runs(model: &mut Model) -> Operation {
    let body = json!({"flow_ids": model.ids(Kind::Flow)});
    Operation::post("/ui/flows/next-runs", body).ordered(Order::Open)
}
