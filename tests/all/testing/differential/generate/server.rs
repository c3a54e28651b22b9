//! Operations on the server itself, and on events.

use std::time::Duration;

use serde_json::json;

use super::Choices;
use crate::testing::differential::model::{Kind, Model};
use crate::testing::differential::operation::Operation;

pub const CHOICES: Choices = &[(1, ready), (4, emit)];

/// How long the real server takes for what it does after its reply.
pub const BACKGROUND: Duration = Duration::from_millis(60);

fn ready(model: &mut Model) -> Operation {
    Operation::get(model.one(&["/health", "/ready", "/hello", "/version", "/admin/version"]))
}

fn emit(model: &mut Model) -> Operation {
    let run = model.any(Kind::FlowRun).id;
    let event = json!({
        "id": model.stranger(),
        "occurred": model.at(0),
        "event": model.one(&["mine.happened", "prefect.flow-run.heartbeat"]),
        "resource": {"prefect.resource.id": format!("prefect.flow-run.{run}"), "mine": "yes"},
        "related": [{"prefect.resource.id": "prefect.tag.blue", "prefect.resource.role": "tag"}],
        "payload": {"n": 1},
    });
    Operation::post("/events", json!([event]))
}
