//! Changing what is there, or else creating it, where the server has no such operation.

use crate::error::{Result, found};
use crate::types::Field;

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

/// What a creation says, for an update: what it does not say is left alone.
pub(super) fn said<T: Clone>(value: &Option<T>) -> Field<T> {
    value.clone().map(Field::value).unwrap_or_default()
}
