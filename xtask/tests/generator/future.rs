//! Documents that do not exist yet: what they have is generated, or refused in a sentence.

use serde_json::{Value, json};

use crate::codegen::document::schemas_mut;
use crate::codegen::lower;
use crate::documents::{table, tables};
use crate::drift::{changed, schema, surface};
use xtask::update::surface::{Shape, Surface};

/// A new operation with query parameters in any order, some of which a caller must give.
#[test]
fn a_new_operation_with_query_parameters_is_generated() {
    let parameter = |name: &str, required: bool, schema: Value| json!({ "name": name, "in": "query", "required": required, "schema": schema });
    let document = changed(|document| {
        document["paths"]["/flows/{id}/later-ranks"]["get"] = json!({
            "operationId": "readLaterRanks",
            "parameters": [
                parameter("zone", false, json!({ "type": "string" })),
                parameter("until", true, json!({ "type": "string", "format": "date-time" })),
                { "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" } },
                parameter("at-most", false, json!({ "type": "integer", "default": 3 })),
                parameter("all", false, json!({ "type": "boolean" })),
                parameter("order", false, json!({ "type": "string", "enum": ["asc", "desc"] })),
                parameter("mode", false, json!({ "type": "string", "enum": ["a", "b"] })),
            ],
            "responses": { "200": { "description": "ranks", "content": { "application/json": { "schema": { "type": "array", "items": { "type": "string" } } } } } },
        });
    });
    let lowered = lower(document, &tables()).expect("lowers").document;
    let mut yaml = std::fs::read_to_string(crate::documents::root().join("openapi/resources.yaml"))
        .expect("a table");
    let stubs = xtask::update::stubs::stubs(&lowered, &table()).expect("a stub");
    assert_eq!(
        (stubs[0].resource.as_str(), stubs[0].method.as_str()),
        ("flows", "later_ranks")
    );
    yaml = xtask::update::stubs::write(&yaml, &stubs).expect("a place");
    let table = crate::codegen::document::parse(&yaml).expect("YAML");
    let table = crate::codegen::resources::Table::read(&table).expect("a table");
    let functions = Surface::of(&lowered, &table).expect("a surface").functions;
    let own = &functions["Flows::later_ranks"];
    assert!(
        own.contains("id: Uuid") && own.contains("until: DateTime"),
        "{own}"
    );
    for word in ["all", "at_most", "mode", "order", "zone"] {
        assert!(
            functions.contains_key(&format!("Query<ReadLaterRanksParameters>::{word}")),
            "{word}"
        );
    }
}

#[test]
fn recursive_types_are_generated_with_a_box() {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let nullable = |schema: Value| json!({ "anyOf": [schema, { "type": "null" }] });
    let document = changed(|document| {
        let schemas = schemas_mut(document);
        schemas.insert(
            "LaterItem".into(),
            json!({ "type": "object", "required": ["id"], "properties": {
                "id": { "type": "string" }, "parent": nullable(reference("LaterItem")), "children": { "type": "array", "items": reference("LaterItem") },
            }}),
        );
        schemas.insert(
            "Left".into(),
            json!({ "type": "object", "properties": { "right": reference("Right") } }),
        );
        schemas.insert("Right".into(), json!({ "type": "object", "properties": { "left": reference("Left"), "item": reference("LaterItem") } }));
        schema(document, "Flow")["properties"]["later_item"] = reference("Right");
    });
    let types = surface(document).expect("generates").types;
    let field = |name: &str, key: &str| match &types[name].shape {
        Shape::Object(fields) => fields[key].1.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(field("LaterItem", "parent"), "Box<LaterItem>");
    assert_eq!(field("LaterItem", "children"), "Vec<LaterItem>");
    assert_eq!(field("Left", "right"), "Box<Right>");
    assert_eq!(field("Right", "left"), "Box<Left>");
    assert_eq!(field("Right", "item"), "LaterItem");

    // A value of this would be endless.
    let endless = changed(|document| {
        let item = json!({ "type": "object", "required": ["next"], "properties": { "next": reference("LaterItem") } });
        schemas_mut(document).insert("LaterItem".into(), item);
    });
    let list = json!({ "type": "array", "items": reference("Tree") });
    let list = changed(|document| drop(schemas_mut(document).insert("Tree".into(), list)));
    let problem = surface(list).expect_err("no name").to_string();
    assert!(
        problem.contains("Tree") && problem.contains("itself"),
        "{problem}"
    );
    let alias = changed(|document| {
        let schemas = schemas_mut(document);
        schemas.insert(
            "Inner".into(),
            json!({ "type": "object", "properties": { "outer": reference("Outer") } }),
        );
        schemas.insert("Outer".into(), reference("Inner"));
        schema(document, "FlowFilter")["properties"]["not"] = nullable(reference("FlowFilter"));
    });
    let types = surface(alias).expect("generates").types;
    let field = |name: &str, key: &str| match &types[name].shape {
        Shape::Object(fields) => fields[key].1.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(field("Inner", "outer"), "Box<Outer>");
    assert_eq!(field("FlowFilter", "not"), "Box<FlowFilter>");
    let problem = surface(endless).expect_err("endless").to_string();
    assert!(
        problem.contains("LaterItem") && problem.contains("itself"),
        "{problem}"
    );
}

#[test]
fn other_formats_are_refused_as_such() {
    let said = |document: Value| {
        lower(document, &tables())
            .err()
            .expect("refused")
            .to_string()
    };
    assert!(said(json!({ "swagger": "2.0", "paths": {} })).contains("Swagger 2.0"));
    assert!(said(json!({ "openapi": "4.0.0", "paths": {} })).contains("OpenAPI 4.0.0"));
    assert!(said(json!({ "paths": {} })).contains("`openapi` is missing"));
    assert!(said(json!({ "openapi": "3.1.0" })).contains("no paths"));
}

#[test]
fn a_named_schema_may_allow_everything() {
    let document = changed(|document| {
        schemas_mut(document).insert("Anything".into(), json!({}));
        schema(document, "Flow")["properties"]["thing"] =
            json!({ "$ref": "#/components/schemas/Anything" });
    });
    assert_eq!(
        surface(document).expect("generates").types["Anything"].shape,
        Shape::Alias("Json".into())
    );
}
