//! Each rule of `codegen/normalise`, on the smallest document that shows it.

mod values;

use serde_json::{Value, json};

use crate::codegen::document::schemas;
use crate::codegen::normalise::{INLINE_AT, RULES};
use crate::codegen::problem::Result;

/// Runs one rule.
fn apply(rule: &str, mut document: Value) -> Result<(Value, usize)> {
    let rule = RULES
        .iter()
        .find(|known| known.name == rule)
        .expect("a rule of this name");
    (rule.apply)(&mut document).map(|hits| (document, hits))
}

/// Applies a rule to one schema.
fn on_schema(rule: &str, schema: Value) -> Value {
    on_schemas(rule, json!({ "T": schema }))["T"].clone()
}

/// Applies a rule to several schemas.
fn on_schemas(rule: &str, schemas_before: Value) -> Value {
    let document = json!({ "components": { "schemas": schemas_before } });
    let (document, hits) = apply(rule, document).expect("the rule applies");
    assert!(hits > 0, "the rule matches");
    Value::Object(schemas(&document).clone())
}

/// Applies a rule to `POST /things/{id}`.
fn on_operation(rule: &str, operation: Value) -> Value {
    let document = json!({ "paths": { "/things/{id}": { "post": operation } } });
    let (document, hits) = apply(rule, document).expect("the rule applies");
    assert!(hits > 0, "the rule matches");
    document["paths"]["/things/{id}"]["post"].clone()
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

#[test]
fn the_api_prefix_goes_only_if_every_path_has_it() {
    let mut all = json!({ "paths": { "/api/flows/": {}, "/api/x": {} } });
    assert_eq!(crate::codegen::normalise::strip_api_prefix(&mut all), Ok(2));
    assert_eq!(all, json!({ "paths": { "/flows/": {}, "/x": {} } }));
    let mut some = json!({ "paths": { "/api/flows/": {}, "/x": {} } });
    assert_eq!(
        crate::codegen::normalise::strip_api_prefix(&mut some),
        Ok(0)
    );
}

#[test]
fn drop_transport_headers() {
    let id = json!({ "in": "path", "name": "id", "schema": { "type": "string" } });
    let header = json!({ "in": "header", "name": "x-prefect-api-version", "schema": {} });
    let operation = on_operation(
        "drop_transport_headers",
        json!({ "parameters": [id, header] }),
    );
    assert_eq!(operation["parameters"], json!([id]));
}

#[test]
fn untyped_path_parameters() {
    let schema = json!({ "anyOf": [{ "type": "string", "format": "uuid" }, { "type": "string" }] });
    let parameter = json!({ "in": "path", "name": "id", "schema": schema });
    let operation = on_operation(
        "untyped_path_parameters",
        json!({ "parameters": [parameter] }),
    );
    assert_eq!(
        operation["parameters"][0]["schema"],
        json!({ "type": "string" })
    );
}

#[test]
fn absent_instead_of_null() {
    let schema = json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] });
    let parameter = json!({ "in": "query", "name": "q", "schema": schema });
    let operation = on_operation(
        "absent_instead_of_null",
        json!({ "parameters": [parameter] }),
    );
    assert_eq!(
        operation["parameters"][0]["schema"],
        json!({ "type": "string" })
    );
}

#[test]
fn drop_error_responses() {
    let operation = on_operation(
        "drop_error_responses",
        json!({ "responses": { "201": {}, "422": {} } }),
    );
    assert_eq!(operation["responses"], json!({ "201": {} }));
}

#[test]
fn any_success_status() {
    let operation = on_operation(
        "any_success_status",
        json!({ "responses": { "201": { "content": {} }, "204": {} } }),
    );
    assert_eq!(operation["responses"], json!({ "2XX": { "content": {} } }));
    let two = json!({ "responses": { "200": { "content": { "a": {} } }, "201": { "content": { "b": {} } } } });
    let document = json!({ "paths": { "/x": { "get": two } } });
    let problem = apply("any_success_status", document).expect_err("ambiguous");
    assert_eq!(problem.at, "$.paths['/x'].get");
}

#[test]
fn require_bodies() {
    let operation = on_operation(
        "require_bodies",
        json!({ "requestBody": { "content": {} } }),
    );
    assert_eq!(operation["requestBody"]["required"], true);
}

#[test]
fn operation_names() {
    let id = |id: &str| json!({ "operationId": id });
    let document = json!({ "paths": {
        "/flows/": { "post": id("create_flow_flows__post") },
        "/work_queues/": { "post": id("create_work_queue_work_queues__post") },
        "/work_pools/{name}/queues": { "post": id("create_work_queue_work_pools__name__queues_post") },
        "/ui/x-y": { "get": id("free_form") },
    }});
    let (document, hits) = apply("operation_names", document).expect("applies");
    let name = |path: &str, method: &str| document["paths"][path][method]["operationId"].clone();
    assert_eq!(name("/flows/", "post"), "create_flow");
    assert_eq!(name("/work_queues/", "post"), "create_work_queue");
    assert_eq!(
        name("/work_pools/{name}/queues", "post"),
        "create_work_queue_for_work_pool"
    );
    assert_eq!(name("/ui/x-y", "get"), "free_form");
    assert_eq!(
        document["paths"]["/flows/"]["post"]["x-upstream-id"],
        "create_flow_flows__post"
    );
    assert_eq!(hits, 3);
}

#[test]
fn body_names() {
    let content =
        json!({ "application/json": { "schema": reference("Body_read_flows_flows_filter_post") } });
    let document = json!({
        "paths": { "/flows/filter": { "post": { "operationId": "read_flows", "requestBody": { "content": content } } } },
        "components": { "schemas": { "Body_read_flows_flows_filter_post": {} } },
    });
    let (document, _) = apply("body_names", document).expect("applies");
    let schema = &document["paths"]["/flows/filter"]["post"]["requestBody"]["content"]["application/json"]
        ["schema"];
    assert_eq!(*schema, reference("ReadFlowsRequest"));
    assert_eq!(
        schemas(&document)["ReadFlowsRequest"]["x-upstream-name"],
        "Body_read_flows_flows_filter_post"
    );
}

#[test]
fn merge_input_and_output() {
    let half = |half: &str, interval: Value| json!({ "properties": { "interval": interval, "next": reference(&format!("S-{half}")) } });
    let schemas = on_schemas(
        "merge_input_and_output",
        json!({
            "S-Input": half("Input", json!({ "type": "string", "format": "duration" })),
            "S-Output": half("Output", json!({ "type": "number" })),
        }),
    );
    assert_eq!(schemas["S"]["properties"]["next"], reference("S"));
    assert_eq!(schemas.as_object().expect("an object").len(), 1);
}

#[test]
fn halves_that_differ_stay_apart() {
    let document = json!({ "components": { "schemas": {
        "S-Input": { "properties": { "title": { "type": "string" } } },
        "S-Output": { "properties": { "title": { "type": "integer" } } },
    }}});
    assert_eq!(
        apply("merge_input_and_output", document)
            .expect("applies")
            .1,
        0
    );
}

#[test]
fn a_pair_that_holds_one_that_differs_stays_apart_and_only_what_both_require_is_required() {
    let holder = |half: &str| json!({ "properties": { "s": reference(&format!("S-{half}")) } });
    let document = json!({ "components": { "schemas": {
        "A-Input": holder("Input"), "A-Output": holder("Output"),
        "S-Input": { "properties": { "x": { "type": "string" } } },
        "S-Output": { "properties": { "x": { "type": "integer" } } },
        "R-Input": { "properties": { "x": {}, "y": {} }, "required": ["x", "y"] },
        "R-Output": { "properties": { "x": {}, "y": {} }, "required": ["y"] },
    }}});
    let (document, hits) = apply("merge_input_and_output", document).expect("applies");
    assert_eq!(hits, 1);
    assert_eq!(schemas(&document)["R"]["required"], json!(["y"]));
    assert!(schemas(&document).contains_key("A-Output"));
}

#[test]
fn type_names() {
    let schemas = on_schemas(
        "type_names",
        json!({ "APISettings": {}, "S": { "items": reference("APISettings") } }),
    );
    assert_eq!(schemas["ApiSettings"]["x-upstream-name"], "APISettings");
    assert_eq!(schemas["S"]["items"], reference("ApiSettings"));
}

#[test]
fn keywords_that_say_nothing_about_shape_go_but_properties_of_their_names_stay() {
    for (rule, keyword, value) in [
        ("drop_titles", "title", json!("T")),
        ("drop_defaults", "default", json!(false)),
        ("drop_bounds", "exclusiveMinimum", json!(0.0)),
        ("drop_bounds", "pattern", json!("^[a-z]+$")),
        ("drop_annotations", "examples", json!([1])),
    ] {
        let schema = on_schema(
            rule,
            json!({
                "type": "object", keyword: value, "properties": { keyword: { "type": "string", keyword: value } },
            }),
        );
        assert_eq!(
            schema,
            json!({ "type": "object", "properties": { keyword: { "type": "string" } } })
        );
    }
}

#[test]
fn tidy_descriptions() {
    let tidied = |text: &str| {
        on_schema("tidy_descriptions", json!({ "description": text }))["description"].clone()
    };
    assert_eq!(
        tidied("One.\n\n    Two.\n    Three."),
        "One.\n\nTwo.\nThree."
    );
    assert_eq!(tidied("See https://x.io/y."), "See <https://x.io/y>.");
    assert_eq!(tidied("A list[str] of <b>"), r"A list\[str\] of \<b>");
    assert_eq!(
        tidied("Code:\n\nintro\n\n    run()\n\nend"),
        "Code:\n\nintro\n\n```text\n    run()\n\n```\nend"
    );
    assert_eq!(tidied("  `a[0] <b>` stays"), "`a[0] <b>` stays");
    assert_eq!(tidied("```python\nx\n```"), "```text\nx\n```");
}

#[test]
fn wrap_reference_siblings() {
    let schema = on_schema(
        "wrap_reference_siblings",
        json!({ "$ref": "#/components/schemas/U", "description": "d" }),
    );
    assert_eq!(
        schema,
        json!({ "allOf": [reference("U")], "description": "d" })
    );
}

#[test]
fn nullable_instead_of_null() {
    let rule = "nullable_instead_of_null";
    let nothing = json!({ "type": "null" });
    assert_eq!(
        on_schema(rule, json!({ "anyOf": [{ "type": "string" }, nothing] })),
        json!({ "type": "string", "nullable": true })
    );
    assert_eq!(
        on_schema(rule, json!({ "anyOf": [reference("U"), nothing] })),
        json!({ "allOf": [reference("U")], "nullable": true })
    );
    assert_eq!(
        on_schema(
            rule,
            json!({ "oneOf": [reference("U"), reference("V"), nothing] })
        ),
        json!({ "anyOf": [reference("U"), reference("V")], "nullable": true })
    );
    assert_eq!(
        on_schema(rule, json!({ "type": ["integer", "null"] })),
        json!({ "type": "integer", "nullable": true })
    );
}
