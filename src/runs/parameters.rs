//! Whether parameters fit the schema of their deployment.

use std::collections::BTreeMap;

use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{DeploymentResponse, Json, SchemaValueError, ValidateObjRequest};

/// Parameters by name, each as it is written.
pub(super) type Members = BTreeMap<String, Json>;

/// The parameters of an object.
pub(super) fn members(parameters: &Json) -> Result<Members> {
    // What serde says of it quotes values.
    let members = parameters.parse();
    members.map_err(|_| Error::invalid_request("the parameters are no JSON object"))
}

/// Checks what a run would have: the deployment's own parameters, and the given ones over them.
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
    let parameters = Json::new(&parameters)
        .map_err(|error| Error::invalid_request("the parameters have no JSON").caused_by(error))?;
    let request = ValidateObjRequest::new(schema.clone(), parameters);
    let checked = client.schemas().validate(&request).await?;
    if checked.valid {
        return Ok(());
    }
    let mut told = Vec::new();
    tell(&checked.errors, "", &mut told);
    let message = format!("the parameters do not fit: {}", told.join("; "));
    Err(Error::new(ErrorKind::Validation, message).of("validate_obj"))
}

/// What is wrong at this place and below.
fn tell(errors: &[SchemaValueError], place: &str, told: &mut Vec<String>) {
    for error in errors {
        let why = match error {
            SchemaValueError::SchemaValuePropertyError(of) => {
                let dot = if place.is_empty() { "" } else { "." };
                tell(&of.errors, &format!("{place}{dot}{}", of.property), told);
                continue;
            }
            SchemaValueError::SchemaValueIndexError(of) => {
                tell(&of.errors, &format!("{place}[{}]", of.index), told);
                continue;
            }
            SchemaValueError::Text(why) => why.clone(),
            SchemaValueError::Unknown(why) => why.to_string(),
        };
        told.push(match place {
            "" => why,
            place => format!("{place}: {why}"),
        });
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
        let mut told = Vec::new();
        tell(&errors, "", &mut told);
        assert_eq!(
            told,
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
