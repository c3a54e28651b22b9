//! The `env` of a job configuration, which is merged from several places before anything is rendered.

use super::error::{TemplateError, object};
use super::place::Place;
use super::value::{Object, Value};

const ENV: &str = "env";

/// Puts the default of the variable `env` into a configuration. A placeholder, of whatever name, is replaced by it.
pub(super) fn put_default(
    configuration: &mut Object,
    defaults: &Object,
    place: Place<'_>,
) -> Result<(), TemplateError> {
    let Some(default) = defaults.get(ENV).filter(|it| it.is_truthy()) else {
        return Ok(());
    };
    let env = match configuration.get(ENV) {
        // What the default does not have stays.
        Some(Value::Object(env)) => Value::Object(union(env, object(default, place)?)),
        _ => default.clone(),
    };
    configuration.set(ENV, env);
    Ok(())
}

/// Puts the variable `env` into a configuration whose `env` is an object; a placeholder is rendered later.
pub(super) fn put_value(
    configuration: &mut Object,
    values: &Object,
    place: Place<'_>,
) -> Result<(), TemplateError> {
    if let Some(Value::Object(env)) = configuration.get(ENV)
        && let Some(value) = values.get(ENV).filter(|it| it.is_truthy())
    {
        let env = union(env, object(value, place)?);
        configuration.set(ENV, Value::Object(env));
    }
    Ok(())
}

fn union(low: &Object, high: &Object) -> Object {
    let mut union = low.clone();
    union.extend(high);
    union
}
