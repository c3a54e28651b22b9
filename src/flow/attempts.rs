//! `Attempts`: the attempts of a client whose end is not reported yet.

use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use tokio::sync::watch;

use crate::client::{Service, Services};
use crate::error::Result;

/// Counts the attempts under way; [`Client::shutdown`](crate::Client::shutdown) waits for them.
pub(super) struct Attempts(watch::Sender<()>);

/// An attempt that is under way until this is dropped.
pub(super) type UnderWay = watch::Receiver<()>;

impl Service for Attempts {
    fn start(_: &Services) -> Result<Self> {
        Ok(Self(watch::Sender::new(())))
    }

    fn finish(&self, _: Duration) -> BoxFuture<'_, ()> {
        self.0.closed().boxed()
    }

    fn unfinished(&self) -> Option<String> {
        let runs = self.0.receiver_count();
        let plural = if runs == 1 { "" } else { "s" };
        (runs > 0).then(|| format!("the end of {runs} flow run{plural} is not reported"))
    }
}

impl Attempts {
    pub(super) fn begin(&self) -> UnderWay {
        self.0.subscribe()
    }
}
