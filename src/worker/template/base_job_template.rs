//! `Template`: a work pool's base job template.

use super::applied::Applied;
use super::apply::{Env, apply_to_members};
use super::env;
use super::error::{TemplateError, object};
use super::job_variables;
use super::place::Place;
use super::value::{Object, Value};

const ROOT: Place<'_> = Place::Root("base_job_template");

/// What job configurations are rendered from.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// The job configuration, with the default of `env` in it.
    configuration: Object,
    defaults: Object,
}

impl Template {
    /// Reads the `base_job_template` of a work pool.
    pub(crate) fn parse(json: &str) -> Result<Self, TemplateError> {
        let template: Value = serde_json::from_str(json)
            .map_err(|error| TemplateError::new(ROOT, format!("this is not JSON: {error}")))?;
        let mut configuration = part(&template, "job_configuration")?.clone();
        let variables = part(&template, "variables")?;
        let place = ROOT.key("variables");
        let place = place.key("properties");
        let defaults = match variables.get("properties") {
            Some(properties) => defaults(object(properties, place)?, place)?,
            None => Object::default(),
        };
        let place = place.key("env");
        env::put_default(&mut configuration, &defaults, place.key("default"))?;
        Ok(Self {
            configuration,
            defaults,
        })
    }

    /// Renders the job configuration with the job variables of a deployment and of a run, as far as no server is needed.
    pub(crate) fn apply(
        &self,
        deployment: Option<&Value>,
        run: Option<&Value>,
        env: &Env<'_>,
    ) -> Result<Applied, TemplateError> {
        let mut values = self.defaults.clone();
        values.extend(&job_variables::combine(deployment, run)?);
        let mut configuration = self.configuration.clone();
        let place = Place::Root("job_variables");
        env::put_value(&mut configuration, &values, place.key("env"))?;
        let values = Value::Object(values);
        let configuration = apply_to_members(&configuration, &values, env);
        Ok(Applied::new(configuration))
    }
}

/// One of the two objects that a template consists of.
fn part<'a>(template: &'a Value, key: &'static str) -> Result<&'a Object, TemplateError> {
    match object(template, ROOT)?.get(key) {
        Some(part) => object(part, ROOT.key(key)),
        None => {
            let message = format!("the key `{key}` is missing");
            Err(TemplateError::new(ROOT, message))
        }
    }
}

/// The defaults of variables. A default of null is none.
fn defaults(properties: &Object, place: Place<'_>) -> Result<Object, TemplateError> {
    let mut defaults = Object::default();
    for (name, schema) in properties.iter() {
        match object(schema, place.key(name))?.get("default") {
            None | Some(Value::Null) => {}
            Some(default) => defaults.set(name, default.clone()),
        }
    }
    Ok(defaults)
}
