//! `Doorbell`: rings when an event reports that there may be a run to be taken.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::client::Client;
use crate::error::Result;
use crate::types::EventFilter;

/// Rings for events, on the client's own thread, until this is dropped.
pub(super) struct Doorbell {
    rung: Arc<Notify>,
    /// Dropped with this: that ends the listening.
    #[cfg(feature = "websocket")]
    _listening: tokio::sync::oneshot::Sender<()>,
}

impl Doorbell {
    /// Resolves when the bell has rung since the last call; never if there is none.
    pub(super) async fn rung(bell: &Option<Self>) {
        match bell {
            Some(bell) => bell.rung.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Without the feature `websocket`, no events are received.
    #[cfg(not(feature = "websocket"))]
    pub(super) fn listen(_: &Client, _: EventFilter) -> Result<Self> {
        Ok(Self {
            rung: Arc::default(),
        })
    }

    /// Listens for these events.
    #[cfg(feature = "websocket")]
    #[inline]
    pub(super) fn listen(client: &Client, filter: EventFilter) -> Result<Self> {
        use crate::client::Background;
        use crate::resources::events::{LiveEventStream, StreamEvent};

        let background = client.service::<Background>()?;
        let rung = Arc::new(Notify::new());
        let (listening, ended) = tokio::sync::oneshot::channel();
        let mut stream = LiveEventStream::new(Arc::clone(background.raw()), filter);
        let bell = Arc::clone(&rung);
        let listen = async move {
            loop {
                match stream.next().await {
                    // What has happened before was not reported.
                    StreamEvent::Opened | StreamEvent::Event(_) => bell.notify_one(),
                    StreamEvent::Ended(error) => {
                        tracing::debug!(%error, "no events are received; runs are polled for");
                    }
                }
            }
        };
        background.spawn(async move {
            futures_util::future::select(std::pin::pin!(listen), ended).await;
        });
        Ok(Self {
            rung,
            _listening: listening,
        })
    }
}
