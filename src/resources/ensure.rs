//! Updating an object, or creating it if there is none, where the server has no such operation.

use crate::error::{Result, none_if_missing};

/// Updates an object; if there is none, creates it; if somebody else has created it in the meantime, updates
/// it after all.
///
/// (Not by `AsyncFn`, whose futures cannot be required to be `Send`.)
pub(super) async fn ensure<T, U, C>(
    update: impl Fn() -> U + Send,
    create: impl FnOnce() -> C + Send,
) -> Result<()>
where
    U: Future<Output = Result<()>> + Send,
    C: Future<Output = Result<T>> + Send,
{
    if none_if_missing(update().await)?.is_some() {
        return Ok(());
    }
    match create().await {
        Err(error) if error.is_conflict() => update().await,
        created => created.map(drop),
    }
}
