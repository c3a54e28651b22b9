//! When the server sent a reply.

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap};

/// When the server sent a reply with these headers, by its own clock.
pub(crate) fn sent_at(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let date = DateTime::parse_from_rfc2822(date).ok()?;
    Some(date.to_utc())
}
