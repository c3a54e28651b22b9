//! `Attempts`: the attempts of a client whose end is not reported yet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use tokio::sync::watch;

use crate::client::{Service, Services};
use crate::error::Result;

/// Counts the attempts under way; [`Client::shutdown`](crate::Client::shutdown) waits for them.
pub(super) struct Attempts {
    under_way: watch::Sender<()>,
    /// Whether an attempt has taken the run that was handed over to this process.
    is_handover_taken: AtomicBool,
}

/// An attempt that is under way until this is dropped.
pub(super) type UnderWay = watch::Receiver<()>;

impl Service for Attempts {
    fn start(_: &Services) -> Result<Self> {
        Ok(Self {
            under_way: watch::Sender::new(()),
            is_handover_taken: AtomicBool::new(false),
        })
    }

    fn finish(&self, _: Duration) -> BoxFuture<'_, ()> {
        self.under_way.closed().boxed()
    }

    fn unfinished(&self) -> Option<String> {
        let runs = self.under_way.receiver_count();
        let plural = if runs == 1 { "" } else { "s" };
        (runs > 0).then(|| format!("the end of {runs} flow run{plural} is not reported"))
    }
}

impl Attempts {
    pub(super) fn begin(&self) -> UnderWay {
        self.under_way.subscribe()
    }

    /// Takes the run that was handed over to this process; `false` if it was taken before.
    pub(super) fn take_handover(&self) -> bool {
        !self.is_handover_taken.swap(true, Ordering::SeqCst)
    }
}
