//! What is changed in each part of a schema by itself.

use serde_json::{Value, json};

use super::object::Object;
use super::{definitions, properties, variants};

/// The formats that the server checks or a form has a field for. Others would be shown as the type: `int32`, `double`.
const FORMATS: [&str; 13] = [
    "date",
    "date-time",
    "duration",
    "email",
    "ipv4",
    "ipv6",
    "json-string",
    "password",
    "path",
    "regex",
    "time",
    "uri",
    "uuid",
];

/// What is said of a property whatever its type is.
const OUTER: [&str; 7] = [
    "default",
    "deprecated",
    "description",
    "examples",
    "readOnly",
    "title",
    "writeOnly",
];

/// Changes a part of a schema, whose own parts are changed already.
pub(super) fn tidy(schema: &mut Object) {
    definitions::refer_by_key(schema);
    drop_format(schema);
    fill_constant(schema);
    variants::simplify(schema);
    properties::describe(schema, &[]);
    split_types(schema);
}

/// Drops a format that nobody knows, and writes out the bounds that it means, as schemars does for 8 and 16 bits.
fn drop_format(schema: &mut Object) {
    let bounds = match schema.get("format").and_then(Value::as_str) {
        None => return,
        Some(format) if FORMATS.contains(&format) => return,
        Some("int32") => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        Some("uint32") => Some((0, i64::from(u32::MAX))),
        Some(_) => None,
    };
    schema.remove("format");
    if let Some((least, most)) = bounds {
        schema.entry("minimum").or_insert(least.into());
        schema.entry("maximum").or_insert(most.into());
    }
}

/// Has the forms send a constant, such as the tag of a variant, which is not to be entered.
fn fill_constant(schema: &mut Object) {
    if let Some(constant @ Value::String(_)) = schema.get("const").cloned() {
        schema.entry("default").or_insert(constant);
    }
}

/// Makes branches of a list of types, as of an `Option`: the forms offer branches only.
fn split_types(schema: &mut Object) {
    let Some(Value::Array(types)) = schema.get("type").cloned() else {
        return;
    };
    let mut inner = std::mem::take(schema);
    for keyword in OUTER {
        if let Some(value) = inner.remove(keyword) {
            schema.insert(keyword.to_owned(), value);
        }
    }
    if let Some(Value::Array(choices)) = inner.get_mut("enum") {
        choices.retain(|it| !it.is_null());
    }
    let branch = |kind: Value| match kind.as_str() {
        Some("null") => json!({ "type": kind }),
        _ => {
            let mut branch = inner.clone();
            branch.insert("type".to_owned(), kind);
            branch.into()
        }
    };
    schema.insert("anyOf".to_owned(), types.into_iter().map(branch).collect());
}

#[cfg(test)]
mod tests {
    #![allow(dead_code, reason = "only the schemas of these types are of interest")]

    use std::collections::BTreeMap;

    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::super::tests::properties;

    #[test]
    fn a_number_has_bounds_and_no_format() {
        #[derive(Deserialize, JsonSchema)]
        struct Numbers {
            int: i32,
            uint: u32,
            small: u8,
            large: i64,
            float: f64,
            #[schemars(range(min = 1, max = 10))]
            ranged: i32,
            option: Option<u32>,
        }
        let option = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
        assert_eq!(
            properties::<Numbers>(),
            json!({
                "int": {
                    "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX, "title": "int", "position": 0,
                },
                "uint": {
                    "type": "integer", "minimum": 0, "maximum": u32::MAX, "title": "uint", "position": 1,
                },
                "small": { "type": "integer", "minimum": 0, "maximum": 255, "title": "small", "position": 2 },
                "large": { "type": "integer", "title": "large", "position": 3 },
                "float": { "type": "number", "title": "float", "position": 4 },
                "ranged": { "type": "integer", "minimum": 1, "maximum": 10, "title": "ranged", "position": 5 },
                "option": {
                    "anyOf": [option, { "type": "null" }], "default": null, "title": "option", "position": 6,
                },
            })
        );
    }

    #[test]
    fn a_format_that_the_server_knows_stays() {
        #[derive(Deserialize, JsonSchema)]
        struct Texts {
            #[schemars(extend("format" = "date-time"))]
            when: String,
            #[schemars(extend("format" = "partial-time"))]
            time: String,
        }
        assert_eq!(
            properties::<Texts>(),
            json!({
                "when": { "type": "string", "format": "date-time", "title": "when", "position": 0 },
                "time": { "type": "string", "title": "time", "position": 1 },
            })
        );
    }

    #[test]
    fn an_option_has_a_branch_of_none() {
        #[derive(Deserialize, JsonSchema)]
        #[schemars(inline)]
        enum Inline {
            A,
            B,
        }
        #[derive(Deserialize, JsonSchema)]
        #[schemars(inline)]
        struct Point {
            x: bool,
        }
        #[derive(Deserialize, JsonSchema)]
        struct Options {
            /// Its docs.
            #[schemars(length(min = 1), extend("examples" = ["x"]))]
            text: Option<String>,
            choice: Option<Inline>,
            point: Option<Point>,
        }
        let text = json!({ "type": "string", "minLength": 1 });
        let choice = json!({ "type": "string", "enum": ["A", "B"] });
        let point = json!({
            "type": "object",
            "properties": { "x": { "type": "boolean", "title": "x", "position": 0 } },
            "required": ["x"],
        });
        let none = json!({ "type": "null" });
        assert_eq!(
            properties::<Options>(),
            json!({
                "text": {
                    "anyOf": [text, none],
                    "description": "Its docs.",
                    "examples": ["x"],
                    "default": null,
                    "title": "text",
                    "position": 0,
                },
                "choice": { "anyOf": [choice, none], "default": null, "title": "choice", "position": 1 },
                "point": { "anyOf": [point, none], "default": null, "title": "point", "position": 2 },
            })
        );
    }

    #[test]
    fn none_is_the_default_of_what_may_be_left_out_without_one() {
        fn yes() -> Option<bool> {
            Some(true)
        }

        #[derive(Deserialize, JsonSchema)]
        #[schemars(extend("required" = ["required"]))]
        struct Options {
            left_out: Option<bool>,
            #[serde(default = "yes")]
            defaulted: Option<bool>,
            required: Option<bool>,
        }
        let branches = json!([{ "type": "boolean" }, { "type": "null" }]);
        assert_eq!(
            properties::<Options>(),
            json!({
                "left_out": { "anyOf": branches, "default": null, "title": "left_out", "position": 0 },
                "defaulted": { "anyOf": branches, "default": true, "title": "defaulted", "position": 1 },
                "required": { "anyOf": branches, "title": "required", "position": 2 },
            })
        );
    }

    #[test]
    fn anything_is_an_empty_object() {
        #[derive(Deserialize, JsonSchema)]
        struct Anything {
            any: Value,
            list: Vec<Value>,
            map: BTreeMap<String, Value>,
            #[schemars(with = "bool", transform = never)]
            never: bool,
        }
        fn never(schema: &mut schemars::Schema) {
            *schema = false.into();
        }

        assert_eq!(
            properties::<Anything>(),
            json!({
                "any": { "title": "any", "position": 0 },
                "list": { "type": "array", "items": {}, "title": "list", "position": 1 },
                "map": { "type": "object", "additionalProperties": true, "title": "map", "position": 2 },
                "never": { "not": {}, "title": "never", "position": 3 },
            })
        );
    }

    #[test]
    fn a_title_of_its_own_stays() {
        #[derive(Deserialize, JsonSchema)]
        struct Titled {
            #[schemars(title = "The name")]
            name: String,
            #[serde(rename = "first-name")]
            first: String,
        }
        assert_eq!(
            properties::<Titled>(),
            json!({
                "name": { "type": "string", "title": "The name", "position": 0 },
                "first-name": { "type": "string", "title": "first-name", "position": 1 },
            })
        );
    }
}
