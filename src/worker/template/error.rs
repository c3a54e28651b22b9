//! `TemplateError`: what is wrong with a template or with what goes into it, and where.

use std::error::Error;
use std::fmt;

use super::place::Place;
use super::value::{Object, Value};

/// Why a job configuration cannot be rendered. It names keys, but shows no values, which may be secrets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TemplateError {
    place: String,
    message: String,
}

impl TemplateError {
    pub(super) fn new(place: Place<'_>, message: impl Into<String>) -> Self {
        Self {
            place: place.to_string(),
            message: message.into(),
        }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.place, self.message)
    }
}

impl Error for TemplateError {}

/// The members of a value that must be an object.
pub(super) fn object<'a>(value: &'a Value, place: Place<'_>) -> Result<&'a Object, TemplateError> {
    match value {
        Value::Object(object) => Ok(object),
        other => {
            let message = format!("this is {}, but must be an object", other.kind());
            Err(TemplateError::new(place, message))
        }
    }
}
