//! Applying the overlay.

use serde_json::{Value, json};

use crate::codegen::overlay::{Applied, apply};

fn with(actions: Value, mut document: Value) -> (Value, Vec<Applied>) {
    let applied = apply(&mut document, &json!({ "actions": actions })).expect("a good overlay");
    (document, applied)
}

#[test]
fn updates_merge_objects_and_append_to_lists() {
    let action = json!([{ "target": "$.a['b c']", "description": "why", "update": { "x": [2], "y": { "z": 1 } } }]);
    let (document, applied) = with(
        action,
        json!({ "a": { "b c": { "x": [1], "y": { "w": 0 } } } }),
    );
    assert_eq!(
        document,
        json!({ "a": { "b c": { "x": [1, 2], "y": { "w": 0, "z": 1 } } } })
    );
    assert_eq!(applied[0].hits, 1);
}

#[test]
fn wildcards_match_every_child_and_removal_counts() {
    let action = json!([{ "target": "$.a.*.b[0]", "description": "why", "remove": true }]);
    let (document, applied) = with(
        action,
        json!({ "a": { "x": { "b": [1, 2] }, "y": { "b": [3] }, "z": {} } }),
    );
    assert_eq!(
        document,
        json!({ "a": { "x": { "b": [2] }, "y": { "b": [] }, "z": {} } })
    );
    assert_eq!(applied[0].hits, 2);
}

#[test]
fn an_action_that_matches_nothing_says_so() {
    let action = json!([{ "target": "$.gone", "description": "why", "remove": true }]);
    assert_eq!(
        with(action, json!({})).1,
        [Applied {
            target: "$.gone".into(),
            hits: 0,
            older: false,
        }]
    );
}

#[test]
fn an_action_without_a_reason_or_with_an_unknown_path_is_a_problem() {
    for action in [
        json!({ "target": "$.a", "remove": true }),
        json!({ "target": "$..a", "description": "why", "remove": true }),
        json!({ "target": "$.a[?(@.b)]", "description": "why", "remove": true }),
        json!({ "target": "$.a", "description": "why" }),
    ] {
        let problem =
            apply(&mut json!({}), &json!({ "actions": [action] })).expect_err("must be refused");
        assert_eq!(problem.at, "overlay $.actions[0]");
    }
}

#[test]
fn a_property_is_renamed_where_it_is_required_too() {
    let action = json!([{
        "target": "$.s.*.properties.old", "description": "why", "x-rename": "new", "x-older": true,
    }]);
    let schema = json!({ "properties": { "old": {}, "b": {} }, "required": ["b", "old"] });
    let (document, applied) = with(action, json!({ "s": { "A": schema, "B": {} } }));
    let renamed = json!({ "properties": { "new": {}, "b": {} }, "required": ["b", "new"] });
    assert_eq!(document["s"], json!({ "A": renamed, "B": {} }));
    assert_eq!((applied[0].hits, applied[0].older), (1, true));
}
