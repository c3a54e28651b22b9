//! Operations on the schedules of deployments.

use serde_json::{Value, json};

use super::Choices;
use crate::testing::differential::model::{Kind, Model};
use crate::testing::differential::operation::{Operation, Order};
use crate::testing::differential::values::{some_of, with};

pub const CHOICES: Choices = &[
    (6, list),
    (6, create),
    (6, update),
    (3, delete),
    (6, schedule),
];

/// Some schedules of a deployment.
pub fn schedules(model: &mut Model) -> Value {
    let count = model.weighted(&[(3, 0), (5, 1), (2, 2)]);
    let has_slugs = model.chance(40);
    let schedules: Vec<_> = (0..count).map(|_| new_schedule(model, has_slugs)).collect();
    json!(schedules)
}

fn new_schedule(model: &mut Model, has_slug: bool) -> Value {
    let all = json!({
        "active": model.chance(60),
        "max_scheduled_runs": model.one(&[json!(3), json!(null), json!(0)]),
        "parameters": model.one(&[json!({}), json!({"n": 3})]),
    });
    let mut schedule = with(json!({"schedule": times(model)}), some_of(model, 30, all));
    if has_slug {
        schedule["slug"] = json!(model.one(&["daily", "hourly", "slug-1", "slug-2", "slug-3"]));
    }
    schedule
}

/// When a schedule has runs.
fn times(model: &mut Model) -> Value {
    let anchor = model.past();
    model.weighted(&[
        (5, json!({"interval": 3600, "anchor_date": anchor, "timezone": "UTC"})),
        (3, json!({"interval": 86400.0, "anchor_date": anchor, "timezone": "Europe/Berlin"})),
        (2, json!({"interval": 5400.5, "anchor_date": "2026-01-01T00:00:00+05:30"})),
        (5, json!({"cron": "0 4 * * *", "timezone": "America/New_York"})),
        (2, json!({"cron": "*/20 8-17 * * 1-5"})),
        (2, json!({"cron": "0 0 1 * 1", "day_or": false})),
        (3, json!({"rrule": "FREQ=DAILY;INTERVAL=2"})),
        (2, json!({"rrule": "DTSTART:20260101T101500\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE", "timezone": "Europe/Paris"})),
        (1, json!({"cron": "no cron"})),
        (1, json!({"interval": 0})),
    ])
}

fn list(model: &mut Model) -> Operation {
    Operation::get(format!(
        "/deployments/{}/schedules",
        model.any(Kind::Deployment).id
    ))
}

fn create(model: &mut Model) -> Operation {
    let id = model.any(Kind::Deployment).id;
    let body = schedules(model);
    Operation::post(format!("/deployments/{id}/schedules"), body).learn(move |model, reply| {
        for schedule in reply.as_array().into_iter().flatten() {
            model.know(Kind::Schedule, schedule, &id);
        }
    })
}

fn update(model: &mut Model) -> Operation {
    let schedule = model.any(Kind::Schedule);
    let has_slug = model.chance(30);
    let all = new_schedule(model, has_slug);
    let body = some_of(model, 50, all);
    Operation::patch(
        format!("/deployments/{}/schedules/{}", schedule.of, schedule.id),
        body,
    )
}

fn delete(model: &mut Model) -> Operation {
    let schedule = model.any(Kind::Schedule);
    let path = format!("/deployments/{}/schedules/{}", schedule.of, schedule.id);
    Operation::delete(path).learn(move |model, _| model.remove(Kind::Schedule, &schedule.id))
}

/// Makes the runs of a deployment's schedules, and looks at them.
fn schedule(model: &mut Model) -> Operation {
    let id = model.any(Kind::Deployment).id;
    let all = json!({
        "start_time": model.at(61),
        "end_time": model.at(4000),
        "min_time": 600.0,
        "min_runs": model.one(&[1, 3]),
        "max_runs": model.one(&[2, 4]),
    });
    let mut body = some_of(model, 50, all);
    body["start_time"] = model.at(61);
    body["max_runs"] = json!(model.one(&[2, 4]));
    let filter = json!({
        "flow_runs": {"deployment_id": {"any_": [id]}, "state": {"type": {"any_": ["SCHEDULED"]}}},
        "sort": "EXPECTED_START_TIME_ASC",
    });
    let look =
        Operation::post("/flow_runs/filter", filter).ordered(Order::By(&["expected_start_time"]));
    Operation::post(format!("/deployments/{id}/schedule"), body).learn(move |model, _| {
        model.then(look.learn(|model, reply| {
            for run in reply.as_array().into_iter().flatten() {
                model.know(Kind::FlowRun, run, "");
            }
        }));
    })
}
