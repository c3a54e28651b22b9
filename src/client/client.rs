//! `Client`: the entry point.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::services::{Service, Services};
use crate::error::{Error, ErrorKind, Result};
use crate::raw;
use crate::retry::RetryPolicy;
use crate::settings::ParticipantSettings;
use crate::transport::config::Config;
use crate::transport::{Channel, Transport};

/// A client of one Prefect server or Cloud workspace.
///
/// Cloning is cheap: clones share one connection pool, one CSRF token and so on.
///
/// ```no_run
/// # async fn example() -> prefect_sdk::Result<()> {
/// let client = prefect_sdk::Client::from_env()?;
/// let limit = client.concurrency_limits().create("database", 10).await?;
/// println!("{} allows {} task runs at once", limit.tag, limit.concurrency_limit);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    raw: Arc<raw::Client>,
    /// The background services, which all clones share, whatever their retry policy.
    services: Arc<Services>,
    participant: Arc<ParticipantSettings>,
}

impl Client {
    pub(super) fn new(config: Config, participant: ParticipantSettings) -> Result<Self> {
        let transport = Transport::new(config)?;
        Ok(Self {
            participant: Arc::new(participant),
            services: Arc::new(Services::new(transport.clone())),
            raw: Arc::new(raw::Client::with_transport(transport)),
        })
    }

    fn with_raw(&self, raw: raw::Client) -> Self {
        Self {
            raw: Arc::new(raw),
            services: Arc::clone(&self.services),
            participant: Arc::clone(&self.participant),
        }
    }

    /// The settings of programs whose work is itself a flow run.
    #[cfg(any(feature = "flows", feature = "logs"))]
    pub(crate) fn participant(&self) -> &ParticipantSettings {
        &self.participant
    }

    /// Returns this client with another retry policy; everything else is shared.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::RetryPolicy;
    ///
    /// let once = client.with_retry(RetryPolicy::none());
    /// once.concurrency_limits().create("database", 10).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_retry(&self, policy: RetryPolicy) -> Self {
        self.with_raw(self.raw.with_retry(policy))
    }

    /// Returns this client with another timeout; everything else is shared. (For a stream it can only be
    /// shorter than that of the builder.) With 0 s every call times out.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        self.with_raw(self.raw.with_timeout(timeout))
    }

    /// Finishes what this client and its clones would leave behind when the process ends: waits until slots that
    /// were held are given back, and until the events of emitters are sent, at most for this long. Call it at the
    /// end of a program, once guards are dropped.
    ///
    /// From the call on, waiting for slots ends with an error, emitters take no more events, and nothing more
    /// can be begun in the background; what has begun and leaves nothing behind, such as a wait for a run, goes
    /// on, and so do other calls. Nothing is undone: slots whose guard is still alive stay held until it is
    /// dropped, or until their lease ends.
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::ErrorKind::Timeout), which says what could not be finished in time.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) {
    /// use std::time::Duration;
    ///
    /// let slot = client.concurrency("database").acquire().await;
    /// drop(slot);
    /// if let Err(left_behind) = client.shutdown(Duration::from_secs(5)).await {
    ///     eprintln!("{left_behind}");
    /// }
    /// # }
    /// ```
    pub async fn shutdown(&self, timeout: Duration) -> Result<()> {
        let unfinished = self.services.shut_down(timeout).await;
        if unfinished.is_empty() {
            return Ok(());
        }
        let what = format!("within {timeout:?}, {}", unfinished.join(", "));
        Err(Error::new(ErrorKind::Timeout, what).with_outcome(true, true))
    }

    /// Whether this is a client of Prefect Cloud, judging by its URL.
    pub fn is_cloud(&self) -> bool {
        self.channel().is_cloud()
    }

    /// The URL of the API, without a slash at the end.
    pub fn api_url(&self) -> &str {
        self.channel().api_url()
    }

    /// All operations of the API, as generated from its OpenAPI document.
    pub fn raw(&self) -> &raw::Client {
        &self.raw
    }

    /// The raw client, for work that outlives a borrow of this client.
    pub(crate) fn shared_raw(&self) -> Arc<raw::Client> {
        self.raw.clone()
    }

    /// This client with the connections of its own thread, for jobs of that thread.
    #[cfg(feature = "flows")]
    pub(crate) fn in_background(&self) -> Result<Self> {
        let background = self.service::<super::Background>()?;
        Ok(self.with_raw(background.raw_for(self.channel())))
    }

    /// The connections of this client, with its retry policy and timeout.
    pub(crate) fn channel(&self) -> &Channel {
        self.raw.channel()
    }

    /// Returns the background service of this type, which all clones share, and starts it at its first use.
    pub(crate) fn service<S: Service>(&self) -> Result<Arc<S>> {
        self.services.get()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api_url", &self.api_url())
            .finish_non_exhaustive()
    }
}
