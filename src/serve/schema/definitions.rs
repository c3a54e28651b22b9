//! The definitions of a schema, and what refers to them.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::object::Object;
use super::properties;

/// Where the UIs look definitions up.
pub(super) const KEY: &str = "definitions";

/// What a reference to a definition starts with.
const PREFIX: &str = "#/definitions/";

/// The key of a definition of this name: the UIs look it up as it is written in the reference, the server decodes that
/// first, so only characters that are not encoded serve both.
pub(super) fn key(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.chars()
        .map(|c| match plain(c) {
            true => c.to_string(),
            false => format!("_{:x}_", u32::from(c)),
        })
        .collect()
}

/// Has a schema refer to a definition by its key.
pub(super) fn refer_by_key(schema: &mut Object) {
    if let Some(encoded) = reference(schema) {
        let name = percent_decode_str(encoded).decode_utf8_lossy();
        let name = name.replace("~1", "/").replace("~0", "~");
        let reference = format!("{PREFIX}{}", key(&name));
        schema.insert("$ref".to_owned(), reference.into());
    }
}

/// The definition that a schema refers to.
pub(super) fn reference(schema: &Object) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(PREFIX)
}

/// Puts the definition that the root refers to in its place, because the UIs make a form of the `properties` there.
pub(super) fn follow(root: &mut Object, definitions: &Object) {
    // A type may be but another one, but not without end, unless it is itself.
    for _ in 0..=definitions.len() {
        let definition = reference(root).and_then(|name| definitions.get(name));
        match definition.and_then(Value::as_object) {
            Some(definition) => put(root, definition),
            None => return,
        }
    }
}

/// Puts a definition in the place of the reference to it, to which what the schema says itself is added.
pub(super) fn put(schema: &mut Object, definition: &Object) {
    schema.remove("$ref");
    for (keyword, said) in definition {
        match (keyword.as_str(), schema.get_mut(keyword), said) {
            // It names the definition, not the place.
            ("title", _, _) => {}
            ("properties", Some(Value::Object(own)), Value::Object(others)) => {
                let others = others.iter().map(|(name, it)| (name.clone(), it.clone()));
                own.extend(others);
            }
            ("required", Some(Value::Array(own)), Value::Array(others)) => {
                own.extend_from_slice(others);
            }
            (_, Some(_), _) => {}
            (_, None, _) => {
                schema.insert(keyword.clone(), said.clone());
            }
        }
    }
    properties::describe(schema, &[]);
}

/// The names of the definitions that a schema needs.
pub(super) fn reachable(schema: &Value, definitions: &Object) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(values) => open.extend(values),
            Value::Object(values) => {
                open.extend(values.values());
                if let Some((name, definition)) =
                    reference(values).and_then(|name| definitions.get_key_value(name))
                    && found.insert(name.clone())
                {
                    open.push(definition);
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(dead_code, reason = "only the schemas of these types are of interest")]

    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::super::tests::schema;
    use super::key;

    #[test]
    fn a_definition_has_its_name_as_the_title_and_its_properties_in_order() {
        /// An animal.
        #[derive(Deserialize, JsonSchema)]
        struct Animal {
            zebra: bool,
            #[serde(default)]
            may: bool,
            #[serde(default)]
            also: bool,
            ant: bool,
        }
        #[derive(Deserialize, JsonSchema)]
        struct Zoo {
            /// The first one.
            first: Animal,
            other: Option<Animal>,
        }
        let animal = json!({ "$ref": "#/definitions/Animal" });
        assert_eq!(
            schema::<Zoo>(),
            json!({
                "title": "Parameters",
                "type": "object",
                "properties": {
                    "first": {
                        "$ref": "#/definitions/Animal",
                        "description": "The first one.",
                        "title": "first",
                        "position": 0,
                    },
                    "other": {
                        "anyOf": [animal, { "type": "null" }],
                        "default": null,
                        "title": "other",
                        "position": 1,
                    },
                },
                "required": ["first"],
                "definitions": {
                    "Animal": {
                        "title": "Animal",
                        "description": "An animal.",
                        "type": "object",
                        "properties": {
                            "zebra": { "type": "boolean", "title": "zebra", "position": 0 },
                            "ant": { "type": "boolean", "title": "ant", "position": 1 },
                            "also": { "type": "boolean", "default": false, "title": "also", "position": 2 },
                            "may": { "type": "boolean", "default": false, "title": "may", "position": 3 },
                        },
                        "required": ["zebra", "ant"],
                    },
                },
            })
        );
    }

    #[test]
    fn a_type_of_itself_refers_to_its_definition() {
        #[derive(Deserialize, JsonSchema)]
        struct Node {
            next: Option<Box<Node>>,
        }
        let schema = schema::<Node>();
        let next = json!({
            "anyOf": [{ "$ref": "#/definitions/Node" }, { "type": "null" }],
            "default": null,
            "title": "next",
            "position": 0,
        });
        assert_eq!(schema["properties"], json!({ "next": next }));
        assert_eq!(
            schema["definitions"],
            json!({ "Node": { "title": "Node", "type": "object", "properties": { "next": next } } })
        );
    }

    #[test]
    fn a_name_that_a_reference_would_encode_is_replaced() {
        #[derive(Deserialize, JsonSchema)]
        #[serde(rename = "Größe 1/~2")]
        struct Odd {
            x: bool,
        }
        #[derive(Deserialize, JsonSchema)]
        struct Parameters {
            odd: Odd,
        }
        let (schema, key) = (schema::<Parameters>(), key("Größe 1/~2"));
        assert_eq!(key, "Gr_f6__df_e_20_1_2f__7e_2");
        assert_eq!(
            schema["properties"]["odd"]["$ref"],
            format!("#/definitions/{key}")
        );
        assert_eq!(schema["definitions"][key]["title"], "Größe 1/~2");
    }

    #[test]
    fn a_type_that_is_but_itself_is_refused() {
        #[derive(Deserialize, JsonSchema)]
        struct Endless(Box<Endless>);

        let refused = super::super::generated::<Endless>();
        assert!(super::super::object(refused.0).is_err());
    }
}
