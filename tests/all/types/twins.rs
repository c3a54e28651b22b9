//! Upstream has two types for a flow run; each becomes the other without a loss.

use prefect_sdk::types::{FlowRun, FlowRunResponse};
use serde_json::{Value, json};

fn as_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("JSON")
}

#[test]
fn a_run_of_one_type_becomes_one_of_the_other_without_a_loss() {
    let id = uuid::Uuid::new_v4();
    let sent = json!({
        "id": id, "flow_id": id, "created": "2026-01-01T00:00:00Z", "updated": null, "name": "a",
        "labels": {"team": "data"}, "tags": ["b"], "total_run_time": 1.5, "parameters": {"x": 1},
        "work_pool_id": id, "work_pool_name": "gpu", "newer": {"y": 2}
    });
    let response: FlowRunResponse = serde_json::from_value(sent.clone()).expect("a run");
    let run = FlowRun::from(response.clone());
    assert_eq!((run.id, run.name.as_deref()), (id, Some("a")));
    assert_eq!(as_json(&run.extra["work_pool_name"]), json!("gpu"));
    assert_eq!(as_json(&run), sent);
    let back = FlowRunResponse::from(run);
    assert_eq!(back.work_pool_name.as_deref(), Some("gpu"));
    assert!(!back.extra.contains_key("work_pool_name"));
    assert_eq!(back, response);
}

#[test]
fn what_has_another_type_stays_among_the_undeclared_keys() {
    let id = uuid::Uuid::new_v4();
    let run = json!({"id": id, "flow_id": id, "created": null, "updated": null, "work_pool_id": 7});
    let run: FlowRun = serde_json::from_value(run).expect("a run");
    let response = FlowRunResponse::from(run);
    assert!(response.work_pool_id.is_none());
    assert_eq!(as_json(&response.extra["work_pool_id"]), json!(7));
}
