//! The name of a job, which is rendered once more for the flow run.

use super::apply::{Env, apply};
use super::value::{Object, Value};

/// Renders the `name` of a job configuration with `ctx.flow` and `ctx.flow_run`, which are as the API returns them. (Only
/// the name may have them.) The name of the flow run takes the place of one that is empty.
pub(crate) fn render_name(
    name: Option<&Value>,
    flow: &Value,
    flow_run: &Value,
    env: &Env<'_>,
) -> Value {
    let rendered = name.filter(|it| it.is_truthy()).map(|name| {
        let values = context(flow, flow_run);
        // A name that is one placeholder of what is not set stays as it is.
        apply(name, &values, env).unwrap_or_else(|| name.clone())
    });
    match rendered.filter(Value::is_truthy) {
        Some(name) => name,
        None => flow_run.get("name").cloned().unwrap_or(Value::Null),
    }
}

fn context(flow: &Value, flow_run: &Value) -> Value {
    let mut context = Object::default();
    context.set("flow", flow.clone());
    context.set("flow_run", flow_run.clone());
    let mut values = Object::default();
    values.set("ctx", Value::Object(context));
    Value::Object(values)
}
