//! The judge itself: mutations of the SDK's types and of recordings, each of which it must notice.

use std::collections::BTreeMap;

use prefect_sdk::types::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::compare::Document;
use crate::exchanges::Exchange;
use crate::judge;
use crate::table::{RoundTrip, round_trip};

/// A flow, with its tags among the undeclared keys, as it would be if the type lacked the field.
#[derive(Serialize, Deserialize)]
struct LacksTags {
    id: String,
    name: String,
    created: Option<String>,
    updated: Option<String>,
    labels: Option<Value>,
    #[serde(flatten)]
    extra: BTreeMap<String, Value>,
}

impl std::fmt::Debug for LacksTags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Flow");
        shown.field("extra", &self.extra.keys()).finish()
    }
}

/// A flow whose type is stricter, or looser, in one field.
macro_rules! mutant {
    ($name:ident { $(#[$attribute:meta])* $field:ident: $ty:ty }) => {
        #[derive(Debug, Serialize, Deserialize)]
        #[allow(dead_code, reason = "serde reads it, and a mutant may not write it")]
        struct $name {
            $(#[$attribute])*
            $field: $ty,
            #[serde(flatten)]
            rest: serde_json::Map<String, Value>,
        }
    };
}

mutant!(DropsTags { #[serde(skip_serializing)] tags: Vec<String> });
mutant!(RenamesName {
    #[serde(rename(serialize = "title"))]
    name: String
});
mutant!(SendsDefaults {
    #[serde(default)]
    paused: bool
});
mutant!(CountsIds { id: u32 });
mutant!(ForgetsNulls { #[serde(skip_serializing_if = "Option::is_none")] labels: Option<Value> });
mutant!(RoundsTimes { #[serde(serialize_with = "to_the_second")] created: chrono::DateTime<chrono::Utc> });

fn to_the_second<S: serde::Serializer>(
    time: &chrono::DateTime<chrono::Utc>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Seven types that a generator with a mistake might write. The right one is judged first.
#[test]
fn mutations_of_types_are_noticed() {
    let document = Document::vendored();
    let flow = json!({
        "id": uuid::Uuid::new_v4(), "name": "a", "created": "2026-01-01T00:00:00.000001Z",
        "updated": null, "tags": ["x"], "labels": null,
    });
    let judged = |round_trip: RoundTrip| {
        judge::value(
            round_trip,
            &document.schema("Flow"),
            &flow.to_string(),
            true,
        )
    };
    assert_eq!(judged(round_trip::<Flow>), None);
    let mutants: [(&str, RoundTrip); 7] = [
        ("lacks the declared field `tags`", round_trip::<LacksTags>),
        ("tags: [\"x\"] is lost", round_trip::<DropsTags>),
        ("name: \"a\" is lost", round_trip::<RenamesName>),
        ("paused", round_trip::<SendsDefaults>),
        ("does not decode", round_trip::<CountsIds>),
        ("labels: null is lost", round_trip::<ForgetsNulls>),
        ("created", round_trip::<RoundsTimes>),
    ];
    for (expected, mutant) in mutants {
        let problem = judged(mutant).unwrap_or_else(|| panic!("not noticed: {expected}"));
        assert!(
            problem.contains(expected),
            "{problem} instead of {expected}"
        );
    }
}

/// A declared value that a type does not know is noticed in exchanges of other versions, too.
#[test]
fn a_declared_value_may_not_be_unknown() {
    let document = Document::vendored();
    let state = document.schema("StateType");
    fn forgets(json: &str) -> Result<crate::table::Encoded, String> {
        #[derive(Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        struct Unknown(String);
        round_trip::<Unknown>(json)
    }
    assert!(judge::value(forgets, &state, r#""RUNNING""#, false).is_some());
    fn forgets_members(json: &str) -> Result<crate::table::Encoded, String> {
        #[derive(Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        struct Unknown(Json);
        round_trip::<Unknown>(json)
    }
    let action = document.schema("CancelFlowRun");
    for (json, is_noticed) in [
        (r#"{"type": "cancel-flow-run"}"#, true),
        (r#"{"type": "nap"}"#, false),
    ] {
        let judged = judge::value(forgets_members, &action, json, false);
        assert_eq!(judged.is_some(), is_noticed, "{json}: {judged:?}");
    }
    assert_eq!(judge::value(forgets, &state, r#""NAPPING""#, false), None);
    assert!(judge::value(round_trip::<StateType>, &state, r#""NAPPING""#, true).is_some());
}

/// A recorded reply to `GET /flows/{id}`.
fn recorded() -> Value {
    let id = uuid::Uuid::new_v4();
    json!({
        "op": "read_flow_flows__id__get", "method": "GET", "path": format!("/flows/{id}"),
        "template": "/flows/{id}", "query": "", "status": 200, "request_kind": "empty",
        "response_kind": "json", "request": null,
        "response": { "id": id, "name": "a", "created": null, "updated": null, "tags": [], "labels": {} },
    })
}

async fn problems(exchange: Value) -> Vec<String> {
    let exchange: Exchange = serde_json::from_value(exchange).expect("an exchange");
    let operation = exchange.operation().expect("an operation");
    exchange.judge(&Document::vendored(), operation).await
}

#[tokio::test]
async fn mutations_of_recordings_are_noticed() {
    assert_eq!(problems(recorded()).await, Vec::<String>::new());
    let states = |query: &str| {
        json!({
            "op": null, "method": "GET", "path": "/observed-states", "template": null, "query": query,
            "status": 200, "response_kind": "json", "response": [],
        })
    };
    assert_eq!(
        problems(states("limit=3&order_by=NAME_ASC&query=a%20b")).await,
        Vec::<String>::new()
    );
    let mutated = |pointer: &str, value: Value| {
        let mut exchange = recorded();
        *exchange.pointer_mut(pointer).expect("a place") = value;
        exchange
    };
    let without_name = {
        let mut exchange = recorded();
        exchange["response"]
            .as_object_mut()
            .expect("a flow")
            .remove("name");
        exchange
    };
    let request = |body: Value| {
        json!({
            "op": "create_flow_flows__post", "method": "POST", "path": "/flows/", "template": "/flows/",
            "status": 422, "request_kind": "json", "response_kind": "json", "request": body, "response": {},
        })
    };
    let mut accepted = request(json!({ "name": 7 }));
    accepted["status"] = json!(201);
    accepted["response"] = recorded()["response"].clone();
    for (what, exchange) in [
        ("a required field is missing", without_name),
        (
            "a field of another type",
            mutated("/response/name", json!(7)),
        ),
        ("a list that is none", mutated("/response/tags", json!("x"))),
        (
            "a broken date",
            mutated("/response/created", json!("yesterday")),
        ),
        (
            "a null that is not allowed",
            mutated("/response/id", json!(null)),
        ),
        ("another reply", mutated("/response", json!([]))),
        ("no reply", mutated("/response", json!(null))),
        (
            "a path of another operation",
            mutated("/path", json!("/flows/a/b")),
        ),
        (
            "a path parameter that is no id",
            mutated("/path", json!("/flows/7")),
        ),
        (
            "an undeclared query parameter",
            mutated("/query", json!("limit=3")),
        ),
        ("a query parameter of another type", states("limit=many")),
        ("a request of another type", accepted),
    ] {
        assert!(!problems(exchange).await.is_empty(), "not noticed: {what}");
    }
}

/// Recordings have lines without an operation, without a template, and of connections that failed.
#[tokio::test]
async fn incomplete_recordings_are_read() {
    let mut exchange = recorded();
    for key in ["op", "template"] {
        exchange[key] = json!(null);
    }
    assert_eq!(problems(exchange.clone()).await, Vec::<String>::new());
    exchange["response"]["name"] = json!(7);
    assert_eq!(problems(exchange.clone()).await.len(), 1);
    exchange["status"] = json!(-1);
    let failed: Exchange = serde_json::from_value(exchange).expect("an exchange");
    assert!(failed.operation().is_none());
}

#[tokio::test]
async fn the_message_of_a_failure_is_judged() {
    let mut exchange = recorded();
    exchange["status"] = json!(404);
    exchange["response"] = json!({ "detail": "Flow not found" });
    assert_eq!(problems(exchange.clone()).await, Vec::<String>::new());
    for key in ["op", "template"] {
        exchange[key] = json!(null);
    }
    assert_eq!(problems(exchange).await, Vec::<String>::new());
}
