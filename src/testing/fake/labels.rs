//! Labels, as the server takes them.

use std::collections::BTreeMap;

use super::reply::Refusal;
use crate::types::{Field, Scalar};

/// Refuses labels that are no text, number or boolean.
pub(crate) fn check_labels(labels: &Field<BTreeMap<String, Scalar>>) -> Result<(), Refusal> {
    let mut labels = labels.iter().flatten();
    match labels.find(|(_, label)| !is_label(label)) {
        Some((name, _)) => Err(Refusal::invalid(
            &["body", "labels", name],
            "value_error",
            "Input should be a text, a number or a boolean",
        )),
        None => Ok(()),
    }
}

/// Whether the server takes a value for a label.
pub(crate) fn is_label(value: &Scalar) -> bool {
    // A number beyond 64 bits is one to the server.
    !matches!(value, Scalar::Unknown(json) if json.kind() != "a number")
}
