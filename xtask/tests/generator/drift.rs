//! `cargo xtask update`: what another document changes for users.

use serde_json::{Value, json};

use crate::codegen::document::schemas_mut;
use crate::codegen::lower;
use crate::codegen::problem::Problem;
use crate::codegen::write;
use crate::documents::{VENDORED, read, table, tables};
use xtask::update::drift::{Change, drift};
use xtask::update::surface::Surface;

/// The vendored document with a change.
pub fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut document = read(VENDORED);
    change(&mut document);
    document
}

pub fn surface(document: Value) -> Result<Surface, Problem> {
    let document = lower(document, &tables())?.document;
    for (file, text) in write(&document, &table())? {
        syn::parse_file(&text).unwrap_or_else(|error| panic!("{file} is not Rust: {error}"));
    }
    Surface::of(&document, &table())
}

fn changes(document: Value) -> Vec<Change> {
    let old = surface(read(VENDORED)).expect("the vendored document");
    drift(&old, &surface(document).expect("another document"))
}

/// Asserts that exactly these sentences are said, of which each holds the parts.
fn assert_says(document: Value, is_breaking: bool, expected: &[&[&str]]) {
    let changes = changes(document);
    let shown: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes.len(), expected.len(), "{shown:#?}");
    for (change, parts) in changes.iter().zip(expected) {
        assert_eq!(change.is_breaking, is_breaking, "{change}");
        for part in *parts {
            assert!(change.text.contains(part), "{change} lacks {part:?}");
        }
    }
}

pub fn schema<'a>(document: &'a mut Value, name: &str) -> &'a mut Value {
    schemas_mut(document).get_mut(name).expect("a schema")
}

#[test]
fn prose_defaults_and_bounds_are_no_drift() {
    let document = changed(|document| {
        let name = &mut schema(document, "FlowCreate")["properties"]["name"];
        name["description"] = json!("prose");
        name["default"] = json!("x");
        name["minLength"] = json!(7);
    });
    assert_eq!(changes(document), []);
}

#[test]
fn what_is_new_is_an_addition() {
    let document = changed(|document| {
        schema(document, "FlowCreate")["properties"]["later_owner"] = json!({ "type": "string" });
        schema(document, "Flow")["properties"]["later_owner"] = json!({ "type": "string" });
        let states = &mut schema(document, "StateType")["enum"];
        states.as_array_mut().expect("values").push(json!("LATER"));
    });
    assert_says(
        document,
        false,
        &[
            &["`Flow.later_owner` (String) is new"],
            &["`FlowCreate.later_owner` (String) is new"],
            &["`StateType` has the new value `LATER`", "wildcard"],
        ],
    );
}

#[test]
fn what_is_gone_or_required_is_breaking_and_reads_are_judged_apart_from_writes() {
    let document = changed(|document| {
        document["paths"]
            .as_object_mut()
            .expect("paths")
            .remove("/flows/count");
    });
    let said = changes(document);
    let operation = said
        .iter()
        .find(|change| change.text.contains("raw::Client::count_flows"));
    assert!(
        operation.is_some_and(|change| change.is_breaking),
        "{said:?}"
    );

    let document = changed(|document| {
        for name in ["FlowCreate", "Flow"] {
            let flow = schema(document, name);
            flow["properties"]["later_owner"] = json!({ "type": "string" });
            flow["required"]
                .as_array_mut()
                .expect("keys")
                .push(json!("later_owner"));
        }
    });
    assert_says(
        document,
        true,
        &[
            &[
                "`Flow.later_owner`",
                "replies of older servers",
                "overlay.yaml",
            ],
            &[
                "`FlowCreate.later_owner`",
                "one more argument of `FlowCreate::new`",
            ],
            &["`FlowCreate::new(", "has become"],
        ],
    );

    let document = changed(|document| {
        let state = schema(document, "State");
        let name = json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] });
        state["properties"]["type"] = name;
    });
    let said = changes(document);
    assert!(
        said.iter()
            .any(|change| change.text.contains("`State.type`")),
        "{said:?}"
    );
}

#[test]
fn a_field_that_becomes_nullable_or_optional_is_told() {
    let document = changed(|document| {
        let flow = schema(document, "Flow");
        flow["properties"]["name"] = json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] });
        let required = flow["required"].as_array_mut().expect("keys");
        required.retain(|key| key != "id");
    });
    assert_says(
        document,
        true,
        &[
            &[
                "`Flow.id` was required and is optional",
                "an `Option` instead of its bare type",
            ],
            &[
                "`Flow.name` was required and is required, or null",
                "a `Field`",
            ],
        ],
    );
}

#[test]
fn a_type_that_splits_is_told_with_what_differs_and_what_to_do() {
    let document = changed(|document| {
        let schemas = schemas_mut(document);
        let input = schemas.remove("CreatedBy").expect("a schema");
        let mut output = input.clone();
        output["properties"]["display_value"] = json!({ "type": "integer" });
        schemas.insert("CreatedBy-Input".into(), input);
        schemas.insert("CreatedBy-Output".into(), output);
        let text = document.to_string();
        // Requests have the one half, replies the other.
        let text = text.replace("schemas/CreatedBy\"", "schemas/CreatedBy-Output\"");
        *document = serde_json::from_str(&text).expect("JSON");
        let sent = &mut schema(document, "FlowRunCreate")["properties"];
        sent["created_by"] = json!({ "$ref": "#/components/schemas/CreatedBy-Input" });
    });
    let said = changes(document);
    let split = said
        .iter()
        .find(|change| change.text.contains("is split into"));
    let split = split.unwrap_or_else(|| panic!("{said:#?}"));
    for part in [
        "`CreatedByInput`",
        "`CreatedByOutput`",
        "`display_value`",
        "overlay.yaml",
    ] {
        assert!(split.text.contains(part), "{split} lacks {part}");
    }
    assert!(split.is_breaking);
}

#[test]
fn an_equal_inline_type_elsewhere_renames_none() {
    let loc = json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] });
    let document = changed(|document| {
        schema(document, "ArtifactCreate")["properties"]["later_place"] = loc;
    });
    assert_says(
        document,
        false,
        &[&["`ArtifactCreate.later_place` (ValidationErrorLocItem) is new"]],
    );
}

#[test]
fn a_renamed_type_is_told_as_such() {
    let document = changed(|document| {
        let text = document
            .to_string()
            .replace("schemas/CsrfToken\"", "schemas/CsrfSecret\"");
        *document = serde_json::from_str(&text).expect("JSON");
        let token = schemas_mut(document).remove("CsrfToken").expect("a schema");
        schemas_mut(document).insert("CsrfSecret".into(), token);
    });
    let said = changes(document);
    let renamed = said.iter().any(|change| {
        change.is_breaking
            && change
                .text
                .contains("`CsrfToken` is called `CsrfSecret` now")
    });
    assert!(renamed, "{said:#?}");
}

#[test]
fn a_list_of_types_is_a_union() {
    let document = changed(|document| {
        schema(document, "FlowCreate")["properties"]["later_rank"] =
            json!({ "type": ["string", "integer"] });
    });
    let said = changes(document);
    assert!(
        said.iter()
            .any(|change| change.text.contains("`FlowCreate.later_rank`")),
        "{said:#?}"
    );
}

/// New parameters of operations that exist change no method but plain ones.
#[test]
fn a_new_optional_parameter_breaks_no_method() {
    let parameter = json!({ "name": "later-rank", "in": "query", "required": false, "schema": { "type": "integer" } });
    let document = changed(|document| {
        for (path, method) in [
            ("/flows/filter", "post"),
            ("/flows/{id}", "get"),
            ("/block_documents/{id}", "get"),
        ] {
            let parameters = &mut document["paths"][path][method]["parameters"];
            parameters
                .as_array_mut()
                .expect("parameters")
                .push(parameter.clone());
        }
    });
    let lowered = lower(document.clone(), &tables()).expect("lowers");
    assert!(
        lowered
            .dropped
            .iter()
            .any(|name| name == "read_flows.later-rank"),
        "{:?}",
        lowered.dropped
    );
    let said = changes(document);
    let shown: Vec<_> = said.iter().map(|change| change.text.as_str()).collect();
    assert!(
        shown.iter().all(|text| text.contains("raw::Client::")),
        "{shown:?}"
    );
    assert_eq!(shown.len(), 2, "{shown:?}");
}

/// The arguments of `new` are positional.
#[test]
fn another_order_of_required_fields_is_breaking() {
    let document = changed(|document| {
        let required = schema(document, "LogCreate")["required"].as_array_mut();
        required.expect("keys").reverse();
    });
    assert_says(document, true, &[&["`LogCreate::new(", "has become"]]);
}
