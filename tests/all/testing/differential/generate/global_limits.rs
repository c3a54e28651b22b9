//! Operations on global limits, and their leases.

use serde_json::{Value, json};

use super::Choices;
use crate::testing::differential::model::{Kind, Known, Model};
use crate::testing::differential::operation::{Operation, Order};
use crate::testing::differential::values::{some_of, with};

pub const CHOICES: Choices = &[
    (8, create),
    (4, read),
    (4, list),
    (4, update),
    (1, delete),
    (8, increment),
    (6, decrement),
    (10, with_lease),
    (6, renew),
    (5, release),
];

/// The id or the name of a limit.
fn named(model: &mut Model) -> String {
    let limit = model.any(Kind::Limit);
    if model.chance(50) {
        limit.id
    } else {
        limit.name
    }
}

fn create(model: &mut Model) -> Operation {
    let name = match model.chance(15) {
        true => model.any(Kind::Limit).name,
        false => model.new_name("limit"),
    };
    let body = json!({"name": name, "limit": model.one(&[0, 1, 2, 5, -1])});
    let more = json!({
        "active": model.chance(60),
        "active_slots": model.one(&[0, 1]),
        "denied_slots": model.one(&[0, 2]),
        "slot_decay_per_second": model.one(&[json!(0.0), json!(0), json!(0.000_001), json!(-1)]),
    });
    let body = with(body, some_of(model, 20, more));
    Operation::post("/v2/concurrency_limits/", body)
        .learn(|model, reply| model.know(Kind::Limit, reply, ""))
}

fn read(model: &mut Model) -> Operation {
    Operation::get(format!("/v2/concurrency_limits/{}", named(model)))
}

fn list(model: &mut Model) -> Operation {
    // Limits of deployments are named by their ids: their order is open, and so is what is on a page.
    let page = model.one(&[
        json!({}),
        json!({}),
        json!({"limit": 201}),
        json!({"offset": -1}),
    ]);
    Operation::post("/v2/concurrency_limits/filter", page).ordered(Order::Open)
}

fn update(model: &mut Model) -> Operation {
    let all = json!({
        "active": model.one(&[json!(true), json!(true), json!(false), json!(null)]),
        "name": model.new_name("limit"),
        "limit": model.one(&[json!(0), json!(1), json!(3), json!(null)]),
        "active_slots": model.one(&[0, 1, 9]),
        "denied_slots": model.one(&[0, 1]),
        "slot_decay_per_second": model.one(&[json!(0.0), json!(0.000_001)]),
    });
    let body = some_of(model, 25, all);
    Operation::patch(format!("/v2/concurrency_limits/{}", named(model)), body)
}

fn delete(model: &mut Model) -> Operation {
    Operation::delete(format!("/v2/concurrency_limits/{}", named(model)))
}

fn slots(model: &mut Model) -> Value {
    let mut names = model.names(Kind::Limit);
    if model.chance(10) {
        names.push(json!("tag:tag-1"));
    }
    let body = json!({"names": names, "slots": model.weighted(&[(20, 1), (6, 2), (1, 0)])});
    let mode = json!({"mode": model.one(&["concurrency", "concurrency", "rate_limit"])});
    with(body, some_of(model, 30, mode))
}

fn increment(model: &mut Model) -> Operation {
    Operation::post("/v2/concurrency_limits/increment", slots(model))
}

fn decrement(model: &mut Model) -> Operation {
    let mut body = slots(model);
    if let Value::Object(body) = &mut body {
        body.remove("mode");
    }
    let more = json!({"occupancy_seconds": model.one(&[json!(2.0), json!(0.5), json!(0)])});
    let body = with(body, some_of(model, 30, more));
    Operation::post("/v2/concurrency_limits/decrement", body)
}

fn with_lease(model: &mut Model) -> Operation {
    let kind = model.one(&["flow_run", "task_run", "deployment"]);
    let of = match kind {
        "flow_run" => Kind::FlowRun,
        "task_run" => Kind::TaskRun,
        _ => Kind::Deployment,
    };
    let holder = model.any(of).id;
    let more = json!({
        "lease_duration": model.one(&[json!(3600), json!(600.5), json!(59), json!(86401)]),
        "holder": model.one(&[json!(null), json!({"type": kind, "id": holder})]),
    });
    let body = with(slots(model), some_of(model, 60, more));
    Operation::post("/v2/concurrency_limits/increment-with-lease", body).learn(|model, reply| {
        if let Some(id) = reply["lease_id"].as_str() {
            model.add(
                Kind::Lease,
                Known {
                    id: id.to_owned(),
                    ..Known::default()
                },
            );
        }
    })
}

fn renew(model: &mut Model) -> Operation {
    let lease = model.any(Kind::Lease).id;
    let duration = model.one(&[3600, 900, 30]);
    let path = format!("/v2/concurrency_limits/leases/{lease}/renew");
    Operation::post(path, json!({"lease_duration": duration}))
}

fn release(model: &mut Model) -> Operation {
    let lease = model.any(Kind::Lease).id;
    Operation::post(
        "/v2/concurrency_limits/decrement-with-lease",
        json!({"lease_id": lease}),
    )
}
