//! Whether two JSON texts have the same meaning.
//!
//! They must, except for what `../shared/corpus/README.md` allows: a null for a field that is not nullable
//! in the document may be missing (it means "not given"), a date-time may be spelt differently (the instant
//! stays the same), and a duration sent as text may have become its seconds. Two exceptions are ours,
//! because Rust's types are more specific than JSON's:
//!
//! * a UUID is 128 bits, and the case of its digits is spelling (RFC 9562 §4);
//! * `30.0` for a field that the document calls an integer is the integer 30 (JSON Schema §4.2.3).
//!
//! Everything else is compared as it is written: an integer is no float, and no digit may be lost.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use prefect_sdk::types::{Json, Seconds};
use serde_json::Value;
use uuid::Uuid;

use crate::json_text::{
    Keys, items, keys, kind, parse, parse_opt, same_as, same_integer, same_number, shortened,
};

/// The upstream document, unchanged, because the generator's output is under test.
pub struct Document(Value);

impl Document {
    pub fn vendored() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/prefect.yaml");
        let text = std::fs::read_to_string(path).expect("the document");
        Self(yaml_serde::from_str(&text).expect("YAML"))
    }

    /// The place of a whole value of a schema. Whether `X` is split into `X-Input` and `X-Output` depends on the version.
    pub fn schema(&self, name: &str) -> Place<'_> {
        let whole = name
            .strip_suffix("-Input")
            .or_else(|| name.strip_suffix("-Output"));
        let named = |name: &str| self.0["components"]["schemas"].get(name);
        let halves = ["-Input", "-Output"].map(|half| named(&format!("{name}{half}")));
        let found = named(name).or_else(|| named(whole?));
        Place::of(self, found.into_iter().chain(halves.into_iter().flatten()))
    }

    pub fn request(&self, method: &str, path: &str) -> Place<'_> {
        let operation = &self.0["paths"][path][method.to_lowercase()];
        Place::of(
            self,
            operation.pointer("/requestBody/content/application~1json/schema"),
        )
    }

    /// The parameters of an operation.
    pub fn parameters(&self, method: &str, path: &str) -> &[Value] {
        let operation = &self.0["paths"][path][method.to_lowercase()];
        operation["parameters"]
            .as_array()
            .map_or(&[], Vec::as_slice)
    }

    /// What a reference refers to.
    pub fn target(&self, reference: &str) -> Option<&Value> {
        self.0.pointer(reference.strip_prefix('#')?)
    }

    pub fn reply(&self, method: &str, path: &str) -> Place<'_> {
        let responses = &self.0["paths"][path][method.to_lowercase()]["responses"];
        let success = responses.as_object().into_iter().flatten();
        let success = success.filter(|(status, _)| status.starts_with('2'));
        let schemas = success.filter_map(|(_, r)| r.pointer("/content/application~1json/schema"));
        Place::of(self, schemas)
    }
}

/// A place in a value, and the schemas that it may follow: several inside a union.
pub struct Place<'a> {
    document: &'a Document,
    at: String,
    schemas: Vec<&'a Value>,
}

impl<'a> Place<'a> {
    fn of(document: &'a Document, schemas: impl IntoIterator<Item = &'a Value>) -> Self {
        Self {
            document,
            at: "$".to_owned(),
            schemas: Vec::new(),
        }
        .with(schemas)
    }

    /// Adds what a schema stands for: the target of a reference, the members of a union.
    fn with(mut self, schemas_here: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut open: Vec<&Value> = schemas_here.into_iter().collect();
        while let Some(schema) = open.pop() {
            self.schemas.push(schema);
            let target = schema.get("$ref").and_then(Value::as_str);
            open.extend(target.and_then(|target| self.document.0.pointer(&target[1..])));
            for members in ["allOf", "anyOf", "oneOf"] {
                open.extend(
                    schema
                        .get(members)
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten(),
                );
            }
        }
        self
    }

    fn inside(&self, step: String, schemas: Vec<&'a Value>) -> Self {
        let place = Self {
            document: self.document,
            at: self.at.clone() + &step,
            schemas: Vec::new(),
        };
        place.with(schemas)
    }

    fn property(&self, key: &str) -> Self {
        let declared = |schema: &&'a Value| schema.get("properties").and_then(|p| p.get(key));
        let values = |schema: &&'a Value| schema.get("additionalProperties");
        let schemas = self.schemas.iter();
        let schemas = schemas.filter_map(|schema| declared(schema).or_else(|| values(schema)));
        self.inside(format!(".{key}"), schemas.collect())
    }

    fn item(&self, index: usize) -> Self {
        let schemas = self.schemas.iter().filter_map(|schema| schema.get("items"));
        self.inside(format!("[{index}]"), schemas.collect())
    }

    fn has(&self, keyword: &str, value: &str) -> bool {
        self.schemas
            .iter()
            .any(|schema| schema.get(keyword).is_some_and(|found| found == value))
    }

    /// Whether a null here means "not given": the place is declared, and neither null nor any value is
    /// allowed.
    fn is_declared_not_null(&self) -> bool {
        let says_something = |schema: &&Value| {
            ["$ref", "type", "anyOf", "allOf", "oneOf", "enum", "const"]
                .iter()
                .any(|keyword| schema.get(keyword).is_some())
        };
        !self.schemas.is_empty()
            && self.schemas.iter().all(says_something)
            && !self.has("type", "null")
    }

    /// Whether a text is one of the values that the document declares anywhere.
    pub fn declares_value(&self, text: &str) -> bool {
        fn search(value: &Value, text: &str) -> bool {
            match value {
                Value::Object(map) => map.iter().any(|(key, value)| match key.as_str() {
                    "enum" => value
                        .as_array()
                        .is_some_and(|all| all.iter().any(|one| one == text)),
                    "const" => value == text,
                    _ => search(value, text),
                }),
                Value::Array(items) => items.iter().any(|item| search(item, text)),
                _ => false,
            }
        }
        search(&self.document.0, text)
    }

    /// Adds how often each key is where the document declares properties, but not this one.
    pub fn count_undeclared(&self, json: &str, counts: &mut BTreeMap<String, usize>) {
        match kind(json.trim()) {
            '{' => {
                let objects = self
                    .schemas
                    .iter()
                    .filter_map(|schema| schema.get("properties"));
                let objects: Vec<_> = objects.collect();
                for (key, values) in keys(json) {
                    let is_declared = objects.iter().any(|object| object.get(&key).is_some());
                    if !objects.is_empty() && !is_declared {
                        *counts.entry(key.clone()).or_default() += 1;
                    }
                    let place = self.property(&key);
                    for value in values {
                        place.count_undeclared(value.as_str(), counts);
                    }
                }
            }
            '[' => {
                for (index, item) in items(json).iter().enumerate() {
                    self.item(index).count_undeclared(item.as_str(), counts);
                }
            }
            _ => {}
        }
    }

    /// The first difference, with its place.
    pub fn difference(&self, sent: &str, encoded: &str) -> Option<String> {
        let (sent, encoded) = (sent.trim(), encoded.trim());
        let same = match (kind(sent), kind(encoded)) {
            ('{', '{') => return self.difference_in_keys(&keys(sent), &keys(encoded)),
            ('[', '[') => return self.difference_in_items(&items(sent), &items(encoded)),
            ('"', '"') => {
                let (sent, encoded): (String, String) = (parse(sent), parse(encoded));
                sent == encoded
                    || (self.has("format", "date-time")
                        && same_as::<DateTime<Utc>>(&sent, &encoded))
                    || (self.has("format", "uuid") && same_as::<Uuid>(&sent, &encoded))
            }
            ('0', '0') => {
                same_number(sent, encoded)
                    || (self.has("type", "integer") && same_integer(sent, encoded))
            }
            ('"', '0') if self.has("format", "duration") || self.has("type", "number") => {
                match (parse_opt::<Seconds>(sent), parse_opt::<Seconds>(encoded)) {
                    (Some(sent), Some(encoded)) => sent == encoded,
                    _ => false,
                }
            }
            _ => sent == encoded,
        };
        (!same).then(|| {
            format!(
                "{}: {} became {}",
                self.at,
                shortened(sent),
                shortened(encoded)
            )
        })
    }

    fn difference_in_keys(&self, sent: &Keys, encoded: &Keys) -> Option<String> {
        if let Some(twice) = encoded.keys().find(|key| encoded[*key].len() > 1) {
            return Some(format!("{}.{twice} is written twice", self.at));
        }
        let lost_or_changed = sent.iter().find_map(|(key, values)| {
            let (place, value) = (self.property(key), values.last()?);
            match encoded.get(key).and_then(|values| values.last()) {
                Some(encoded) => place.difference(value.as_str(), encoded.as_str()),
                None if value.is_null() && place.is_declared_not_null() => None,
                None => Some(format!(
                    "{}: {} is lost",
                    place.at,
                    shortened(value.as_str())
                )),
            }
        });
        let added = encoded.iter().find(|(key, _)| !sent.contains_key(*key));
        lost_or_changed.or_else(|| {
            added.map(|(key, values)| format!("{}.{key}: {values:?} was not sent", self.at))
        })
    }

    fn difference_in_items(&self, sent: &[Json], encoded: &[Json]) -> Option<String> {
        if sent.len() != encoded.len() {
            return Some(format!(
                "{}: {} items became {}",
                self.at,
                sent.len(),
                encoded.len()
            ));
        }
        sent.iter()
            .zip(encoded)
            .enumerate()
            .find_map(|(index, (sent, encoded))| {
                self.item(index).difference(sent.as_str(), encoded.as_str())
            })
    }
}

#[test]
fn the_comparison_sees_what_matters() {
    let document = Document::vendored();
    let same = |schema: &str, a: &str, b: &str| document.schema(schema).difference(a, b).is_none();
    for (schema, sent, encoded) in [
        (
            "FlowCreate",
            r#"{"name": "a", "tags": ["x"]}"#,
            r#"{"tags":["x"],"name":"a"}"#,
        ),
        ("FlowCreate", r#"{"tags": null}"#, "{}"),
        (
            "State",
            r#"{"timestamp": "2024-01-01T00:00:00+05:30"}"#,
            r#"{"timestamp":"2023-12-31T18:30:00Z"}"#,
        ),
        (
            "EventTrigger",
            r#"{"within": "PT1H"}"#,
            r#"{"within":3600.0}"#,
        ),
        (
            "WorkPoolCreate",
            r#"{"concurrency_limit": 5.0}"#,
            r#"{"concurrency_limit":5}"#,
        ),
    ] {
        assert!(
            same(schema, sent, encoded),
            "{schema}: {sent} and {encoded}"
        );
    }
    for (schema, sent, encoded) in [
        ("VariableCreate", r#"{"value": null}"#, "{}"),
        (
            "FlowRunCreate",
            r#"{"parameters": {"a": "PT1H"}}"#,
            r#"{"parameters":{"a":3600.0}}"#,
        ),
        (
            "FlowRunCreate",
            r#"{"parameters": {"a": "2024-01-01T00:00:00+05:30"}}"#,
            r#"{"parameters":{"a":"2023-12-31T18:30:00Z"}}"#,
        ),
        (
            "FlowCreate",
            r#"{"name": "a"}"#,
            r#"{"name":"a","name":"a"}"#,
        ),
        (
            "FlowRunCreate",
            r#"{"parameters": {"a": 1.0}}"#,
            r#"{"parameters":{"a":1}}"#,
        ),
        (
            "FlowRunCreate",
            r#"{"parameters": {"a": 1180591620717411303424}}"#,
            r#"{"parameters":{"a":1180591620717411303425}}"#,
        ),
        (
            "FlowRunCreate",
            r#"{"parameters": {"a": 0.1}}"#,
            r#"{"parameters":{"a":0.10000000000000002}}"#,
        ),
        ("EventTrigger", r#"{"within": 60}"#, r#"{"within":60.0}"#),
        ("DeploymentUpdate", r#"{"description": null}"#, "{}"),
        ("DeploymentUpdate", "{}", r#"{"paused":false}"#),
        ("FlowCreate", r#"{"tags": ["x"]}"#, r#"{"tags":[]}"#),
        (
            "State",
            r#"{"timestamp": "2024-01-01T00:00:00.000001Z"}"#,
            r#"{"timestamp":"2024-01-01T00:00:00Z"}"#,
        ),
        ("FlowCreate", r#"{"name": "a"}"#, r#"{"name":"b"}"#),
        ("FlowCreate", r#"{"name": "a"}"#, r#"{"name":null}"#),
    ] {
        assert!(
            !same(schema, sent, encoded),
            "{schema}: {sent} and {encoded}"
        );
    }
}
