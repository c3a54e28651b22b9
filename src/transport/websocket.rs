//! WebSockets, with the same certificates, proxies, headers and interceptors as all other requests.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{AUTHORIZATION, CONNECTION, HeaderMap, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use reqwest::{StatusCode, Upgraded};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_websockets::{ClientBuilder, CloseCode, Message, WebSocketStream};

use super::channel::Channel;
use super::connection_error;
use super::path::segment;
use crate::error::{Error, ErrorKind, Result};

/// The WebSocket subprotocol that Prefect uses.
const PROTOCOL: &str = "prefect";

/// The GUID that a server appends to the key of a handshake (RFC 6455).
const HANDSHAKE_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How long a socket may be silent before it counts as broken: by default, a server pings every 20 s.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(120);

/// An open WebSocket on which the server sends what matches a filter.
pub(crate) struct Socket {
    stream: WebSocketStream<Upgraded>,
    path: &'static str,
    /// The server's reason if it closed the socket for a violation of policy or protocol: in the handshake, a refused token.
    refusal: Option<String>,
    /// When the last message has come, a ping included.
    last_message: Instant,
}

/// The server's reply in the handshake.
#[derive(Deserialize)]
struct HandshakeReply {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    reason: Option<String>,
}

impl Channel {
    /// Opens the socket at this path below the API's URL, authenticates, and sends the filter.
    ///
    /// # Errors
    ///
    /// `Unauthorized` when the server refuses the token.
    pub(crate) async fn socket(
        &self,
        path: &'static str,
        filter: &impl Serialize,
    ) -> Result<Socket> {
        let opened = timeout(self.timeout(), async {
            let (mut socket, token) = self.open(path, path).await?;
            socket.authenticate(token).await?;
            // Stored events are read by requests instead: the backfill of the server has a gap.
            let wanted = json!({"type": "filter", "filter": filter, "backfill": false});
            socket.send(wanted.to_string()).await?;
            Ok(socket)
        });
        opened.await.unwrap_or_else(|_| {
            let what = "the socket was not opened in time";
            Err(Error::new(ErrorKind::Timeout, what).with_operation(path))
        })
    }

    /// Opens the socket of a worker of this pool, and authenticates.
    #[cfg_attr(not(feature = "worker"), allow(dead_code))]
    pub(crate) async fn worker_socket(&self, template: &'static str, pool: &str) -> Result<Socket> {
        let path = template.replace("{work_pool_name}", &segment(pool)?);
        let opened = timeout(self.timeout(), async {
            let (mut socket, token) = self.open(template, &path).await?;
            socket.authenticate(token).await?;
            Ok(socket)
        });
        opened.await.unwrap_or_else(|_| {
            let what = "the socket was not opened in time";
            Err(Error::new(ErrorKind::Timeout, what).with_operation(template))
        })
    }

    /// Opens the socket, and returns it with the token for its authentication.
    async fn open(&self, template: &'static str, path: &str) -> Result<(Socket, Option<String>)> {
        let failed = |kind, what: &str| Error::new(kind, what).with_operation(template);
        let mut nonce = [0; 16];
        fastrand::fill(&mut nonce);
        let key = STANDARD.encode(nonce);
        let connections = self.connections();
        let http = connections.for_sockets(self.config())?;
        let request = http
            .get(format!("{}{path}", self.api_url()))
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &key)
            .header("sec-websocket-protocol", PROTOCOL);
        let cannot_be = |error: reqwest::Error| {
            failed(ErrorKind::InvalidRequest, "the request cannot be built")
                .with_source(error.without_url())
        };
        let mut request = request.build().map_err(cannot_be)?;
        for interceptor in self.interceptors() {
            interceptor.intercept(&mut request).await.map_err(|cause| {
                failed(ErrorKind::InvalidRequest, "an interceptor failed").with_source(cause)
            })?;
        }
        // A header that an interceptor sets overrides the client's own.
        let token = self.config().token(request.headers().get(AUTHORIZATION));
        self.add_headers(&mut request);
        let response = http.execute(request).await.map_err(|error| {
            let what =
                connection_error::describe(&self.config().api_url, &error, &self.config().route);
            failed(ErrorKind::Connection, &what).with_source(error.without_url())
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let what = "the server, or a proxy in front of it, does not open a WebSocket here";
            return Err(failed(ErrorKind::of(status), what).with_response(status, headers, []));
        }
        if !is_accepted(&headers, &key) {
            let what = "the reply does not come from a WebSocket server";
            return Err(failed(ErrorKind::UnexpectedBody, what).with_response(status, headers, []));
        }
        let upgraded = response.upgrade().await.map_err(|error| {
            failed(ErrorKind::Connection, "the connection broke").with_source(error.without_url())
        })?;
        let stream = ClientBuilder::new().take_over(upgraded);
        let socket = Socket {
            stream,
            path: template,
            refusal: None,
            last_message: Instant::now(),
        };
        Ok((socket, token))
    }
}

/// Whether this is the reply to the key (RFC 6455, 4.2.2), and not a cached reply to another request.
fn is_accepted(headers: &HeaderMap, key: &str) -> bool {
    let accepted = headers.get(SEC_WEBSOCKET_ACCEPT);
    accepted.is_some_and(|accepted| *accepted == accept_key(key))
}

/// What a server replies to the key of a handshake (RFC 6455, 4.2.2).
pub(crate) fn accept_key(key: &str) -> String {
    let digest = sha1_smol::Sha1::from(format!("{key}{HANDSHAKE_GUID}")).digest();
    STANDARD.encode(digest.bytes())
}

impl Socket {
    async fn authenticate(&mut self, token: Option<String>) -> Result<()> {
        self.send(json!({"type": "auth", "token": token}).to_string())
            .await?;
        let reply = self.next_text().await;
        let reply = reply.map_err(|error| match self.refusal.take() {
            Some(reason) => self.refused(&reason),
            None => error,
        })?;
        match serde_json::from_str::<HandshakeReply>(&reply) {
            Ok(reply) if reply.kind == "auth_success" => Ok(()),
            Ok(HandshakeReply { kind, reason }) => Err(self.refused(&reason.unwrap_or(kind))),
            Err(error) => {
                let what = "the server's reply to the token has an unknown form";
                let error = Error::new(ErrorKind::Decode, what).with_source(error);
                Err(error.with_operation(self.path))
            }
        }
    }

    fn refused(&self, reason: &str) -> Error {
        let what = format!("the server refuses the credentials: {reason}");
        Error::new(ErrorKind::Unauthorized, what).with_operation(self.path)
    }

    /// Why the server has closed the socket, if it has for a reason that will not go away.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, text: String) -> Result<()> {
        let sent = self.stream.send(Message::text(text)).await;
        sent.map_err(|error| self.broken(error))
    }

    /// Returns the next message. After an error the socket cannot be used any more.
    pub(crate) async fn next_text(&mut self) -> Result<String> {
        loop {
            // Not from now on: who waits may do so again and again.
            let silence_ends = self.last_message + SILENCE_TIMEOUT;
            let Ok(message) = timeout_at(silence_ends, self.stream.next()).await else {
                let what = format!("nothing was received for {} s", SILENCE_TIMEOUT.as_secs());
                return Err(Error::new(ErrorKind::Connection, what).with_operation(self.path));
            };
            self.last_message = Instant::now();
            let message = match message {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(self.broken(error)),
                None => return Err(self.closed(None)),
            };
            if message.is_close() {
                if let Some((CloseCode::POLICY_VIOLATION | CloseCode::PROTOCOL_ERROR, reason)) =
                    message.as_close()
                {
                    self.refusal = Some(reason.to_owned());
                }
                return Err(self.closed(message.as_close()));
            }
            // The library answers pings.
            if let Some(text) = message.as_text() {
                return Ok(text.to_owned());
            }
        }
    }

    fn closed(&self, why: Option<(CloseCode, &str)>) -> Error {
        let what = match why {
            Some((code, reason)) => {
                format!("the server closed the socket: {} {reason}", u16::from(code))
            }
            None => "the socket was closed".to_owned(),
        };
        Error::new(ErrorKind::Connection, what.trim_end()).with_operation(self.path)
    }

    fn broken(&self, error: tokio_websockets::Error) -> Error {
        let error = Error::new(ErrorKind::Connection, "the socket broke").with_source(error);
        error.with_operation(self.path)
    }
}
