//! The checks and fields that a creation and an update of a deployment have in common.

use serde_json::{Value, json};

use super::schema::Tree;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::work_pools::at_least;
use crate::types::{ConcurrencyLimitStrategy, ConcurrencyOptions, Field, Json};

/// The most bytes of parameters (`PREFECT_SERVER_API_MAX_PARAMETER_SIZE`).
const MAX_PARAMETERS: usize = 524_288;

/// The keys of older clients, which the server ignores.
const OLD_KEYS: [&str; 4] = [
    "worker_pool_queue_id",
    "worker_pool_name",
    "worker_pool_queue_name",
    "work_pool_queue_name",
];

/// Refuses keys that are not known.
pub(super) fn check_keys<'k>(keys: impl Iterator<Item = &'k String>) -> Result<(), Refusal> {
    let mut unknown = keys.filter(|key| !OLD_KEYS.contains(&key.as_str()));
    match unknown.next() {
        None => Ok(()),
        Some(key) => Err(Refusal::invalid(
            &["body", key],
            "extra_forbidden",
            "Extra inputs are not permitted",
        )),
    }
}

/// Refuses a limit that is none, and two limits at once.
pub(super) fn check_limits(
    limit: Option<i64>,
    options: Option<&ConcurrencyOptions>,
    has_global: bool,
) -> Result<(), Refusal> {
    if has_global && limit.is_some_and(|limit| limit != 0) {
        let text = "Value error, A deployment cannot have both a concurrency limit and a global concurrency limit.";
        return Err(Refusal::invalid(&["body"], "value_error", text));
    }
    at_least("concurrency_limit", limit, 1)?;
    let Some(options) = options else {
        return Ok(());
    };
    let seconds = options.grace_period_seconds;
    let is_known = ConcurrencyLimitStrategy::KNOWN.contains(&options.collision_strategy);
    match is_known && seconds.is_none_or(|seconds| (60..=86_400).contains(&seconds)) {
        true => Ok(()),
        false => Err(Refusal::invalid(
            &["body", "concurrency_options"],
            "value_error",
            "Input should be valid concurrency options",
        )),
    }
}

/// The options with all keys that the server returns.
pub(super) fn whole(options: Field<ConcurrencyOptions>) -> Field<ConcurrencyOptions> {
    let whole = options.into_option().map(|mut options| {
        options.grace_period_seconds = options.grace_period_seconds.into_option().into();
        options
    });
    whole.into()
}

/// Refuses values that are no object, and parameters that are too large.
pub(crate) fn check_object(key: &str, value: Option<&Json>) -> Result<(), Refusal> {
    let Some(value) = value else {
        return Ok(());
    };
    if !value.as_str().starts_with('{') {
        let text = "Input should be a valid dictionary";
        return Err(Refusal::invalid(&["body", key], "dict_type", text));
    }
    if key == "parameters" && value.as_str().len() > MAX_PARAMETERS {
        // The server counts the bytes of its own way to write them.
        let text =
            "Value error, Flow run parameters must be less than 524,288 bytes when serialized";
        return Err(Refusal::invalid(&["body", key], "value_error", text));
    }
    Ok(())
}

/// A schema as the server stores it: an empty one is that of an object.
pub(super) fn normal_schema(schema: Json) -> Json {
    let is_empty = matches!(Tree::parse(&schema).entries(), Some([]));
    match is_empty {
        true => Json::from(json!({"type": "object", "properties": {}})),
        false => schema,
    }
}

/// An empty object.
pub(super) fn empty_object() -> Json {
    Value::Object(serde_json::Map::new()).into()
}
