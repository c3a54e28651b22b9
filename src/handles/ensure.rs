//! Changing what is there, or else creating it, where the server has no such operation.

use crate::error::{Result, found};

/// Updates; if there is nothing to update, creates; and if somebody else created it in that moment,
/// updates after all.
pub(super) async fn ensure<T>(
    update: impl AsyncFn() -> Result<()>,
    create: impl AsyncFn() -> Result<T>,
) -> Result<()> {
    if found(update().await)?.is_some() {
        return Ok(());
    }
    match create().await {
        Err(error) if error.is_conflict() => update().await,
        created => created.map(drop),
    }
}
