//! Operations on deployments, and the runs that are made of them.

use serde_json::{Value, json};

use super::Choices;
use super::flow_runs::policy;
use super::schedules::schedules;
use super::states::state;
use crate::testing::differential::filters::{Of, filters};
use crate::testing::differential::model::{Kind, Known, Model};
use crate::testing::differential::operation::{Operation, Order};
use crate::testing::differential::values::{
    labels, numbered_page, page, parameters, some_of, tags, with,
};

pub const CHOICES: Choices = &[
    (14, create),
    (4, read),
    (3, by_name),
    (8, list),
    (3, count),
    (3, paginate),
    (12, update),
    (2, delete),
    (1, bulk_delete),
    (26, create_run),
    (4, create_runs),
    (3, pause),
    (6, scheduled_runs),
    (2, queue_check),
];

const JOINED: &[Of] = &[
    Of::Deployments,
    Of::Flows,
    Of::FlowRuns,
    Of::TaskRuns,
    Of::WorkPools,
    Of::WorkQueues,
];

/// A schema of parameters.
fn schema(model: &mut Model) -> Value {
    let number = json!({"type": "object", "properties": {"n": {"type": "integer", "title": "n", "position": 0}}});
    let required = with(number.clone(), json!({"required": ["n"]}));
    let several = json!({"title": "Parameters", "type": "object", "required": ["text"], "properties": {
        "text": {"type": "string", "minLength": 1}, "n": {"type": "integer", "default": 1}, "list": {"type": "array"},
    }, "definitions": {}});
    model.one(&[
        number,
        required,
        several,
        json!({"type": "object", "properties": {}}),
        json!({}),
        json!(null),
    ])
}

/// What a deployment has besides its name and its flow.
fn settings(model: &mut Model) -> Value {
    let (pool, queue) = place(model);
    json!({
        "paused": model.chance(50),
        "description": model.one(&[json!("what it does"), json!(null)]),
        "version": model.one(&[json!("1.0"), json!(null)]),
        "tags": tags(model),
        "entrypoint": "flow.py:flow",
        "path": model.one(&[json!("/opt"), json!(null)]),
        "parameters": parameters(model),
        "parameter_openapi_schema": schema(model),
        "enforce_parameter_schema": model.chance(50),
        "concurrency_limit": model.one(&[json!(1), json!(1), json!(2), json!(null), json!(0)]),
        "concurrency_options": model.one(&[
            json!({"collision_strategy": "ENQUEUE"}),
            json!({"collision_strategy": "CANCEL_NEW"}),
            json!({"collision_strategy": "CANCEL_NEW", "grace_period_seconds": 3600}),
            json!(null),
        ]),
        "job_variables": model.one(&[json!({}), json!({"env": {"A": "1"}}), json!({"command": "run"})]),
        "pull_steps": model.one(&[json!([{"step": {"a": 1}}]), json!(null)]),
        "work_pool_name": pool,
        "work_queue_name": queue,
        "schedules": schedules(model),
    })
}

/// A work pool and one of its queues, or null.
fn place(model: &mut Model) -> (Value, Value) {
    let queue = model.any(Kind::Queue);
    let new = model.new_name("queue");
    model.weighted(&[
        (10, (json!(queue.of), json!(queue.name))),
        (6, (json!(queue.of), Value::Null)),
        (2, (json!(queue.of), json!(new))),
        (1, (Value::Null, json!(queue.name))),
        (3, (Value::Null, Value::Null)),
        (1, (json!("no-such-pool"), Value::Null)),
    ])
}

fn create(model: &mut Model) -> Operation {
    let flow = model.any(Kind::Flow).id;
    let name = match model.chance(25) {
        true => model.any_where(Kind::Deployment, |_| true),
        false => Known {
            name: model.new_name("deployment"),
            of: flow.clone(),
            ..Known::default()
        },
    };
    let more = with(settings(model), json!({"labels": labels(model)}));
    let mut body = with(
        json!({"name": name.name, "flow_id": name.of}),
        some_of(model, 33, more),
    );
    if model.chance(6) {
        body["global_concurrency_limit_id"] = json!(model.any(Kind::Limit).id);
    }
    Operation::post("/deployments/", body).learn(move |model, reply| {
        model.know(Kind::Deployment, reply, &name.of);
        learn_schedules(model, reply);
    })
}

fn learn_schedules(model: &mut Model, deployment: &Value) {
    let id = deployment["id"].as_str().unwrap_or_default();
    for schedule in deployment["schedules"].as_array().into_iter().flatten() {
        model.know(Kind::Schedule, schedule, id);
    }
}

fn read(model: &mut Model) -> Operation {
    let id = model.any(Kind::Deployment).id;
    Operation::get(format!("/deployments/{id}")).learn(learn_schedules)
}

fn by_name(model: &mut Model) -> Operation {
    let deployment = model.any(Kind::Deployment);
    let flows = model.of(Kind::Flow).iter();
    let flow = flows
        .filter(|flow| flow.id == deployment.of)
        .map(|flow| flow.name.clone())
        .next();
    let flow = flow.unwrap_or_else(|| "no-such-flow".to_owned());
    Operation::get(format!("/deployments/name/{flow}/{}", deployment.name))
}

fn sorted(model: &mut Model) -> (Value, Order) {
    let (sort, order) = model.one(&[
        ("NAME_ASC", Order::By(&["name"])),
        ("NAME_DESC", Order::By(&["name"])),
        ("CREATED_DESC", Order::Given),
        ("UPDATED_DESC", Order::Given),
    ]);
    let body = filters(model, JOINED);
    if model.chance(70) {
        (with(body, json!({"sort": sort})), order)
    } else {
        (body, Order::By(&["name"]))
    }
}

fn list(model: &mut Model) -> Operation {
    let (body, order) = sorted(model);
    Operation::post("/deployments/filter", page(model, body)).ordered(order)
}

fn count(model: &mut Model) -> Operation {
    Operation::post("/deployments/count", filters(model, JOINED))
}

fn paginate(model: &mut Model) -> Operation {
    let (body, order) = sorted(model);
    Operation::post("/deployments/paginate", numbered_page(model, body)).ordered(order)
}

fn update(model: &mut Model) -> Operation {
    let id = model.any(Kind::Deployment).id;
    let all = settings(model);
    let mut body = some_of(model, 18, all);
    if model.chance(6) {
        body["global_concurrency_limit_id"] = match model.chance(50) {
            true => Value::Null,
            false => json!(model.any(Kind::Limit).id),
        };
    }
    // The schedules may be new ones: the server is asked for them.
    let read = format!("/deployments/{id}");
    let changes_schedules = body.get("schedules").is_some();
    Operation::patch(format!("/deployments/{id}"), body).learn(move |model, _| {
        if changes_schedules {
            model.then(Operation::get(read).learn(learn_schedules));
        }
    })
}

fn delete(model: &mut Model) -> Operation {
    Operation::delete(format!("/deployments/{}", model.any(Kind::Deployment).id))
}

fn bulk_delete(model: &mut Model) -> Operation {
    let ids = [
        json!(model.any(Kind::Deployment).id),
        json!(model.any(Kind::Deployment).id),
    ];
    let limit = model.one(&[json!(50), json!(50), json!(0), json!(51)]);
    let body = json!({"deployments": {"id": {"any_": ids}}, "limit": limit});
    Operation::post("/deployments/bulk_delete", body).open(&["$.deleted"])
}

/// The body that makes a run of a deployment.
fn run(model: &mut Model) -> Value {
    let all = json!({
        "state": match model.chance(60) {
            true => json!({"type": "SCHEDULED", "state_details": {"scheduled_time": model.time()}}),
            false => state(model),
        },
        "parameters": parameters(model),
        "enforce_parameter_schema": model.one(&[json!(true), json!(false), json!(null)]),
        "context": {"c": 1},
        "empirical_policy": policy(model),
        "tags": tags(model),
        "labels": labels(model),
        "job_variables": model.one(&[json!({}), json!({"env": {"B": "2"}}), json!({"command": 5})]),
    });
    let mut body = some_of(model, 35, all);
    if model.chance(93) {
        body["name"] = json!(model.new_name("deployed"));
    }
    if model.chance(12) {
        body["idempotency_key"] = json!(model.one(&["key-1", "key-2", "key-3"]));
    }
    if model.chance(8) {
        body["parent_task_run_id"] = json!(model.any(Kind::TaskRun).id);
    }
    if model.chance(8) {
        body["work_queue_name"] = json!(model.any(Kind::Queue).name);
    }
    body
}

fn create_run(model: &mut Model) -> Operation {
    let deployment = model.any(Kind::Deployment);
    let body = run(model);
    Operation::post(
        format!("/deployments/{}/create_flow_run", deployment.id),
        body,
    )
    .learn(move |model, reply| {
        model.know(Kind::FlowRun, reply, &deployment.of);
        model.know(Kind::FlowRunState, &reply["state"], "");
    })
}

fn create_runs(model: &mut Model) -> Operation {
    let deployment = model.any(Kind::Deployment);
    let count = model.one(&[0, 1, 3]);
    let bodies: Vec<_> = (0..count).map(|_| run(model)).collect();
    let path = format!("/deployments/{}/create_flow_run/bulk", deployment.id);
    Operation::post(path, json!(bodies)).learn(move |model, reply| {
        for result in reply["results"].as_array().into_iter().flatten() {
            let id = result["flow_run_id"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            if !id.is_empty() {
                model.then(
                    Operation::get(format!("/flow_runs/{id}")).learn(|model, reply| {
                        model.know(Kind::FlowRun, reply, "");
                    }),
                );
            }
        }
    })
}

fn pause(model: &mut Model) -> Operation {
    let id = model.any(Kind::Deployment).id;
    let what = model.one(&["pause_deployment", "resume_deployment"]);
    Operation::post(format!("/deployments/{id}/{what}"), json!({}))
}

fn scheduled_runs(model: &mut Model) -> Operation {
    let all = json!({"scheduled_before": model.time(), "limit": model.one(&[200, 3, 201])});
    let body = with(
        json!({"deployment_ids": model.ids(Kind::Deployment)}),
        some_of(model, 50, all),
    );
    Operation::post("/deployments/get_scheduled_flow_runs", body)
        .ordered(Order::By(&["next_scheduled_start_time"]))
        .settles(super::server::BACKGROUND)
}

fn queue_check(model: &mut Model) -> Operation {
    let id = model.any(Kind::Deployment).id;
    Operation::get(format!("/deployments/{id}/work_queue_check")).ordered(Order::Open)
}
