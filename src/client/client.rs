//! `Client`: the entry point.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::services::{Service, Services};
use crate::error::Result;
use crate::raw;
use crate::retry::RetryPolicy;
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
}

impl Client {
    pub(crate) fn with_config(config: Config) -> Result<Self> {
        let transport = Transport::new(config)?;
        Ok(Self {
            services: Arc::new(Services::new(transport.clone())),
            raw: Arc::new(raw::Client::with_transport(transport)),
        })
    }

    fn with_raw(&self, raw: raw::Client) -> Self {
        Self {
            raw: Arc::new(raw),
            services: Arc::clone(&self.services),
        }
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
