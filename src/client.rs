//! `Client`: the way in.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::background::Background;
use crate::builder::ClientBuilder;
use crate::concurrency::{Keeper, Turns};
use crate::config::Config;
use crate::error::Result;
use crate::raw;
use crate::retry::RetryPolicy;
use crate::runs::Monitor;
use crate::settings::Settings;
use crate::transport::Transport;

/// A client of one Prefect server or Cloud workspace.
///
/// Cheap to clone; clones share one connection pool, one CSRF token and so on.
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
    shared: Arc<Shared>,
}

/// What all clones share, whatever their policy.
#[derive(Default)]
struct Shared {
    /// Started when there is something for it to do.
    background: OnceLock<Arc<Background>>,
    keeper: OnceLock<Arc<Keeper>>,
    monitor: OnceLock<Monitor>,
    turns: Turns,
}

impl Client {
    /// Starts building a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A client as the environment, files and the active profile describe it: see [`Settings`].
    /// Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when there is no API URL, or
    /// something is malformed; see [`Settings::load`] and [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self> {
        Settings::load()?.client_builder().build()
    }

    /// A client as a profile of Prefect's describes it. What it does not say is taken from where
    /// [`from_env`](Self::from_env) takes it; but if it has an API URL, no credentials and custom
    /// headers of others.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env), and when there is no such profile.
    pub fn from_profile(name: &str) -> Result<Self> {
        Settings::load_profile(name)?.client_builder().build()
    }

    pub(crate) fn with_config(config: Config) -> Result<Self> {
        let transport = Transport::new(config)?;
        Ok(Self {
            raw: Arc::new(raw::Client::with_transport(transport)),
            shared: Arc::default(),
        })
    }

    fn with_transport(&self, transport: Transport) -> Self {
        Self {
            raw: Arc::new(raw::Client::with_transport(transport)),
            shared: Arc::clone(&self.shared),
        }
    }

    /// The same client with another retry policy; it shares all else.
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
        self.with_transport(self.raw.transport().with_retry(policy))
    }

    /// The same client with another time to wait for a reply; it shares all else. (For a stream it can
    /// only be shorter than that of the builder.) With 0 s every call fails, as one that took too long.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        self.with_transport(self.raw.transport().with_timeout(timeout))
    }

    /// Whether this is a client of Prefect Cloud, by its URL.
    pub fn is_cloud(&self) -> bool {
        self.raw.transport().is_cloud()
    }

    /// The URL of the API, without a slash at the end.
    pub fn api_url(&self) -> &str {
        self.raw.transport().api_url()
    }

    /// All operations of the API, as generated from its document.
    pub fn raw(&self) -> &raw::Client {
        &self.raw
    }

    /// For what outlives a borrow of this client.
    pub(crate) fn shared_raw(&self) -> Arc<raw::Client> {
        self.raw.clone()
    }

    /// The thread of this client and its clones.
    pub(crate) fn background(&self) -> Result<&Arc<Background>> {
        if let Some(background) = self.shared.background.get() {
            return Ok(background);
        }
        let background = Arc::new(Background::start(self.raw.transport())?);
        // If another was faster, this one ends at once.
        Ok(self.shared.background.get_or_init(|| background))
    }

    /// Who renews leases.
    pub(crate) fn keeper(&self) -> Result<&Arc<Keeper>> {
        let background = self.background()?;
        let start = || Arc::new(Keeper::new(Arc::clone(background)));
        Ok(self.shared.keeper.get_or_init(start))
    }

    /// Who looks at runs.
    pub(crate) fn monitor(&self) -> Result<&Monitor> {
        let background = self.background()?;
        let start = || Monitor::new(Arc::clone(background));
        Ok(self.shared.monitor.get_or_init(start))
    }

    /// Whose turn it is to ask for slots.
    pub(crate) fn turns(&self) -> &Turns {
        &self.shared.turns
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api_url", &self.api_url())
            .finish_non_exhaustive()
    }
}
