//! Rules about what the values of a schema may be.

use super::*;

#[test]
fn forbidden_extras() {
    let schema = on_schema("forbidden_extras", json!({ "additionalProperties": false }));
    assert_eq!(schema, json!({}));
}

#[test]
fn constants() {
    let schema = on_schema("constants", json!({ "const": "event", "type": "string" }));
    assert_eq!(
        schema,
        json!({ "type": "string", "enum": ["event"], "x-const": true })
    );
    let number = json!({ "components": { "schemas": { "T": { "const": 1 } } } });
    assert_eq!(
        apply("constants", number).expect_err("no text").at,
        "$.components.schemas.T"
    );
}

#[test]
fn tuples() {
    let text = json!({ "type": "string" });
    let same = on_schema(
        "tuples",
        json!({ "type": "array", "prefixItems": [text, text] }),
    );
    assert_eq!(same, json!({ "type": "array", "items": text }));
    let mixed = on_schema(
        "tuples",
        json!({ "type": "array", "prefixItems": [text, reference("U")] }),
    );
    assert_eq!(mixed, json!({ "type": "array", "items": {} }));
}

#[test]
fn formats() {
    let seconds = on_schema("formats", json!({ "type": "string", "format": "duration" }));
    assert_eq!(seconds, reference("Seconds"));
    let secret = on_schema("formats", json!({ "type": "string", "format": "password" }));
    assert_eq!(secret, json!({ "type": "string", "x-secret": true }));
    let new =
        json!({ "components": { "schemas": { "T": { "type": "string", "format": "ipv4" } } } });
    let problem = apply("formats", new).expect_err("unknown").to_string();
    assert!(
        problem.contains("$.components.schemas.T") && problem.contains("ipv4"),
        "{problem}"
    );
}

#[test]
fn drop_inline_copies() {
    let map = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let schemas = on_schemas(
        "drop_inline_copies",
        json!({ "M": map, "T": { "anyOf": [reference("M"), map] } }),
    );
    assert_eq!(schemas["T"], json!({ "anyOf": [reference("M")] }));
}

#[test]
fn any_json_unions() {
    let free = json!({ "type": "object", "additionalProperties": true });
    assert_eq!(
        on_schema("any_json_unions", json!({ "anyOf": [free, {}] })),
        json!({})
    );
    let every = json!({ "anyOf": [
        { "type": "string" }, { "type": "number" }, { "type": "boolean" }, free, { "type": "array", "items": {} },
    ]});
    assert_eq!(on_schema("any_json_unions", every), json!({}));
}

#[test]
fn merge_scalar_members() {
    let rule = "merge_scalar_members";
    let of = |kinds: &[&str]| json!({ "anyOf": kinds.iter().map(|kind| json!({ "type": kind })).collect::<Vec<_>>() });
    assert_eq!(
        on_schema(rule, of(&["integer", "number"])),
        json!({ "type": "number" })
    );
    assert_eq!(
        on_schema(rule, of(&["boolean", "integer", "number", "string"])),
        json!({ "allOf": [reference("Scalar")] })
    );
    assert_eq!(
        on_schema(
            rule,
            json!({ "anyOf": [{ "type": "string", "format": "uuid" }, { "type": "string" }] })
        ),
        json!({ "type": "string" })
    );
    assert_eq!(
        on_schema(
            rule,
            json!({ "anyOf": [{ "type": "number" }, reference("Seconds")] })
        ),
        json!({ "allOf": [reference("Seconds")] })
    );
}

#[test]
fn numbers() {
    assert_eq!(
        on_schema("numbers", json!({ "type": "number" })),
        reference("Number")
    );
}

#[test]
fn free_json() {
    assert_eq!(on_schema("free_json", json!({})), reference("Json"));
    assert_eq!(
        on_schema(
            "free_json",
            json!({ "type": "object", "additionalProperties": true })
        ),
        reference("Json")
    );
    assert_eq!(
        on_schema(
            "free_json",
            json!({ "type": "object", "nullable": true, "description": "d" })
        ),
        json!({ "allOf": [reference("Json")], "nullable": true, "description": "d" })
    );
    assert_eq!(
        on_schema("free_json", json!({ "type": "array" })),
        json!({ "type": "array", "items": reference("Json") })
    );
}

#[test]
fn hoist() {
    let level = json!({ "type": "string", "enum": ["LOW", "HIGH"] });
    let schemas = on_schemas(
        "hoist",
        json!({
            "A": { "properties": { "level": level, "tags": { "items": level } } },
            "B": { "properties": { "level": { "type": "string", "enum": ["LOW", "HIGH"], "nullable": true, "description": "d" } } },
        }),
    );
    let mut named = level.clone();
    named[INLINE_AT] = json!("$.components.schemas.A.properties.level");
    assert_eq!(schemas["ALevel"], named);
    assert_eq!(
        schemas["A"]["properties"]["tags"]["items"],
        reference("ALevel")
    );
    assert_eq!(
        schemas["B"]["properties"]["level"],
        json!({ "allOf": [reference("ALevel")], "nullable": true, "description": "d" })
    );
}

#[test]
fn hoisted_types_take_the_name_that_the_overlay_gives_to_any_of_them() {
    let union = json!({ "anyOf": [reference("U"), reference("V")] });
    let mut named = union.clone();
    named["x-name"] = json!("Choice");
    let schemas = on_schemas(
        "hoist",
        json!({
            "A": { "properties": { "one": union } },
            "B": { "properties": { "two": { "items": named } } },
            "U": {}, "V": {},
        }),
    );
    assert_eq!(schemas["Choice"], union);
    assert_eq!(schemas["A"]["properties"]["one"], reference("Choice"));
}

#[test]
fn two_inline_types_of_one_name_are_a_problem() {
    let document = json!({ "components": { "schemas": {
        "A": { "properties": { "b_c": { "enum": ["x"] } } },
        "AB": { "properties": { "c": { "enum": ["y"] } } },
    }}});
    let problem = apply("hoist", document).expect_err("ambiguous").to_string();
    assert!(
        problem.contains("`ABC`") && problem.contains("x-name"),
        "{problem}"
    );
}
