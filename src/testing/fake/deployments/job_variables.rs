//! Job variables, validated by the template of a work pool.

use super::schema::{Conformity, How, Tree, conform, first_problem, is_schema};
use crate::testing::fake::reply::Refusal;
use crate::types::Json;

/// Why job variables are refused.
pub(super) enum Unfit {
    /// They do not conform; the message is Prefect's.
    Violated(String),
    Refused(Refusal),
}

impl From<Refusal> for Unfit {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Refuses a template that the server's validation refuses.
pub(crate) fn check_template(template: &Json) -> Result<(), Refusal> {
    let refuse = |text: &str| Refusal::invalid(&["body", "base_job_template"], "value_error", text);
    let tree = Tree::parse(template);
    match tree.entries() {
        None => return Err(refuse("Input should be a valid dictionary")),
        Some([]) => return Ok(()),
        Some(_) => {}
    }
    let part = |key| tree.get(key).filter(|value| value.is_truthy());
    let (Some(configuration), Some(variables)) = (part("job_configuration"), part("variables"))
    else {
        return Err(refuse(
            "Value error, The `base_job_template` must contain both a `job_configuration` key and a `variables` key.",
        ));
    };
    let properties = variables.get("properties");
    let is_declared = |name: &str| properties.is_some_and(|all| all.get(name).is_some());
    for (_, value) in configuration.entries().unwrap_or_default() {
        let text = value.to_json().as_str().to_owned();
        if let Some(name) = placeholders(&text).find(|name| !is_declared(name)) {
            return Err(refuse(&format!(
                "Value error, The variables specified in the job configuration template must be present as properties in \
                 the variables schema. Your job configuration uses the following undeclared variable(s): {name}.",
            )));
        }
    }
    Ok(())
}

/// The names in `{{ name }}`.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("{{").filter_map(|(at, _)| {
        let rest = text[at + 2..].trim_start();
        let is_part = |c: char| c.is_alphanumeric() || "_.-[]$".contains(c);
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        (!name.is_empty() && rest.trim_start().starts_with("}}")).then_some(name)
    })
}

/// Refuses a template whose own defaults do not conform to it.
pub(crate) fn check_defaults(template: &Json) -> Result<(), Refusal> {
    let template = Tree::parse(template);
    let checked = validate(&template, &[], true, false);
    checked.map_err(|unfit| match unfit {
        Unfit::Violated(why) => {
            let start = "Validation failed for work pool's job variable defaults";
            Refusal::detail(422, format!("{start}: {why}"))
        }
        Unfit::Refused(refusal) => refusal,
    })
}

/// Validates the variables of a deployment and of a run: later ones replace earlier ones.
pub(super) fn check_variables(
    template: Option<&Json>,
    variables: &[&Json],
    ignore_required: bool,
) -> Result<(), Unfit> {
    match template {
        Some(template) => validate(&Tree::parse(template), variables, ignore_required, true),
        None => Ok(()),
    }
}

/// What an update says of the job variables of a deployment; the message is jsonschema's.
pub(super) fn first_unfit(template: &Json, variables: &Json) -> Result<Option<String>, Refusal> {
    let template = Tree::parse(template);
    let Some(schema) = template.get("variables") else {
        return Ok(None);
    };
    let how = How {
        preprocess: true,
        ignore_required: true,
        ..How::default()
    };
    first_problem(&Tree::parse(variables), schema, how)
}

fn validate(
    template: &Tree,
    variables: &[&Json],
    ignore_required: bool,
    ignore_invalid_defaults: bool,
) -> Result<(), Unfit> {
    let Some(schema) = template
        .get("variables")
        .filter(|schema| schema.is_truthy())
    else {
        return Ok(());
    };
    if let Err(why) = is_schema(schema) {
        let why = why.ok_or_else(|| Refusal::unsupported("a template whose schema is none"))?;
        return Err(Refusal::detail(422, format!("Invalid schema: {why}")).into());
    }
    let (mut values, has_invalid) = defaults(schema, ignore_invalid_defaults)?;
    for given in variables {
        for (key, value) in Tree::parse(given).entries().unwrap_or_default() {
            values.set(key, value.clone());
        }
    }
    let how = How {
        preprocess: true,
        ignore_required: ignore_required || has_invalid,
        none_with_default: true,
    };
    match conform(&values, schema, how)? {
        Conformity::Conforms => Ok(()),
        Conformity::Violated(why) => Err(Unfit::Violated(why)),
        Conformity::BadSchema | Conformity::Circular => {
            Err(Refusal::message(500, "Internal Server Error").into())
        }
    }
}

/// The defaults of a schema, without those that do not conform if these are ignored; and whether there are such.
fn defaults(schema: &Tree, ignore_invalid: bool) -> Result<(Tree, bool), Refusal> {
    let (mut defaults, mut has_invalid) = (Tree::Object(Vec::new()), false);
    let properties = schema.get("properties").and_then(Tree::entries);
    for (name, property) in properties.unwrap_or_default() {
        let Some(default) = property.get("default") else {
            continue;
        };
        if let Some(reference) = default.get("$ref") {
            if reference.get("block_document_id").is_some() {
                return Err(Refusal::unsupported("a default that is a block"));
            }
            continue;
        }
        if ignore_invalid {
            let alone = Tree::Object(vec![(name.clone(), default.clone())]);
            let how = How {
                ignore_required: true,
                ..How::default()
            };
            if first_problem(&alone, schema, how)?.is_some() {
                has_invalid = true;
                continue;
            }
        }
        defaults.set(name, default.clone());
    }
    Ok((defaults, has_invalid))
}
