//! Operations on work pools, their queues and their workers.

use serde_json::{Value, json};

use super::Choices;
use crate::testing::differential::filters::{work_pools, work_queues};
use crate::testing::differential::model::{Kind, Known, Model};
use crate::testing::differential::operation::{Operation, Order};
use crate::testing::differential::values::{numbered_page, page, some_of, with};

pub const CHOICES: Choices = &[
    (5, create),
    (3, read),
    (3, list),
    (2, count),
    (4, update),
    (1, delete),
    (2, status),
    (8, scheduled_runs),
    (6, create_queue),
    (3, read_queue),
    (4, list_queues),
    (6, update_queue),
    (1, delete_queue),
    (4, heartbeat),
    (3, list_workers),
    (1, delete_worker),
];

const AGENTS: &[(u32, Option<&str>)] = &[
    (5, None),
    (2, Some("prefect/3.9.1 (API 0.8.4)")),
    (1, Some("prefect/3.3.0 (API 0.8.4)")),
];

fn template(model: &mut Model) -> Value {
    let command = json!({
        "job_configuration": {"command": "{{ command }}", "env": "{{ env }}", "name": "{{ name }}"},
        "variables": {"type": "object", "properties": {
            "command": {"type": "string", "default": "run"},
            "env": {"type": "object", "additionalProperties": {"type": "string"}},
            "name": {"type": "string"},
        }},
    });
    let unknown =
        json!({"job_configuration": {"command": "{{ nothing }}"}, "variables": {"properties": {}}});
    model.weighted(&[
        (4, json!({})),
        (8, command),
        (1, unknown),
        (1, json!({"variables": {}})),
    ])
}

fn limit(model: &mut Model) -> Value {
    model.one(&[json!(null), json!(0), json!(1), json!(3), json!(-1)])
}

fn create(model: &mut Model) -> Operation {
    let name = model.new_name("pool");
    let name = match model.weighted(&[(20, 0), (2, 1), (1, 2), (1, 3)]) {
        0 => name,
        1 => model.any(Kind::Pool).name,
        2 => format!("Prefect {name}"),
        _ => format!("{name}/x"),
    };
    let more = json!({
        "type": model.one(&["process", "docker", "prefect-agent"]),
        "description": "a pool",
        "base_job_template": template(model),
        "is_paused": model.chance(20),
        "concurrency_limit": limit(model),
    });
    let body = with(json!({"name": name.clone()}), some_of(model, 50, more));
    let agent = model.weighted(AGENTS);
    Operation::post("/work_pools/", body)
        .by(agent)
        .learn(move |model, reply| {
            model.know(Kind::Pool, reply, "");
            let queue = reply["default_queue_id"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            model.add(
                Kind::Queue,
                Known {
                    id: queue,
                    name: "default".to_owned(),
                    of: name,
                },
            );
        })
}

fn read(model: &mut Model) -> Operation {
    let agent = model.weighted(AGENTS);
    Operation::get(format!("/work_pools/{}", model.any(Kind::Pool).name)).by(agent)
}

fn list(model: &mut Model) -> Operation {
    let body = json!({"work_pools": work_pools(model)});
    let body = some_of(model, 80, body);
    let agent = model.weighted(AGENTS);
    Operation::post("/work_pools/filter", page(model, body)).by(agent)
}

fn count(model: &mut Model) -> Operation {
    let body = json!({"work_pools": work_pools(model)});
    Operation::post("/work_pools/count", some_of(model, 80, body))
}

fn update(model: &mut Model) -> Operation {
    let all = json!({
        "description": model.one(&[json!("changed"), json!(null)]),
        "is_paused": model.chance(50),
        "base_job_template": template(model),
        "concurrency_limit": limit(model),
    });
    let body = some_of(model, 35, all);
    Operation::patch(format!("/work_pools/{}", model.any(Kind::Pool).name), body)
}

fn delete(model: &mut Model) -> Operation {
    let pool = model.any(Kind::Pool);
    Operation::delete(format!("/work_pools/{}", pool.name))
        .learn(move |model, _| model.remove(Kind::Pool, &pool.id))
}

fn status(model: &mut Model) -> Operation {
    let more = json!({"flow_run_limit": model.one(&[10, 0, 200, 201])});
    let body = some_of(model, 50, more);
    let body = numbered_page(model, body);
    Operation::post(
        format!(
            "/work_pools/{}/concurrency_status",
            model.any(Kind::Pool).name
        ),
        body,
    )
    .open(&["$.queues[].flow_runs"])
}

fn scheduled_runs(model: &mut Model) -> Operation {
    let pool = model.any(Kind::Pool).name;
    let of = pool.clone();
    let queue = model.any_where(Kind::Queue, move |queue| queue.of == of);
    let all = json!({
        "work_queue_names": [queue.name],
        "scheduled_before": model.time(),
        "scheduled_after": model.time(),
        "limit": model.one(&[200, 3, 0, 201]),
    });
    let body = some_of(model, 40, all);
    Operation::post(format!("/work_pools/{pool}/get_scheduled_flow_runs"), body)
        .ordered(Order::Open)
        .settles(super::server::BACKGROUND)
}

/// A queue, and the path to it.
fn queue(model: &mut Model) -> (Known, String) {
    let queue = model.any(Kind::Queue);
    let path = format!("/work_pools/{}/queues/{}", queue.of, queue.name);
    (queue, path)
}

pub fn queue_settings(model: &mut Model) -> Value {
    json!({
        "description": "a queue",
        "is_paused": model.chance(40),
        "concurrency_limit": limit(model),
        "priority": model.one(&[json!(1), json!(2), json!(5), json!(0)]),
    })
}

fn create_queue(model: &mut Model) -> Operation {
    let pool = model.any(Kind::Pool).name;
    let name = match model.chance(10) {
        true => model.any(Kind::Queue).name,
        false => model.new_name("queue"),
    };
    let more = queue_settings(model);
    let body = with(json!({"name": name}), some_of(model, 40, more));
    Operation::post(format!("/work_pools/{pool}/queues"), body)
        .learn(move |model, reply| model.know(Kind::Queue, reply, &pool))
}

fn read_queue(model: &mut Model) -> Operation {
    Operation::get(queue(model).1)
}

fn list_queues(model: &mut Model) -> Operation {
    let body = json!({"work_queues": work_queues(model)});
    let body = some_of(model, 60, body);
    Operation::post(
        format!("/work_pools/{}/queues/filter", model.any(Kind::Pool).name),
        page(model, body),
    )
}

fn update_queue(model: &mut Model) -> Operation {
    let all = with(
        queue_settings(model),
        json!({"name": model.new_name("queue"), "last_polled": model.past()}),
    );
    let body = some_of(model, 25, all);
    let (queue, path) = queue(model);
    let name = body["name"].as_str().map(str::to_owned);
    Operation::patch(path, body).learn(move |model, _| {
        if let Some(name) = name {
            model.remove(Kind::Queue, &queue.id);
            model.add(Kind::Queue, Known { name, ..queue });
        }
    })
}

fn delete_queue(model: &mut Model) -> Operation {
    let (queue, path) = queue(model);
    Operation::delete(path).learn(move |model, _| model.remove(Kind::Queue, &queue.id))
}

fn heartbeat(model: &mut Model) -> Operation {
    let pool = model.any(Kind::Pool).name;
    // Without an interval, a worker would be offline after a minute and a half.
    let body = json!({
        "name": model.one(&["worker-1", "worker-2"]),
        "heartbeat_interval_seconds": model.one(&[3600, 600]),
    });
    Operation::post(format!("/work_pools/{pool}/workers/heartbeat"), body)
}

fn list_workers(model: &mut Model) -> Operation {
    let all = json!({
        "status": model.one(&[json!({"any_": ["ONLINE"]}), json!({"not_any_": ["ONLINE"]})]),
        "last_heartbeat_time": {"after_": model.past()},
    });
    let body = json!({"workers": some_of(model, 40, all)});
    let body = some_of(model, 50, body);
    Operation::post(
        format!("/work_pools/{}/workers/filter", model.any(Kind::Pool).name),
        page(model, body),
    )
}

fn delete_worker(model: &mut Model) -> Operation {
    let worker = model.one(&["worker-1", "worker-2", "worker-3"]);
    Operation::delete(format!(
        "/work_pools/{}/workers/{worker}",
        model.any(Kind::Pool).name
    ))
}
