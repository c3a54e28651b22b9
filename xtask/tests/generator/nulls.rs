//! What null does in updates.

use serde_json::{Value, json};

use crate::codegen::nulls::{VALUE_ONLY, apply};

fn document() -> Value {
    json!({"components": {"schemas": {
        "FlowUpdate": {"properties": {
            "a": {"type": "string", "nullable": true, "description": "A."},
            "b": {"type": "string", "nullable": true},
            "c": {"type": "string"},
            "d": {"type": "string", "nullable": true},
        }},
        "FlowCreate": {"properties": {"a": {"type": "string", "nullable": true}}},
    }}})
}

#[test]
fn only_what_null_clears_may_be_null_and_the_docs_say_so() {
    let table = json!({"FlowUpdate": {"a": "clears", "b": "refuses; `x` empties it"}});
    let mut document = document();
    let unmatched = apply(&mut document, &table).expect("applies");
    let properties = &document["components"]["schemas"]["FlowUpdate"]["properties"];
    assert_eq!(properties["a"]["nullable"], true);
    assert_eq!(properties["a"]["description"], "A.\n\nNull clears it.");
    assert_eq!(properties["a"][VALUE_ONLY], Value::Null);
    assert_eq!(properties["b"][VALUE_ONLY], true);
    let docs = "`b`.\n\nIt cannot be null: the server refuses that. `x` empties it.";
    assert_eq!(properties["b"]["description"], docs);
    assert_eq!(unmatched.unknown, ["FlowUpdate.d"]);
    assert!(unmatched.obsolete.is_empty());
}

#[test]
fn what_the_document_does_not_have_or_does_not_allow_is_obsolete() {
    let table = json!({"FlowUpdate": {"c": "refuses", "e": "clears"}, "Gone": {"a": "ignores"}});
    let unmatched = apply(&mut document(), &table).expect("applies");
    assert_eq!(
        unmatched.obsolete,
        ["FlowUpdate.c", "FlowUpdate.e", "Gone.a"]
    );
}

#[test]
fn an_unknown_effect_is_a_problem_with_its_place() {
    let table = json!({"FlowUpdate": {"a": "explodes"}});
    let problem = apply(&mut document(), &table).expect_err("no such effect");
    assert!(problem.to_string().contains("FlowUpdate.a"), "{problem}");
}
