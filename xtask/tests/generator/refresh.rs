//! `openapi/refresh`: the drift between two documents, in words.

use std::process::Command;

use serde_json::{Value, json};

/// The drift that the script prints, and whether the script fails because of it.
fn drift(old: &Value, new: &Value) -> (String, bool) {
    let folder = std::env::temp_dir().join(format!("refresh-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).expect("a folder");
    let paths = [folder.join("old.json"), folder.join("new.json")];
    for (path, document) in paths.iter().zip([old, new]) {
        std::fs::write(path, document.to_string()).expect("written");
    }
    let output = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/refresh"))
        .arg("--compare")
        .args(&paths)
        .output()
        .expect("Python 3 runs");
    std::fs::remove_dir_all(&folder).expect("removed");
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = String::from_utf8(output.stdout).expect("text");
    (said, !output.status.success())
}

fn document() -> Value {
    json!({
        "paths": { "/flows/": { "post": {
            "operationId": "create_flow_flows__post",
            "responses": { "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Flow" } } } } },
        }}},
        "components": { "schemas": {
            "Flow": { "properties": { "id": { "type": "string", "format": "uuid" } }, "required": ["id"] },
            "State": { "enum": ["A", "B"] },
        }},
    })
}

#[test]
fn what_reaches_no_generated_code_is_no_drift() {
    assert_eq!(
        drift(&document(), &document()),
        ("no drift: the documents are the same\n".to_owned(), false)
    );
    let mut new = document();
    new["components"]["schemas"]["Flow"]["properties"]["id"]["description"] = json!("prose");
    new["components"]["schemas"]["Flow"]["properties"]["id"]["default"] = json!("x");
    let (said, failed) = drift(&document(), &new);
    assert!(
        said.starts_with("no drift: the documents differ only in prose") && !failed,
        "{said}"
    );
}

#[test]
fn additions_and_breaks_are_told_apart() {
    let mut new = document();
    new["paths"]["/flows/count"]["post"] =
        json!({ "operationId": "count_flows_flows_count_post", "responses": {} });
    new["paths"]["/flows/"]["post"]["parameters"] =
        json!([{ "in": "query", "name": "dry", "schema": { "type": "boolean" } }]);
    let schemas = &mut new["components"]["schemas"];
    schemas["Flow"]["properties"]["name"] = json!({ "type": "string" });
    schemas["Flow"]["properties"]["id"] = json!({ "type": "integer" });
    schemas["State"]["enum"] = json!(["B", "C"]);
    schemas["Log"] = json!({ "properties": {} });
    let (said, failed) = drift(&document(), &new);
    assert!(failed);
    for sentence in [
        "addition  operation `count_flows` (POST /flows/count) is new",
        "BREAKING  operation `create_flow` (POST /flows/): parameters was {}, is {'dry': 'boolean, optional'}",
        "addition  field Flow.name is new (string): optional",
        "BREAKING  field Flow.id was string (uuid), required, is integer, required",
        "addition  enum State has the new value C",
        "BREAKING  enum State has lost the value A",
        "addition  type Log is new",
        "7 differences, 3 of them breaking",
    ] {
        assert!(said.contains(sentence), "{sentence:?} is not in:\n{said}");
    }
}
