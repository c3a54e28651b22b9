//! Unions: what is of one of several types.

use serde_json::Value;

use super::definitions;
use super::object::Object;
use super::walk::walk_parts;

/// Puts a union in the place of the reference to it, and its branches among those around it: the older UI shows no
/// branches for a reference. So too for a type that is but another one, and for one to which a variant adds its tag.
///
/// The definitions that are being put somewhere are `open`, and not put into themselves.
pub(super) fn place(schema: &mut Object, definitions: &Object, open: &[&str]) {
    if let Some((name, definition)) = to_be_placed(schema, definitions)
        && !open.contains(&name)
    {
        definitions::put(schema, definition);
        let open = [open, &[name]].concat();
        walk_parts(schema, &mut |part| place(part, definitions, &open));
        place(schema, definitions, &open);
    }
    splice(schema);
}

/// The definition that a schema refers to, if it is not one that the forms show where it is referred to.
fn to_be_placed<'a>(schema: &Object, definitions: &'a Object) -> Option<(&'a str, &'a Object)> {
    let (name, definition) = definitions.get_key_value(definitions::reference(schema)?)?;
    let definition = definition.as_object()?;
    let unclear = definition.contains_key("anyOf") || definition.contains_key("$ref");
    (unclear || schema.contains_key("properties")).then_some((name, definition))
}

/// Puts the branches of a union among those of the union that it is a branch of: the forms show one row of buttons.
fn splice(schema: &mut Object) {
    if let Some(Value::Array(branches)) = schema.get_mut("anyOf") {
        let outer = std::mem::take(branches);
        *branches = outer.into_iter().flat_map(branches_of).collect();
    }
}

fn branches_of(branch: Value) -> Vec<Value> {
    let mere = |schema: &Object| schema.keys().all(|it| it == "anyOf" || it == "description");
    match &branch["anyOf"] {
        Value::Array(inner) if branch.as_object().is_some_and(mere) => inner.clone(),
        _ => vec![branch],
    }
}

#[cfg(test)]
mod tests {
    #![allow(dead_code, reason = "only the schemas of these types are of interest")]

    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::super::tests::{definitions_of, of, tag};

    #[derive(Deserialize, JsonSchema)]
    #[serde(untagged)]
    enum Scalar {
        Number(i64),
        Text(String),
    }

    #[test]
    fn a_union_stands_where_it_is_used() {
        let scalar = json!([{ "type": "integer" }, { "type": "string" }]);
        let or_none = json!([{ "type": "integer" }, { "type": "string" }, { "type": "null" }]);
        assert_eq!(of::<Scalar>(), json!({ "anyOf": scalar }));
        assert_eq!(
            of::<Vec<Scalar>>(),
            json!({ "type": "array", "items": { "anyOf": scalar } })
        );
        assert_eq!(
            of::<Option<Scalar>>(),
            json!({ "anyOf": or_none, "default": null })
        );
        assert_eq!(definitions_of::<Scalar>(), json!({}));
    }

    #[test]
    fn the_branches_of_a_union_in_a_union_are_among_those_around_it() {
        #[derive(Deserialize, JsonSchema)]
        #[serde(untagged)]
        enum Value {
            Flag(bool),
            Scalar(Scalar),
        }
        assert_eq!(
            of::<Value>(),
            json!({ "anyOf": [{ "type": "boolean" }, { "type": "integer" }, { "type": "string" }] })
        );
    }

    #[test]
    fn a_variant_has_the_properties_of_its_type_and_its_tag() {
        #[derive(Deserialize, JsonSchema)]
        #[serde(tag = "kind")]
        enum Place {
            Bucket(Bucket),
        }
        #[derive(Deserialize, JsonSchema)]
        struct Bucket {
            #[serde(default)]
            at: String,
            name: String,
        }
        let at = json!({ "type": "string", "default": "", "title": "at", "position": 2 });
        let name = json!({ "type": "string", "title": "name", "position": 1 });
        assert_eq!(
            of::<Place>(),
            json!({
                "anyOf": [{
                    "title": "Bucket",
                    "type": "object",
                    "properties": { "kind": tag("kind", "Bucket"), "at": at, "name": name },
                    "required": ["kind", "name"],
                }],
            })
        );
        assert_eq!(definitions_of::<Place>(), json!({}));
    }

    #[test]
    fn a_type_by_another_name_is_that_type() {
        #[derive(Deserialize, JsonSchema)]
        enum Colour {
            Red,
        }
        #[derive(Deserialize, JsonSchema)]
        struct Shade(Colour);

        let colour = json!({ "$ref": "#/definitions/Colour" });
        assert_eq!(of::<Shade>(), colour);
        assert_eq!(
            of::<Vec<Shade>>(),
            json!({ "type": "array", "items": colour })
        );
    }

    #[test]
    fn a_union_of_itself_is_referred_to_within() {
        #[derive(Deserialize, JsonSchema)]
        #[serde(untagged)]
        enum Tree {
            Leaf(bool),
            Branches(Vec<Tree>),
        }
        let inner = json!({ "type": "array", "items": { "$ref": "#/definitions/Tree" } });
        let branches = json!([{ "type": "boolean" }, inner]);
        assert_eq!(of::<Tree>(), json!({ "anyOf": branches }));
        assert_eq!(
            definitions_of::<Tree>()["Tree"],
            json!({ "title": "Tree", "anyOf": branches })
        );
    }

    #[test]
    fn a_variant_that_leads_back_to_its_union_ends() {
        #[derive(Deserialize, JsonSchema)]
        #[serde(tag = "kind")]
        enum Step {
            Then(Then),
        }
        #[derive(Deserialize, JsonSchema)]
        struct Then {
            next: Option<Box<Step>>,
        }
        let next = json!({
            "anyOf": [{ "$ref": "#/definitions/Step" }, { "type": "null" }],
            "default": null,
            "title": "next",
            "position": 1,
        });
        let branches = json!([{
            "title": "Then",
            "type": "object",
            "properties": { "kind": tag("kind", "Then"), "next": next },
            "required": ["kind"],
        }]);
        assert_eq!(of::<Step>(), json!({ "anyOf": branches }));
        assert_eq!(
            definitions_of::<Step>()["Step"],
            json!({ "title": "Step", "anyOf": branches })
        );
    }
}
