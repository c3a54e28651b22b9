//! The bodies of failures. The document promises one form and the server sends three:
//! `{"exception_message", "exception_detail": […]}`, `{"detail": "…"}` and `{"detail": […]}`.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// A problem with one field, as a validation error reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidationIssue {
    /// The location of the field, such as `body.concurrency_limit`, or of a parameter, such as `rows[1].name`.
    pub location: String,
    /// A description of the problem.
    pub message: String,
    /// Pydantic's code for the problem, such as `int_parsing`, or `parameter`.
    pub code: String,
}

impl fmt::Display for ValidationIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.message)
    }
}

/// The parts of a failure's body that are kept. `request_body` and each issue's `input` echo the
/// request, secrets included, and are not read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ErrorBody {
    pub message: Option<String>,
    pub issues: Vec<ValidationIssue>,
}

#[derive(Deserialize)]
struct Wire {
    exception_message: Option<Value>,
    exception_detail: Option<Value>,
    detail: Option<Value>,
}

impl ErrorBody {
    pub(super) fn read(body: &[u8]) -> Self {
        let Ok(wire) = serde_json::from_slice::<Wire>(body) else {
            return Self::default();
        };
        let detail = wire.exception_detail.or(wire.detail);
        let issues: Vec<_> = detail
            .iter()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(issue)
            .collect();
        // Gateways in front of a server nest the message: `{"detail": {"message": …}}`.
        let nested = detail.as_ref().and_then(|detail| detail.get("message"));
        let said = [wire.exception_message.as_ref(), detail.as_ref(), nested];
        let said = said
            .into_iter()
            .flatten()
            .find_map(Value::as_str)
            .map(one_line);
        let listed = issues
            .iter()
            .map(ValidationIssue::to_string)
            .collect::<Vec<_>>()
            .join("; ");
        let message = match (said, listed.is_empty()) {
            (Some(said), true) => Some(said),
            (Some(said), false) => Some(format!("{} {listed}", said.trim_end_matches(':'))),
            (None, false) => Some(listed),
            (None, true) => None,
        };
        Self { message, issues }
    }
}

fn issue(value: &Value) -> Option<ValidationIssue> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(one_line);
    let steps = value
        .get("loc")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let steps = steps.map(|step| step.as_str().map_or_else(|| step.to_string(), one_line));
    Some(ValidationIssue {
        location: steps.collect::<Vec<_>>().join("."),
        message: text("msg")?,
        code: text("type").unwrap_or_default(),
    })
}

/// Joins a text into one line, because logs are read line by line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> Option<String> {
        ErrorBody::read(body.as_bytes()).message
    }

    #[test]
    fn all_three_forms_give_one_line_and_never_the_request() {
        let exception = r#"{"exception_message": "Invalid request received.",
            "exception_detail": [{"type": "int_parsing", "loc": ["body", "limits", 0],
                                  "msg": "not\nan integer", "input": "SECRET"}],
            "request_body": {"limits": ["SECRET"]}}"#;
        assert_eq!(
            message(exception).as_deref(),
            Some("Invalid request received. body.limits.0: not an integer")
        );
        assert_eq!(
            message(r#"{"detail": "Flow not found"}"#).as_deref(),
            Some("Flow not found")
        );
        let list = r#"{"detail": [{"loc": ["query", "x"], "msg": "missing", "type": "missing"}]}"#;
        assert_eq!(message(list).as_deref(), Some("query.x: missing"));
        assert_eq!(ErrorBody::read(list.as_bytes()).issues[0].code, "missing");
    }

    #[test]
    fn other_bodies_give_no_message() {
        for body in ["", "<html>", "null", "[]", "{}", r#"{"detail": 3}"#] {
            assert_eq!(
                ErrorBody::read(body.as_bytes()),
                ErrorBody::default(),
                "{body}"
            );
        }
    }
}
