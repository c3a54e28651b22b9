//! The generated client: every operation of the API, one method each.
//!
//! It goes through the same transport as everything else: authentication, retries, errors. Methods are
//! named after the server's own functions, take path parameters by position and the body last,
//! and return the reply with its status and headers.
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

pub use progenitor_client::{ByteStream, ResponseValue};

use std::sync::Arc;

use crate::transport::{Operation, Transport, segment};

/// All operations of the Prefect API, as generated; see [`crate::Client::raw`].
pub struct Client {
    baseurl: Arc<str>,
    client: reqwest::Client,
    inner: Transport,
}

impl Client {
    pub(crate) fn with_transport(transport: Transport) -> Self {
        Self {
            baseurl: transport.shared_api_url(),
            client: transport.http().clone(),
            inner: transport,
        }
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.inner
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

include!(concat!(env!("OUT_DIR"), "/client.rs"));
