//! The job variables of a deployment and of a run, as one object.

use super::error::{TemplateError, object};
use super::path;
use super::place::Place;
use super::value::{Object, Value};

const DEPLOYMENT: Place<'_> = Place::Root("deployment.job_variables");
const RUN: Place<'_> = Place::Root("run.job_variables");

/// The most parts of a dotted key, each of which is a level of nested objects.
const MAX_PARTS: usize = 100;

/// Job variables with the run's before the deployment's, and dotted keys as nested objects.
pub(super) fn combine(
    deployment: Option<&Value>,
    run: Option<&Value>,
) -> Result<Object, TemplateError> {
    let mut values = members(deployment, DEPLOYMENT)?;
    for (key, value) in members(run, RUN)? {
        match values.get(&key) {
            Some(Value::Object(env)) if key == "env" => {
                let mut env = env.clone();
                extend_env(&mut env, &value)?;
                values.set(&key, Value::Object(env));
            }
            _ => values.set(&key, value),
        }
    }
    nest(&values)
}

fn members(variables: Option<&Value>, place: Place<'_>) -> Result<Object, TemplateError> {
    match variables {
        None | Some(Value::Null) => Ok(Object::default()),
        Some(variables) => object(variables, place).cloned(),
    }
}

/// Extends the `env` of a deployment by that of a run: by an object, or by pairs, which Python takes, too.
fn extend_env(env: &mut Object, with: &Value) -> Result<(), TemplateError> {
    match with {
        Value::Object(with) => env.extend(with),
        Value::Text(text) if text.is_empty() => {}
        Value::List(items) => {
            for item in items {
                let (key, value) = pair(item).ok_or_else(|| cannot_extend(with))?;
                env.set(key, value.clone());
            }
        }
        other => return Err(cannot_extend(other)),
    }
    Ok(())
}

fn pair(item: &Value) -> Option<(&str, &Value)> {
    match item {
        Value::List(pair) => match pair.as_slice() {
            [Value::Text(key), value] => Some((key, value)),
            _ => None,
        },
        _ => None,
    }
}

fn cannot_extend(with: &Value) -> TemplateError {
    let message = format!(
        "this is {}, but must be an object, because it extends the `env` of the deployment",
        with.kind()
    );
    TemplateError::new(RUN.key("env"), message)
}

/// Turns dotted keys into nested objects. Then the keys without dots come, and win, whoever has set them.
fn nest(values: &Object) -> Result<Object, TemplateError> {
    let mut nested = Object::default();
    for (key, value) in values.iter().filter(|(key, _)| key.contains('.')) {
        set_at(&mut nested, key, value)?;
    }
    for (key, value) in values.iter().filter(|(key, _)| !key.contains('.')) {
        merge_member(&mut nested, key, value);
    }
    Ok(nested)
}

fn set_at(nested: &mut Object, path: &str, value: &Value) -> Result<(), TemplateError> {
    let keys = path::keys(path);
    let error =
        |message: String| TemplateError::new(Place::Root("job_variables").key(path), message);
    if keys.len() > MAX_PARTS {
        return Err(error(format!(
            "this key has {} parts, more than {MAX_PARTS}",
            keys.len()
        )));
    }
    let Some((last, parents)) = keys.split_last() else {
        return Ok(());
    };
    let mut place = nested;
    for (index, parent) in parents.iter().enumerate() {
        place = match place.get_or_add(parent) {
            Value::Object(object) => object,
            other => {
                let parent = parents[..=index].join(".");
                let kind = other.kind();
                let message = format!("`{parent}` is {kind}, so it can have no members");
                return Err(error(message));
            }
        };
    }
    place.set(last, value.clone());
    Ok(())
}

/// Sets a value; of two objects, the members are merged.
fn merge_member(low: &mut Object, key: &str, high: &Value) {
    match (low.get(key), high) {
        (Some(Value::Object(_)), Value::Object(high)) => {
            if let Value::Object(low) = low.get_or_add(key) {
                for (key, value) in high.iter() {
                    merge_member(low, key, value);
                }
            }
        }
        _ => low.set(key, high.clone()),
    }
}
