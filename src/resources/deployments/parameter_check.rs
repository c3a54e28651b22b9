//! Checks whether parameters match the schema of their deployment.

use std::collections::BTreeMap;

use crate::client::Client;
use crate::error::{Error, ErrorKind, Result, ValidationIssue};
use crate::types::{DeploymentResponse, Json, SchemaValueError, ValidateObjRequest};

/// Parameters by name, each with its JSON text unchanged.
pub(super) type Members = BTreeMap<String, Json>;

/// Splits a JSON object into its parameters.
pub(super) fn members(parameters: &Json) -> Result<Members> {
    // The message of serde quotes values, so it is not used.
    let members = parameters.parse();
    members.map_err(|_| Error::invalid_request("the parameters are not a JSON object"))
}

/// Checks the parameters that a run would have: the deployment's own, overridden by the given ones.
pub(super) async fn check(
    client: &Client,
    deployment: &DeploymentResponse,
    given: Members,
) -> Result<()> {
    let Some(schema) = deployment.parameter_openapi_schema.as_ref() else {
        return Ok(());
    };
    let own = deployment.parameters.as_ref();
    let own: Option<Members> = own.and_then(|own| own.parse().ok());
    let mut parameters = own.unwrap_or_default();
    parameters.extend(given);
    let parameters = Json::new(&parameters).map_err(|error| {
        Error::invalid_request("the parameters cannot be written as JSON").with_source(error)
    })?;
    let request = ValidateObjRequest::new(schema.clone(), parameters);
    let checked = client.schemas().validate(&request).await?;
    if checked.valid {
        return Ok(());
    }
    let mut problems = Vec::new();
    collect_errors(&checked.errors, "", &mut problems);
    let listed: Vec<_> = problems.iter().map(describe).collect();
    let message = format!("the parameters are invalid: {}", listed.join("; "));
    let error = Error::new(ErrorKind::Validation, message).with_issues(problems);
    Err(error.with_operation("validate_obj"))
}

/// Collects the errors at this place and below it.
fn collect_errors(errors: &[SchemaValueError], place: &str, problems: &mut Vec<ValidationIssue>) {
    for error in errors {
        let why = match error {
            SchemaValueError::SchemaValuePropertyError(of) => {
                let dot = if place.is_empty() { "" } else { "." };
                collect_errors(
                    &of.errors,
                    &format!("{place}{dot}{}", of.property),
                    problems,
                );
                continue;
            }
            SchemaValueError::SchemaValueIndexError(of) => {
                collect_errors(&of.errors, &format!("{place}[{}]", of.index), problems);
                continue;
            }
            SchemaValueError::Text(why) => why.clone(),
            SchemaValueError::Unknown(why) => why.to_string(),
        };
        problems.push(ValidationIssue {
            location: place.to_owned(),
            message: why,
            code: "parameter".to_owned(),
        });
    }
}

fn describe(issue: &ValidationIssue) -> String {
    match &*issue.location {
        "" => issue.message.clone(),
        _ => issue.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_error_names_its_place() {
        let errors = json!([
            "it is no object",
            { "property": "n", "errors": ["'x' is not of type 'integer'", "too long"] },
            { "property": "a", "errors": [
                { "index": 1, "errors": [{ "property": "b", "errors": ["'b' is required"] }] },
                { "hint": 5 },
            ] },
        ]);
        let errors: Vec<SchemaValueError> = serde_json::from_value(errors).expect("errors");
        let mut problems = Vec::new();
        collect_errors(&errors, "", &mut problems);
        let problems: Vec<_> = problems.iter().map(describe).collect();
        assert_eq!(
            problems,
            [
                "it is no object",
                "n: 'x' is not of type 'integer'",
                "n: too long",
                "a[1].b: 'b' is required",
                r#"a: {"hint":5}"#,
            ]
        );
    }

    #[test]
    fn parameters_are_an_object() {
        let parameters = Json::from(json!({ "n": 1 }));
        assert_eq!(members(&parameters).expect("an object")["n"], Json::from(1));
        for other in [json!([1]), json!("n"), json!(null)] {
            let error = members(&other.into()).expect_err("no object");
            assert!(error.is_invalid_request(), "{error}");
        }
    }
}
