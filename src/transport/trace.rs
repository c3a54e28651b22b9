//! Spans and events, with the names of OpenTelemetry's conventions for HTTP clients.

use reqwest::StatusCode;
use tracing::field::{Empty, display};
use tracing::{Span, debug, info_span, warn};

use super::call::Call;
use super::hooks::Attempt;
use super::response::Response;
use crate::error::{Error, ErrorKind, Result};

/// The span of a call.
pub(super) fn span(call: &Call) -> Span {
    let (operation, url) = (call.operation(), call.url());
    info_span!(
        "prefect.call",
        "otel.kind" = "client",
        "otel.name" = format_args!("{} {}", call.method(), operation.template()),
        "otel.status_code" = Empty,
        "prefect.operation" = operation.name(),
        "http.request.method" = call.method().as_str(),
        "url.template" = operation.template(),
        "url.full" = url.as_str(),
        "server.address" = url.host_str(),
        "server.port" = url.port_or_known_default(),
        "http.response.status_code" = Empty,
        "http.request.resend_count" = Empty,
        "error.type" = Empty,
    )
}

/// Completes the span of a call with its result.
pub(super) fn end<T>(span: &Span, call: &Call, result: Result<Response<T>>) -> Result<Response<T>> {
    record(span, call, result.as_ref().map(Response::status));
    result
}

/// Completes the span of a call whose reply is streamed.
pub(super) fn succeeded(span: &Span, call: &Call, status: StatusCode) {
    record(span, call, Ok(status));
}

fn record(span: &Span, call: &Call, result: Result<StatusCode, &Error>) {
    if span.is_disabled() {
        return;
    }
    let status = result.map_or_else(Error::status, Some);
    if let Some(status) = status {
        span.record("http.response.status_code", status.as_u16());
    }
    if call.attempts > 1 {
        span.record("http.request.resend_count", call.attempts - 1);
    }
    if let Err(error) = result {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", display(error_type(error.kind(), status)));
    }
}

/// Whether the event of a successful attempt is recorded.
pub(super) fn is_enabled() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

/// Records an attempt: as a warning if another will follow, because that slows a call down. The server's
/// message is left out, because it may quote what was sent.
pub(super) fn attempt(attempt: &Attempt<'_>, error: Option<&Error>) {
    let status = attempt.status().map(|status| status.as_u16());
    let resent = attempt.number() - 1;
    let seconds = attempt.duration().as_secs_f64();
    match (error, attempt.retry_in()) {
        (None, _) => debug!(
            "http.response.status_code" = status,
            "http.request.resend_count" = resent,
            "http.client.request.duration" = seconds,
            "answered"
        ),
        (Some(error), None) => debug!(
            "http.response.status_code" = status,
            "http.request.resend_count" = resent,
            "http.client.request.duration" = seconds,
            "error.type" = %error_type(error.kind(), attempt.status()),
            "failed"
        ),
        (Some(error), Some(wait)) => warn!(
            "http.response.status_code" = status,
            "http.request.resend_count" = resent,
            "http.client.request.duration" = seconds,
            "error.type" = %error_type(error.kind(), attempt.status()),
            "failed; trying again in {wait:?}"
        ),
    }
}

/// The status, if there is one, as the convention says; otherwise the kind of failure.
fn error_type(kind: ErrorKind, status: Option<StatusCode>) -> String {
    match status {
        Some(status) if !status.is_success() => status.as_u16().to_string(),
        _ => format!("{kind:?}"),
    }
}
