//! The one place where requests are sent and replies are read.
//!
//! [`Transport`] runs a call through the [retry loop](retry_loop), over the connections of a
//! [`Channel`] and with the [prerequisites](server_prerequisites) of the server. Imports go one way: this
//! file, then `server_prerequisites`, `version_check`, `csrf` and `reconcile`, then `retry_loop`,
//! `call_context`, `channel`.

mod attempt_failure;
mod byte_stream;
mod call;
mod call_context;
mod channel;
pub(crate) mod config;
mod connection_error;
mod connections;
mod csrf;
mod execution_evidence;
mod hooks;
mod http_client;
mod idempotency;
mod operation;
mod outcome;
mod path;
mod prerequisites;
mod raw_reply;
mod reconcile;
mod replay;
mod request;
mod response;
mod retry_loop;
pub(crate) mod route;
mod server_prerequisites;
pub(crate) mod storable;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(feature = "rustls")]
mod tls_probe;
mod trace;
mod version_check;
#[cfg(feature = "websocket")]
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use serde::de::DeserializeOwned;
use tracing::instrument::Instrumented;
use tracing::{Instrument as _, Span};

pub use byte_stream::ByteStream;
pub(crate) use channel::Channel;
pub(crate) use hooks::Observer;
pub use hooks::{Attempt, Interceptor};
pub(crate) use operation::Operation;
pub(crate) use path::segment;
pub(crate) use request::RequestFactory;
pub use response::Response;
pub(crate) use version_check::{Compatibility, PREFECT_VERSION};
#[cfg(feature = "websocket")]
pub(crate) use websocket::Socket;
#[cfg(feature = "testing")]
pub(crate) use websocket::accept_key;

use crate::error::{ErrorKind, Result};
use crate::retry::RetryPolicy;
use call::Call;
use config::Config;
use raw_reply::RawReply;
use request::RequestBuilder;
use retry_loop::RetryLoop;
use server_prerequisites::ServerPrerequisites;

/// A call that is being sent, in its span.
type Sending<'a> = Instrumented<BoxFuture<'a, (Call, Result<RawReply>)>>;

/// Sends the calls of a client. Clones share everything but the retry policy and the timeout.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    channel: Channel,
    prerequisites: Arc<ServerPrerequisites>,
}

impl Transport {
    pub(crate) fn new(config: Config) -> Result<Self> {
        let (csrf, version) = (
            config.csrf && !config.cloud,
            config.version_check && !config.cloud,
        );
        Ok(Self {
            channel: Channel::new(Arc::new(config))?,
            prerequisites: Arc::new(ServerPrerequisites::new(csrf, version)),
        })
    }

    /// Returns this transport with its own connections and CSRF token, for another runtime: a connection is
    /// driven by the runtime that opened it. The server's version is checked once for both.
    pub(crate) fn with_own_connections(&self) -> Result<Self> {
        let config = self.channel.config();
        let csrf = config.csrf && !config.cloud;
        Ok(Self {
            channel: self.channel.with_own_connections()?,
            prerequisites: Arc::new(self.prerequisites.with_own_token(csrf)),
        })
    }

    pub(crate) fn with_retry(&self, retry: RetryPolicy) -> Self {
        Self {
            channel: self.channel.with_retry(retry),
            ..self.clone()
        }
    }

    pub(crate) fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            channel: self.channel.with_timeout(timeout),
            ..self.clone()
        }
    }

    /// Returns this transport with another `User-Agent`.
    #[cfg(feature = "flows")]
    pub(crate) fn with_user_agent(&self, user_agent: &'static str) -> Self {
        Self {
            channel: self.channel.with_user_agent(user_agent),
            ..self.clone()
        }
    }

    /// The connections, with the retry policy and the timeout of this transport.
    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Sends a request whose reply is JSON.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        operation: Operation,
    ) -> Result<Response<T>> {
        let (span, reply) = self.reply(request, operation)?;
        let (call, reply) = reply.await;
        let result = reply.and_then(|reply| reply.json(&call));
        trace::end(&span, &call, result)
    }

    /// Sends a request whose reply has no content worth reading.
    pub(crate) async fn empty(
        &self,
        request: RequestBuilder,
        operation: Operation,
    ) -> Result<Response<()>> {
        let (span, reply) = self.reply(request, operation)?;
        let (call, reply) = reply.await;
        let result = reply.and_then(|reply| reply.empty(&call));
        trace::end(&span, &call, result)
    }

    /// Sends a request: the part that does not depend on the type of the reply. It is boxed, because
    /// otherwise the future and the debug information of each operation would contain all of it.
    fn reply(&self, request: RequestBuilder, operation: Operation) -> Result<(Span, Sending<'_>)> {
        let call = RetryLoop::new(&self.channel, request, operation)?;
        let span = trace::span(call.call());
        let reply: BoxFuture<'_, _> = Box::pin(call.reply(&*self.prerequisites));
        Ok((span.clone(), reply.instrument(span)))
    }

    /// Sends a request whose reply is a stream of bytes.
    pub(crate) async fn stream(
        &self,
        request: RequestBuilder,
        operation: Operation,
    ) -> Result<Response<ByteStream>> {
        let call = RetryLoop::new(&self.channel, request, operation)?;
        let span = trace::span(call.call());
        let begun = call.stream(&*self.prerequisites);
        let (call, begun) = begun.instrument(span.clone()).await;
        let begun = match begun {
            Err(error) => return trace::end(&span, &call, Err(error)),
            Ok(begun) => begun,
        };
        let (status, headers) = (begun.response.status(), begun.response.headers().clone());
        if raw_reply::is_html(&headers) {
            let error = call.error(ErrorKind::UnexpectedBody, raw_reply::NOT_A_PREFECT_SERVER);
            let error = error.with_response(status, headers, []);
            return trace::end(&span, &call, Err(error));
        }
        trace::succeeded(&span, &call, status);
        let stream = ByteStream::new(begun, call);
        Ok(Response::new(stream, status, headers))
    }
}
