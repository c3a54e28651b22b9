//! A construct that no rule knows stops the build, with its place and a message.

use serde_json::{Value, json};

use crate::codegen::lower;
use crate::codegen::tables::Tables;

fn no_tables() -> Tables {
    Tables {
        overlay: json!({ "actions": [] }),
        names: json!({}),
        nulls: json!({}),
    }
}

fn problem(schema: Value) -> String {
    let document = json!({ "openapi": "3.1.0", "paths": {}, "components": { "schemas": { "T": { "type": "object", "properties": { "p": schema } } } } });
    let problem = lower(document, &no_tables())
        .err()
        .expect("must be refused");
    // By then an inline enum has become a component of its own.
    let places = [
        "$.components.schemas.T.properties.p",
        "$.components.schemas.TP",
    ];
    assert!(
        places.iter().any(|place| problem.at.starts_with(place)),
        "{problem}"
    );
    problem.message
}

#[test]
fn an_unknown_keyword_is_named() {
    assert!(problem(json!({ "type": "string", "if": {} })).contains("`if`"));
}

#[test]
fn a_reference_to_nothing_is_named() {
    assert!(
        problem(json!({ "$ref": "#/components/schemas/Missing" })).contains("refers to nothing")
    );
}

#[test]
fn shapes_that_rust_would_get_wrong_are_refused() {
    assert!(
        problem(json!({ "allOf": [{ "type": "string" }, { "type": "string" }] })).contains("allOf")
    );
    assert!(problem(json!({ "type": "integer", "enum": [1, 2] })).contains("enums of text"));
    assert!(problem(json!({ "type": "decimal" })).contains("decimal"));
    assert!(problem(json!({ "type": "string", "format": "ipv4" })).contains("ipv4"));
}

#[test]
fn an_operation_without_a_success_is_refused() {
    let document = json!({ "openapi": "3.1.0", "paths": { "/x": { "get": { "operationId": "x", "responses": { "422": {} } } } } });
    let problem = lower(document, &no_tables())
        .err()
        .expect("must be refused");
    assert_eq!(problem.at, "$.paths['/x'].get");
}

#[test]
fn what_would_be_an_argument_and_never_be_sent_is_refused() {
    let header = json!({ "in": "header", "name": "if-match", "schema": { "type": "string" } });
    let form = json!({ "content": { "multipart/form-data": {} } });
    for (key, value, named) in [
        ("parameters", json!([header]), "if-match"),
        ("requestBody", form, "multipart"),
    ] {
        let operation = json!({ "operationId": "x", "responses": { "200": {} }, key: value });
        let document = json!({ "openapi": "3.1.0", "paths": { "/x": { "post": operation } } });
        let problem = lower(document, &no_tables())
            .err()
            .expect("must be refused");
        assert!(
            problem.at == "$.paths['/x'].post" && problem.message.contains(named),
            "{problem}"
        );
    }
}

#[test]
fn names_that_mean_something_else_are_refused() {
    for name in ["Option", "Json", "Self"] {
        let document = json!({ "openapi": "3.1.0", "paths": {}, "components": { "schemas": {
            name: { "type": "object", "properties": { "p": {} } },
        }}});
        let problem = lower(document, &no_tables())
            .err()
            .expect("must be refused");
        assert_eq!(problem.at, format!("$.components.schemas.{name}"));
    }
}
