//! `Connections`: the HTTP clients of a channel. Each runtime has its own, because a connection is driven by the
//! runtime that opened it: from another one, a request would wait while that one is idle.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use reqwest::{Response, Version};
use tokio::runtime::{self, Handle};

use super::config::Config;
use super::http_client::{self, POOL_IDLE_TIMEOUT};
use crate::error::Result;

/// How many runtimes besides the first keep their connections: those that used the client last.
const MAX_OTHER_RUNTIMES: usize = 64;

/// The HTTP clients of a channel.
pub(super) struct Connections {
    config: Arc<Config>,
    /// The first runtime that used the channel.
    first_runtime: OnceLock<runtime::Id>,
    first: Arc<HttpClients>,
    /// The other runtimes, the last that used the channel at the end.
    others: Mutex<Vec<(runtime::Id, Arc<HttpClients>)>>,
}

/// The HTTP clients for one runtime, each built when it is first used.
#[derive(Default)]
pub(super) struct HttpClients {
    pooled: OnceLock<reqwest::Client>,
    /// Every request has a connection of its own.
    unpooled: OnceLock<reqwest::Client>,
    /// For streams, whose timeout applies between two parts of a reply.
    streams: OnceLock<reqwest::Client>,
    /// For WebSockets: they are upgraded from HTTP/1.1, and have no timeout of their own.
    #[cfg(feature = "websocket")]
    sockets: OnceLock<reqwest::Client>,
    /// When the server last answered with a 5xx.
    failed_at: Mutex<Option<Instant>>,
}

impl Connections {
    /// Builds the first client, which shows whether the configuration can be used.
    pub(super) fn new(config: Arc<Config>) -> Result<Self> {
        let first = Arc::<HttpClients>::default();
        first.pooled(&config)?;
        Ok(Self {
            config,
            first_runtime: OnceLock::new(),
            first,
            others: Mutex::default(),
        })
    }

    /// The clients of the current runtime.
    pub(super) fn here(&self) -> Arc<HttpClients> {
        // Without a runtime, a request fails whichever client it is sent by.
        let Ok(runtime) = Handle::try_current() else {
            return Arc::clone(&self.first);
        };
        let id = runtime.id();
        if *self.first_runtime.get_or_init(|| id) == id {
            return Arc::clone(&self.first);
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let known = others.iter().position(|(known, _)| *known == id);
        let clients = known.map_or_else(Arc::default, |at| others.remove(at).1);
        if others.len() == MAX_OTHER_RUNTIMES {
            others.remove(0);
        }
        others.push((id, Arc::clone(&clients)));
        clients
    }

    pub(super) fn config(&self) -> &Arc<Config> {
        &self.config
    }
}

impl HttpClients {
    /// The client for a request whose reply is read at once.
    ///
    /// After a 5xx the server closes the connection without saying so, and until that is noticed the pool would use it
    /// for another request, which would be lost. For as long as the pool keeps an idle connection, requests are
    /// therefore sent over new ones.
    pub(super) fn for_replies(&self, config: &Config) -> Result<&reqwest::Client> {
        let failed_at = *self
            .failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match failed_at.is_some_and(|at| at.elapsed() <= POOL_IDLE_TIMEOUT) {
            true => get_or_build(&self.unpooled, || {
                Ok(for_replies(config)?.pool_max_idle_per_host(0))
            }),
            false => self.pooled(config),
        }
    }

    fn pooled(&self, config: &Config) -> Result<&reqwest::Client> {
        get_or_build(&self.pooled, || for_replies(config))
    }

    pub(super) fn for_streams(&self, config: &Config) -> Result<&reqwest::Client> {
        get_or_build(&self.streams, || {
            let builder = http_client::builder(config, config.http2)?;
            Ok(builder
                .read_timeout(config.timeout)
                .pool_max_idle_per_host(0))
        })
    }

    #[cfg(feature = "websocket")]
    pub(super) fn for_sockets(&self, config: &Config) -> Result<&reqwest::Client> {
        get_or_build(&self.sockets, || http_client::builder(config, false))
    }

    /// Records a reply. (A server that speaks HTTP/2 does not close the connection.)
    pub(super) fn answered(&self, response: &Response) {
        if response.status().is_server_error() && response.version() < Version::HTTP_2 {
            let now = Some(Instant::now());
            *self
                .failed_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = now;
        }
    }
}

/// A builder of clients for requests whose reply is read at once: they have a timeout as a whole.
fn for_replies(config: &Config) -> Result<reqwest::ClientBuilder> {
    Ok(http_client::builder(config, config.http2)?.timeout(config.timeout))
}

fn get_or_build(
    cell: &OnceLock<reqwest::Client>,
    builder: impl FnOnce() -> Result<reqwest::ClientBuilder>,
) -> Result<&reqwest::Client> {
    if let Some(client) = cell.get() {
        return Ok(client);
    }
    let client = http_client::build(builder()?)?;
    Ok(cell.get_or_init(|| client))
}
