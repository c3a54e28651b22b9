//! The generated client: every operation of the API, one method each.
//!
//! It uses the same transport as the rest of the SDK, with its authentication, retries and errors. Methods
//! are named after the server's own functions, take path parameters by position and the body last, and
//! return the reply with its status and headers.
//!
//! ```no_run
//! # async fn example() -> prefect_sdk::Result<()> {
//! use prefect_sdk::{Client, types::FlowCreate};
//!
//! let client = Client::from_env()?;
//! let reply = client.raw().create_flow(&FlowCreate::new("etl")).await?;
//! println!("{}: {}", reply.status(), reply.into_inner().name);
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;
use std::time::Duration;

use crate::retry::RetryPolicy;
pub use crate::transport::{ByteStream, Response};
use crate::transport::{Channel, Operation, RequestFactory, Transport, segment};

/// All operations of the Prefect API, as generated; see [`crate::Client::raw`].
pub struct Client {
    /// What the paths of all requests begin with.
    baseurl: Arc<str>,
    client: RequestFactory,
    inner: Transport,
}

impl Client {
    pub(crate) fn with_transport(transport: Transport) -> Self {
        Self {
            baseurl: transport.channel().requests().base_path().into(),
            client: transport.channel().requests().clone(),
            inner: transport,
        }
    }

    /// The same operations with another retry policy.
    pub(crate) fn with_retry(&self, policy: RetryPolicy) -> Self {
        Self::with_transport(self.inner.with_retry(policy))
    }

    /// The same operations with another timeout.
    pub(crate) fn with_timeout(&self, timeout: Duration) -> Self {
        Self::with_transport(self.inner.with_timeout(timeout))
    }

    /// The same operations with another `User-Agent`.
    #[cfg(feature = "flows")]
    pub(crate) fn with_user_agent(&self, user_agent: &'static str) -> Self {
        Self::with_transport(self.inner.with_user_agent(user_agent))
    }

    /// The connections, with the retry policy and the timeout of this client.
    pub(crate) fn channel(&self) -> &Channel {
        self.inner.channel()
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

include!(concat!(env!("OUT_DIR"), "/client.rs"));
