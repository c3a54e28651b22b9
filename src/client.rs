//! `Client`: the way in.

use std::fmt;
use std::sync::Arc;

use crate::concurrency_limits::ConcurrencyLimits;
use crate::config::{ClientBuilder, Config};
use crate::error::Result;
use crate::raw;
use crate::transport::Transport;

/// A client of one Prefect server or Cloud workspace.
///
/// Cheap to clone; clones share one connection pool.
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
    api_url: Arc<str>,
}

impl Client {
    /// Starts building a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A client as the environment describes it: `PREFECT_API_URL`, and `PREFECT_API_KEY` or
    /// `PREFECT_API_AUTH_STRING`. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when `PREFECT_API_URL` is
    /// absent, malformed or without `/api`, or a credential cannot be sent in a header.
    pub fn from_env() -> Result<Self> {
        ClientBuilder::from_variables(|name| std::env::var(name).ok()).build()
    }

    pub(crate) fn with_config(config: &Config) -> Result<Self> {
        let transport = Transport::new(config)?;
        let api_url = transport.api_url().into();
        Ok(Self {
            raw: Arc::new(raw::Client::with_transport(transport)),
            api_url,
        })
    }

    /// The URL of the API, without a slash at the end.
    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// All operations of the API, as generated from its document.
    pub fn raw(&self) -> &raw::Client {
        &self.raw
    }

    /// Tag-based concurrency limits: how many task runs with a tag may run at once.
    pub fn concurrency_limits(&self) -> ConcurrencyLimits<'_> {
        ConcurrencyLimits::new(&self.raw)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api_url", &self.api_url)
            .finish_non_exhaustive()
    }
}
