//! The check that client and server have the same major version.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;

use super::call_context::CallContext;
use super::channel::Channel;
use super::operation::Operation;
use super::prerequisites::NoPrerequisites;
use super::response::Response;
use super::retry_loop::RetryLoop;
use crate::error::{ErrorKind, Result};
use crate::retry::RetryPolicy;
use crate::runtime::SingleFlight;

/// The version of Prefect whose OpenAPI document this SDK is generated from.
pub(crate) const PREFECT_VERSION: &str = env!("PREFECT_VERSION");

/// How long the check waits for the version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

const READ_VERSION: Operation = Operation("read_version", "/admin/version");

/// The check, made before the first request of a client and its clones.
pub(super) struct VersionCheck {
    /// Cleared when the server has a compatible version, or does not report its version.
    pending: Arc<AtomicBool>,
    /// Each returns the version of a server that is incompatible.
    checks: SingleFlight<Option<String>>,
}

impl VersionCheck {
    pub(super) fn new(pending: bool) -> Self {
        Self {
            pending: Arc::new(AtomicBool::new(pending)),
            checks: SingleFlight::default(),
        }
    }

    /// Fails if the server has another major version; warns once if it is older.
    ///
    /// If the server cannot be reached, or does not report its version, the check passes, and any failure is
    /// left to the call itself.
    pub(super) async fn check(&self, context: &CallContext<'_>) -> Result<()> {
        let call = &context.call;
        if !self.pending.load(Ordering::Relaxed) || call.operation().is_probe() {
            return Ok(());
        }
        let check = || {
            let channel = context.channel.with_retry(RetryPolicy::none());
            let channel = channel.with_timeout(channel.timeout().min(VERSION_TIMEOUT));
            let pending = Arc::clone(&self.pending);
            async move {
                match read_version(&channel).await {
                    Some(Found::Compatible) => {
                        pending.store(false, Ordering::Relaxed);
                        None
                    }
                    Some(Found::Incompatible(server)) => Some(server),
                    None => None,
                }
            }
            .boxed()
        };
        match self.checks.run(check).await.flatten() {
            Some(server) => {
                let message = format!(
                    "this client is made for Prefect {PREFECT_VERSION}, the server is {server}: the major versions must be the same"
                );
                Err(call.error(ErrorKind::IncompatibleServer, message))
            }
            None => Ok(()),
        }
    }
}

/// How a server's version compares with the client's.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Compatibility {
    /// The server has the client's version, or a newer one.
    Compatible,
    Older,
    OtherMajor,
    /// The version has an unknown form.
    Unknown,
}

impl Compatibility {
    pub(crate) fn of(server: &str) -> Self {
        let Some((theirs, ours)) = release(server).zip(release(PREFECT_VERSION)) else {
            return Self::Unknown;
        };
        match theirs {
            _ if theirs[0] != ours[0] => Self::OtherMajor,
            _ if theirs < ours => Self::Older,
            _ => Self::Compatible,
        }
    }
}

/// The result of the check.
enum Found {
    /// The version is compatible, or not known.
    Compatible,
    Incompatible(String),
}

/// Reads the version in one short attempt; `None` if there is no answer.
async fn read_version(channel: &Channel) -> Option<Found> {
    let requests = channel.requests();
    let request = requests.get(format!("{}/admin/version", requests.base_path()));
    let call = RetryLoop::new(channel, request, READ_VERSION).ok()?;
    let (call, reply) = call.reply(&NoPrerequisites).await;
    let reply = match reply {
        Ok(reply) => reply,
        // This includes a 502: the server may be starting behind a gateway.
        Err(error) if error.is_retryable() => return None,
        Err(error) => {
            tracing::debug!(kind = ?error.kind(), "the server does not report its version");
            return Some(Found::Compatible);
        }
    };
    let server = reply.json::<String>(&call).ok();
    let server = server.map(Response::into_inner).unwrap_or_default();
    match Compatibility::of(&server) {
        Compatibility::Compatible => {}
        Compatibility::Older => tracing::warn!(
            server,
            client = PREFECT_VERSION,
            "the server is older than this client, and may lack operations"
        ),
        Compatibility::OtherMajor => return Some(Found::Incompatible(server)),
        Compatibility::Unknown => tracing::debug!("the server's version has an unknown form"),
    }
    Some(Found::Compatible)
}

/// The numbers of `3.8.8`, `3.8.8.dev2` or `3.0.0rc1+4.gabcdef`.
fn release(version: &str) -> Option<[u32; 3]> {
    let mut numbers = version.trim().split('.').map(|part| {
        let digits = part.split(|c: char| !c.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse().ok())
    });
    let mut next = || numbers.next().flatten();
    Some([next()?, next()?, next().unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_their_suffixes() {
        assert_eq!(release("3.8.8"), Some([3, 8, 8]));
        assert_eq!(release("3.0.0rc1+4.gabcdef"), Some([3, 0, 0]));
        assert_eq!(release("4.1"), Some([4, 1, 0]));
        assert_eq!(release("2.20.3.dev1"), Some([2, 20, 3]));
        assert_eq!(release("unknown"), None);
        assert_eq!(release(""), None);
    }
}
