//! `Exchange`: a request and its reply, as a cassette has them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request and its reply. Ids are labels, times are relative to the beginning, secrets are left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Exchange {
    pub operation: String,
    /// The values of the placeholders in the path.
    pub path: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub query: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub request: Value,
    pub status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<String>,
    /// The type of a reply that is no JSON, whose text `reply` is then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub reply: Value,
}
