//! The server's time, where it is the server that compares times.

use chrono::{DateTime, Utc};

use crate::error::{Result, sent_at};
use crate::raw;

/// Returns the server's time: from the `Date` header of the reply to `GET /health`, or ours if there is none.
pub(crate) async fn server_time(raw: &raw::Client) -> Result<DateTime<Utc>> {
    let date = match raw.health_check().await {
        Ok(reply) => sent_at(reply.headers()),
        // Any reply has the time.
        Err(error) if error.status().is_some() => sent_at(error.headers()),
        Err(error) => return Err(error),
    };
    Ok(date.unwrap_or_else(Utc::now))
}
