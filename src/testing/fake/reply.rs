//! `Reply` and `Refusal`: what the fake answers.

use serde::Serialize;
use serde_json::{Value, json};

/// A reply to a request that was executed.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
}

impl Reply {
    /// A reply with this status and this value as JSON.
    pub(crate) fn json(status: u16, value: &(impl Serialize + ?Sized)) -> Self {
        Self {
            status,
            content_type: "application/json",
            // What cannot be written as JSON does not occur: keys are strings, and numbers are those of JSON.
            body: serde_json::to_vec(value).unwrap_or_default(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn ok(value: &(impl Serialize + ?Sized)) -> Self {
        Self::json(200, value)
    }

    pub(crate) fn created(value: &(impl Serialize + ?Sized)) -> Self {
        Self::json(201, value)
    }

    /// 201 when something was created, else 200.
    pub(crate) fn created_if(is_new: bool, value: &(impl Serialize + ?Sized)) -> Self {
        Self::json(if is_new { 201 } else { 200 }, value)
    }

    pub(crate) fn no_content() -> Self {
        Self {
            status: 204,
            content_type: "",
            body: Vec::new(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn text(content_type: &'static str, text: impl Into<String>) -> Self {
        Self {
            status: 200,
            content_type,
            body: text.into().into_bytes(),
            headers: Vec::new(),
        }
    }
}

/// A reply to a request that was refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: u16,
    pub body: Value,
    pub retry_after: Option<f64>,
    /// What the fake does not do; the real server would.
    pub unsupported: Option<String>,
}

impl Refusal {
    /// `{"detail": …}`, as the routes of the server refuse.
    pub(crate) fn detail(status: u16, text: impl Into<String>) -> Self {
        Self::body(status, json!({"detail": text.into()}))
    }

    /// `{"exception_message": …}`, as the server's exception handlers refuse.
    pub(crate) fn message(status: u16, text: impl Into<String>) -> Self {
        Self::body(status, json!({"exception_message": text.into()}))
    }

    pub(crate) fn body(status: u16, body: Value) -> Self {
        Self {
            status,
            body,
            retry_after: None,
            unsupported: None,
        }
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::detail(404, text)
    }

    /// What the server says when a unique or a foreign key is violated.
    pub(crate) fn integrity() -> Self {
        Self::detail(
            409,
            "Data integrity conflict. This usually means a unique or foreign key constraint was violated. \
             See server logs for details.",
        )
    }

    /// A request that the server's validation refuses; the place is that of the value in the request.
    pub(crate) fn invalid(place: &[&str], kind: &str, text: impl Into<String>) -> Self {
        let detail = json!([{"loc": place, "type": kind, "msg": text.into()}]);
        let message = "Invalid request received.";
        Self::body(
            422,
            json!({"exception_message": message, "exception_detail": detail, "request_body": null}),
        )
    }

    /// A request that the real server would execute, and the fake cannot: an error, never a made-up answer.
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        let what = what.into();
        let text = format!("the fake server of prefect_sdk::testing does not do this: {what}");
        Self {
            unsupported: Some(what),
            ..Self::message(501, text)
        }
    }
}
