//! The schema of a flow's parameters, made of their Rust type, as Prefect's server and both of its UIs want it.
//!
//! The server checks parameters by any JSON schema. But the forms of the UIs are made for what Pydantic writes: they
//! look into `definitions` and `anyOf`, not into `$defs` and `oneOf`, and show a property by its `title` and
//! `position`.

mod definitions;
mod field_order;
mod node;
mod object;
mod properties;
mod unions;
mod variants;
mod walk;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use object::Object;
use walk::walk;

/// The schema of a flow's parameters, as Prefect's server and UI want it.
///
/// # Errors
///
/// The type is not one that a flow's parameters can be read into, such as a tuple or an enum.
pub(super) fn parameter_schema<P: JsonSchema + DeserializeOwned>() -> Result<Value, String> {
    let (root, definitions) = generated::<P>();
    let mut root = object(root).map_err(|found| refusal(&P::schema_name(), &found))?;
    if let Some(order) = field_order::declared::<P>() {
        properties::describe(&mut root, order);
    }
    Ok(whole(root, &definitions))
}

/// The schema that schemars makes, and its definitions, with each of their parts changed by itself.
fn generated<P: JsonSchema>() -> (Object, Object) {
    let path = format!("/{}", definitions::KEY);
    let settings = SchemaSettings::draft2020_12().with(|it| it.definitions_path = path.into());
    let mut generator = settings.into_generator();
    // A root schema would refer to itself by `#`, for which the UIs find no definition.
    let root = generator.subschema_for::<P>();
    let definitions = generator.take_definitions(true);
    let definitions = definitions
        .into_iter()
        .map(|(name, schema)| {
            let mut schema = tidied(schema);
            schema.entry("title").or_insert(name.as_str().into());
            (definitions::key(&name), schema.into())
        })
        .collect();
    let mut root = tidied(root.to_value());
    definitions::follow(&mut root, &definitions);
    (root, definitions)
}

fn tidied(mut schema: Value) -> Object {
    walk(&mut schema, &mut node::tidy);
    match schema {
        Value::Object(schema) => schema,
        _ => Object::new(),
    }
}

/// The schema of the parameters if it is that of an object, or else what it is the schema of.
fn object(root: Object) -> Result<Object, String> {
    match root.get("type") {
        _ if has_variants(&root) => Err(
            "has variants, as an enum, an `Option`, or a struct with a flattened enum has"
                .to_owned(),
        ),
        Some(Value::String(kind)) if kind == "object" => Ok(root),
        // Serde reads `()` from null, but a flow without parameters gets an empty object.
        Some(Value::String(kind)) if kind == "null" => {
            Ok(Object::from_iter([("type".to_owned(), "object".into())]))
        }
        Some(kind) => Err(format!("is of the JSON type {kind}")),
        None => Err("can be any JSON value".to_owned()),
    }
}

/// Whether properties depend on a variant, as with a flattened enum. The server refuses a deployment whose default
/// parameters, an empty object, are none of the variants, and the forms show none of their properties.
fn has_variants(root: &Object) -> bool {
    let all = root.get("allOf").and_then(Value::as_array);
    root.contains_key("anyOf")
        || all.is_some_and(|all| all.iter().filter_map(Value::as_object).any(has_variants))
}

fn refusal(name: &str, found: &str) -> String {
    format!(
        "a flow's parameters must be a struct with named fields, a map with strings as keys, or `()`, because Prefect \
         passes them by name: `{name}` {found}"
    )
}

/// The schema with those definitions that it needs.
fn whole(root: Object, definitions: &Object) -> Value {
    let placed = |schema: &Value, open: &[&str]| {
        let mut schema = schema.clone();
        walk(&mut schema, &mut |part| {
            unions::place(part, definitions, open);
        });
        schema
    };
    let mut root = placed(&root.into(), &[]);
    let mut definitions = definitions
        .iter()
        .map(|(name, schema)| (name.clone(), placed(schema, &[name])))
        .collect::<Object>();
    let needed = definitions::reachable(&root, &definitions);
    definitions.retain(|name, _| needed.contains(name));
    if let Some(root) = root.as_object_mut() {
        // Prefect calls it so for each flow; the docs of the type are not those of the flow.
        root.insert("title".to_owned(), "Parameters".into());
        root.remove("description");
        root.entry("properties").or_insert(json!({}));
        root.insert(definitions::KEY.to_owned(), definitions.into());
    }
    root
}

#[cfg(test)]
mod tests {
    #![allow(dead_code, reason = "only the schemas of these types are of interest")]

    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    pub(super) fn schema<P: JsonSchema + DeserializeOwned>() -> Value {
        parameter_schema::<P>().expect("a schema")
    }

    pub(super) fn properties<P: JsonSchema + DeserializeOwned>() -> Value {
        schema::<P>()["properties"].clone()
    }

    /// A parameter of any type.
    #[derive(Deserialize, JsonSchema)]
    struct One<T> {
        it: T,
    }

    /// The schema of a parameter of this type, without what it has for being a parameter.
    pub(super) fn of<T: JsonSchema + DeserializeOwned>() -> Value {
        let mut it = properties::<One<T>>()["it"].clone();
        if let Some(it) = it.as_object_mut() {
            it.retain(|keyword, _| !matches!(keyword.as_str(), "title" | "position"));
        }
        it
    }

    /// The definitions that a parameter of this type needs.
    pub(super) fn definitions_of<T: JsonSchema + DeserializeOwned>() -> Value {
        schema::<One<T>>()["definitions"].clone()
    }

    /// The property that is the tag of a variant.
    pub(super) fn tag(property: &str, name: &str) -> Value {
        json!({ "type": "string", "const": name, "default": name, "title": property, "position": 0 })
    }

    /// The docs of the type.
    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Named {
        /// The docs of the field.
        name: String,
    }

    #[derive(Deserialize, JsonSchema)]
    enum External {
        Unit,
        Data(bool),
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(tag = "kind")]
    enum Tagged {
        One,
        Two,
    }

    fn of_named() -> Value {
        json!({
            "title": "Parameters",
            "type": "object",
            "properties": {
                "name": {
                    "description": "The docs of the field.", "type": "string", "title": "name", "position": 0,
                },
            },
            "required": ["name"],
            "additionalProperties": false,
            "definitions": {},
        })
    }

    #[test]
    fn a_schema_is_that_of_a_python_flow() {
        assert_eq!(schema::<Named>(), of_named());
    }

    #[test]
    fn parameters_that_are_but_others_are_those() {
        #[derive(Deserialize, JsonSchema)]
        struct Newtype(Named);
        #[derive(Deserialize, JsonSchema)]
        #[serde(transparent)]
        struct Transparent {
            named: Newtype,
        }
        assert_eq!(schema::<Newtype>(), of_named());
        assert_eq!(schema::<Box<Transparent>>(), of_named());
    }

    #[test]
    fn no_parameters_make_an_empty_form() {
        #[derive(Deserialize, JsonSchema)]
        struct Empty {}
        #[derive(Deserialize, JsonSchema)]
        struct Unit;

        let nothing = json!({
            "title": "Parameters", "type": "object", "properties": {}, "definitions": {},
        });
        assert_eq!(schema::<()>(), nothing);
        assert_eq!(schema::<Unit>(), nothing);
        assert_eq!(schema::<Empty>(), nothing);
    }

    #[test]
    fn a_map_is_an_object() {
        assert_eq!(
            schema::<BTreeMap<String, f64>>(),
            json!({
                "title": "Parameters",
                "type": "object",
                "additionalProperties": { "type": "number" },
                "properties": {},
                "definitions": {},
            })
        );
    }

    #[track_caller]
    fn refuses<P: JsonSchema + DeserializeOwned>(why: &str) {
        let error = parameter_schema::<P>().expect_err("not an object");
        assert!(error.starts_with("a flow's parameters must be a struct with named fields,"));
        assert!(error.ends_with(why), "{error}");
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        #[derive(Deserialize, JsonSchema)]
        struct Pair(bool, bool);

        refuses::<Pair>("`Pair` is of the JSON type \"array\"");
        refuses::<String>("`string` is of the JSON type \"string\"");
        refuses::<Value>("`AnyValue` can be any JSON value");
    }

    #[test]
    fn what_has_variants_is_refused() {
        #[derive(Deserialize, JsonSchema)]
        struct Flattened {
            name: String,
            #[serde(flatten)]
            tagged: Tagged,
        }
        #[derive(Deserialize, JsonSchema)]
        struct Twice {
            #[serde(flatten)]
            tagged: Tagged,
            #[serde(flatten)]
            external: External,
        }
        let why = "has variants, as an enum, an `Option`, or a struct with a flattened enum has";
        refuses::<Tagged>(&format!("`Tagged` {why}"));
        refuses::<External>(why);
        refuses::<Option<Named>>(why);
        refuses::<Flattened>(&format!("`Flattened` {why}"));
        refuses::<Twice>(why);
    }
}
