//! Whether client and server are of one major version.

use tokio::sync::OnceCell;

use super::Transport;
use super::exchange::Exchange;
use super::operation::Operation;
use crate::error::{Call, ErrorKind, Result};

/// The version of Prefect whose document this SDK is generated from.
pub(crate) const PREFECT_VERSION: &str = "3.8.8";

const READ_VERSION: Operation = Operation::new("read_version", "/admin/version");

/// The check, made before the first request of a client and its clones.
pub(super) struct VersionCheck {
    wanted: bool,
    /// Set when the server was found to fit.
    passed: OnceCell<()>,
}

impl VersionCheck {
    pub fn new(wanted: bool) -> Self {
        Self {
            wanted,
            passed: OnceCell::new(),
        }
    }

    /// Fails if the server is of another major version; warns, once, if it is older.
    ///
    /// A server that does not tell its version is not refused: the call itself will show what is
    /// wrong with it.
    pub async fn pass(&self, transport: &Transport, call: &Call) -> Result<()> {
        if !self.wanted || self.passed.initialized() || call.operation().is_probe() {
            return Ok(());
        }
        let check = self.passed.get_or_try_init(|| check(transport, call));
        match check.await {
            Ok(()) => Ok(()),
            Err(error) => match error.kind() {
                ErrorKind::IncompatibleServer | ErrorKind::Connection | ErrorKind::Timeout => {
                    Err(error.on_behalf_of(call))
                }
                _ => {
                    tracing::debug!(%error, "the version of the server is unknown");
                    Ok(())
                }
            },
        }
    }
}

async fn check(transport: &Transport, call: &Call) -> Result<()> {
    let request = transport
        .http()
        .get(format!("{}/admin/version", transport.api_url()));
    let mut exchange = Exchange::new(transport, request, &READ_VERSION)?;
    // This is within an exchange itself.
    let reply = Box::pin(exchange.reply()).await?;
    let server = reply.json::<String>(exchange.call())?.into_inner();
    let Some((theirs, ours)) = release(&server).zip(release(PREFECT_VERSION)) else {
        tracing::debug!(server, "the server's version is of no known form");
        return Ok(());
    };
    if theirs[0] != ours[0] {
        return Err(call.error(
            ErrorKind::IncompatibleServer,
            format!(
                "this client is made for Prefect {PREFECT_VERSION}, the server is {server}: the major versions must be the same"
            ),
        ));
    }
    if theirs < ours {
        tracing::warn!(
            server,
            client = PREFECT_VERSION,
            "the server is older than this client, and may lack what is asked of it"
        );
    }
    Ok(())
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
