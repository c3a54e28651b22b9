//! Counting the requests of a client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prefect_sdk::ClientBuilder;
use prefect_sdk::client::Attempt;

/// Counts the answered or failed requests of a client for which `counts` is true.
pub fn counting(
    builder: ClientBuilder,
    counts: impl Fn(&Attempt<'_>) -> bool + Send + Sync + 'static,
) -> (ClientBuilder, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let builder = builder.observer(move |attempt| {
        counted.fetch_add(usize::from(counts(attempt)), Ordering::SeqCst);
    });
    (builder, count)
}
