//! What a server says of itself.

use serde_json::json;

use super::call::Call;
use super::reply::{Refusal, Reply};
use super::world::{Handler, World};

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("read_version", |_, _| Ok(Reply::ok(VERSION))),
    ("server_version", |_, _| Ok(Reply::ok(API_VERSION))),
    ("health_check", |_, _| Ok(Reply::ok(&true))),
    ("perform_readiness_check", |_, _| {
        Ok(Reply::ok(&json!({"message": "OK"})))
    }),
    ("hello", |_, _| Ok(Reply::ok("👋"))),
    ("create_csrf_token", csrf_token),
];

/// The version that the fake is held against.
const VERSION: &str = "3.9.1";

/// The version of its API, which is all that one of the routes tells.
const API_VERSION: &str = "0.8.4";

fn csrf_token(_: &mut World, _: &Call<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::detail(422, "CSRF protection is disabled."))
}
