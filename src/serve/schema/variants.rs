//! The variants of enums.

use serde_json::Value;

use super::object::Object;

/// What the schema of a variant without data consists of.
const OF_UNIT: [&str; 7] = [
    "const",
    "default",
    "deprecated",
    "description",
    "enum",
    "title",
    "type",
];

/// Makes of the variants of an enum what the forms can show, for they know little of `oneOf`.
pub(super) fn simplify(schema: &mut Object) {
    let Some(Value::Array(mut variants)) = schema.remove("oneOf") else {
        return;
    };
    if variants.iter().all(|it| unit_names(it).is_some()) {
        list_choices(schema, &variants);
    } else {
        variants.iter_mut().for_each(give_name);
        schema.insert("anyOf".to_owned(), variants.into());
    }
}

/// Makes one list of an enum without data. It has no place for the docs of the variants but the description.
fn list_choices(schema: &mut Object, variants: &[Value]) {
    let mut choices = Vec::new();
    let mut docs = Vec::new();
    if let Some(own) = schema.get("description").and_then(Value::as_str) {
        docs.push(own.to_owned());
    }
    for variant in variants {
        for name in unit_names(variant).unwrap_or_default() {
            if let Some(doc) = variant["description"].as_str() {
                docs.push(format!("{name}: {doc}"));
            }
            choices.push(name);
        }
    }
    if !docs.is_empty() {
        schema.insert("description".to_owned(), docs.join("\n\n").into());
    }
    schema.insert("type".to_owned(), "string".into());
    schema.insert("enum".to_owned(), choices.into());
}

/// Gives a variant a title: the forms have it on the button that chooses the variant, or else the JSON type.
fn give_name(variant: &mut Value) {
    let name = variant_name(variant).map(str::to_owned);
    if let (Some(name), Some(variant)) = (name, variant.as_object_mut()) {
        variant.entry("title").or_insert(name.into());
    }
}

/// The name of a variant: its tag, its only property, or the string that it is.
fn variant_name(variant: &Value) -> Option<&str> {
    let Some(properties) = variant["properties"].as_object() else {
        let names = unit_names(variant)?;
        return names.first().filter(|_| names.len() == 1).copied();
    };
    let tags = properties.values().filter_map(|it| it["const"].as_str());
    match (tags.collect::<Vec<_>>().as_slice(), properties.len()) {
        ([tag], _) => Some(tag),
        (_, 1) => properties.keys().next().map(String::as_str),
        _ => None,
    }
}

/// The names of variants without data, if it is those that a schema is of.
fn unit_names(variant: &Value) -> Option<Vec<&str>> {
    let variant = variant.as_object()?;
    if variant.keys().any(|it| !OF_UNIT.contains(&it.as_str())) {
        return None;
    }
    match (variant.get("const"), variant.get("enum")) {
        (Some(name), _) => Some(vec![name.as_str()?]),
        (_, names) => names?.as_array()?.iter().map(Value::as_str).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(dead_code, reason = "only the schemas of these types are of interest")]

    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::super::tests::{definitions_of, of, tag};

    #[test]
    fn an_enum_without_data_is_a_list_of_choices() {
        #[derive(Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        enum Colour {
            Red,
            Green,
        }
        assert_eq!(of::<Colour>(), json!({ "$ref": "#/definitions/Colour" }));
        assert_eq!(
            definitions_of::<Colour>()["Colour"],
            json!({ "title": "Colour", "type": "string", "enum": ["red", "green"] })
        );
    }

    #[test]
    fn the_docs_of_choices_are_in_the_description() {
        /// How much.
        #[derive(Deserialize, JsonSchema)]
        enum Level {
            /// Not much.
            Low,
            /// A lot.
            High,
        }
        assert_eq!(
            definitions_of::<Level>()["Level"],
            json!({
                "title": "Level",
                "description": "How much.\n\nLow: Not much.\n\nHigh: A lot.",
                "type": "string",
                "enum": ["Low", "High"],
            })
        );
    }

    #[test]
    fn an_internally_tagged_enum_has_titles_and_filled_in_tags() {
        #[derive(Deserialize, JsonSchema)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        enum Place {
            /// On this machine.
            LocalDisk {
                path: String,
            },
            Nowhere,
        }
        let path = json!({ "type": "string", "title": "path", "position": 1 });
        assert_eq!(
            of::<Place>(),
            json!({
                "anyOf": [
                    {
                        "title": "local_disk",
                        "description": "On this machine.",
                        "type": "object",
                        "properties": { "kind": tag("kind", "local_disk"), "path": path },
                        "required": ["kind", "path"],
                    },
                    {
                        "title": "nowhere",
                        "type": "object",
                        "properties": { "kind": tag("kind", "nowhere") },
                        "required": ["kind"],
                    },
                ],
            })
        );
    }

    #[test]
    fn an_externally_tagged_enum_has_titles() {
        #[derive(Deserialize, JsonSchema)]
        enum Size {
            /// As it is.
            Unset,
            Small,
            Large,
            Of(u8),
            Tuple(u8, String),
        }
        let of_size = json!({
            "type": "integer", "minimum": 0, "maximum": 255, "title": "Of", "position": 0,
        });
        let tuple = json!({
            "type": "array",
            "prefixItems": [{ "type": "integer", "minimum": 0, "maximum": 255 }, { "type": "string" }],
            "minItems": 2,
            "maxItems": 2,
            "title": "Tuple",
            "position": 0,
        });
        let variant = |name: &str, property: Value| {
            json!({
                "title": name,
                "type": "object",
                "properties": { name: property },
                "required": [name],
                "additionalProperties": false,
            })
        };
        let unset = json!({
            "title": "Unset",
            "description": "As it is.",
            "type": "string",
            "const": "Unset",
            "default": "Unset",
        });
        assert_eq!(
            of::<Size>(),
            json!({
                "anyOf": [
                    { "type": "string", "enum": ["Small", "Large"] },
                    unset,
                    variant("Of", of_size),
                    variant("Tuple", tuple),
                ],
            })
        );
    }

    #[test]
    fn an_adjacently_tagged_enum_has_titles_and_filled_in_tags() {
        #[derive(Deserialize, JsonSchema)]
        #[serde(tag = "t", content = "c")]
        enum Adjacent {
            Unit,
            Flag(bool),
        }
        let flag = json!({ "type": "boolean", "title": "c", "position": 1 });
        assert_eq!(
            of::<Adjacent>(),
            json!({
                "anyOf": [
                    {
                        "title": "Unit",
                        "type": "object",
                        "properties": { "t": tag("t", "Unit") },
                        "required": ["t"],
                    },
                    {
                        "title": "Flag",
                        "type": "object",
                        "properties": { "t": tag("t", "Flag"), "c": flag },
                        "required": ["t", "c"],
                    },
                ],
            })
        );
    }
}
