//! Whether client and server are of one major version.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use progenitor_client::ResponseValue;

use super::exchange::Exchange;
use super::flight::SingleFlight;
use super::operation::Operation;
use crate::error::{ErrorKind, Result};
use crate::retry::RetryPolicy;

/// The version of Prefect whose document this SDK is generated from.
pub(crate) const PREFECT_VERSION: &str = "3.8.8";

/// How long to wait for the version.
const PATIENCE: Duration = Duration::from_secs(10);

const READ_VERSION: Operation = Operation("read_version", "/admin/version");

/// The check, made before the first request of a client and its clones.
pub(super) struct VersionCheck {
    /// Until the server was found to fit, or does not tell.
    wanted: AtomicBool,
    /// Why the last check failed.
    incompatible: SingleFlight<Option<String>>,
}

impl VersionCheck {
    pub fn new(wanted: bool) -> Self {
        Self {
            wanted: AtomicBool::new(wanted),
            incompatible: SingleFlight::default(),
        }
    }

    /// Fails if the server is of another major version; warns, once, if it is older.
    ///
    /// If the server cannot be reached, or does not tell its version, the call itself will show what
    /// is wrong with it.
    pub async fn pass(&self, exchange: &Exchange<'_>) -> Result<()> {
        let call = exchange.call();
        if !self.wanted.load(Ordering::Relaxed) || call.operation().is_probe() {
            return Ok(());
        }
        // Who comes second waits for the first one's answer, and does not ask again.
        let (mut incompatible, has_ended) = self.incompatible.join().await;
        if !self.wanted.load(Ordering::Relaxed) {
            return Ok(());
        }
        if !has_ended {
            *incompatible = match check(exchange).await {
                Some(Found::Compatible) => {
                    self.wanted.store(false, Ordering::Relaxed);
                    None
                }
                Some(Found::Incompatible(server)) => Some(format!(
                    "this client is made for Prefect {PREFECT_VERSION}, the server is {server}: the major versions must be the same"
                )),
                None => None,
            };
            self.incompatible.end();
        }
        match &*incompatible {
            Some(why) => Err(call.error(ErrorKind::IncompatibleServer, why)),
            None => Ok(()),
        }
    }
}

/// How a server's version stands to that of this client.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fit {
    /// As new, or newer.
    Good,
    Older,
    OtherMajor,
    /// The version is of no known form.
    Unknown,
}

impl Fit {
    pub fn of(server: &str) -> Self {
        let Some((theirs, ours)) = release(server).zip(release(PREFECT_VERSION)) else {
            return Self::Unknown;
        };
        match theirs {
            _ if theirs[0] != ours[0] => Self::OtherMajor,
            _ if theirs < ours => Self::Older,
            _ => Self::Good,
        }
    }
}

/// What the check has found.
enum Found {
    /// Or of a version that is not known.
    Compatible,
    Incompatible(String),
}

/// Asks once, and not for long; `None` if there is no answer.
async fn check(asking: &Exchange<'_>) -> Option<Found> {
    let transport = asking.subordinate(RetryPolicy::none());
    let transport = transport.with_timeout(transport.timeout().min(PATIENCE));
    let url = format!("{}/admin/version", transport.api_url());
    let request = transport.http().get(url);
    let mut exchange = Exchange::new(&transport, request, READ_VERSION).ok()?;
    // This is within an exchange itself.
    let reply = match Box::pin(exchange.reply()).await {
        Ok(reply) => reply,
        // Of 502 and its like, too: the server may be starting behind a gateway.
        Err(error) if error.is_retryable() => return None,
        Err(error) => {
            tracing::debug!(kind = ?error.kind(), "the server does not tell its version");
            return Some(Found::Compatible);
        }
    };
    let server = reply.json::<String>(exchange.call()).ok();
    let server = server.map(ResponseValue::into_inner).unwrap_or_default();
    match Fit::of(&server) {
        Fit::Good => {}
        Fit::Older => tracing::warn!(
            server,
            client = PREFECT_VERSION,
            "the server is older than this client, and may lack what is asked of it"
        ),
        Fit::OtherMajor => return Some(Found::Incompatible(server)),
        Fit::Unknown => tracing::debug!("the server's version is of no known form"),
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

    #[test]
    fn it_is_the_version_of_the_vendored_document() {
        let provenance = include_str!("../../openapi/README.md");
        assert!(provenance.contains(PREFECT_VERSION), "{provenance}");
    }
}
