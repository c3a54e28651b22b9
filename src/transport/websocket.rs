//! WebSockets, over the same connections as all else: certificates, proxies, headers, interceptors.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{AUTHORIZATION, CONNECTION, HeaderMap, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use reqwest::{StatusCode, Upgraded};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout;
use tokio_websockets::{ClientBuilder, CloseCode, Message, WebSocketStream};

use super::{Transport, connection};
use crate::error::{Error, ErrorKind, Result};

/// The protocol that Prefect speaks on its sockets.
const PROTOCOL: &str = "prefect";

/// What a server adds to the key of a request.
const ACCEPTANCE: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How long a socket may be silent: a server pings every 20 s, if it is not set to do otherwise.
const SILENCE: Duration = Duration::from_secs(120);

/// A socket of the server's that tells what happens, after it was told what is wanted.
pub(crate) struct Socket {
    stream: WebSocketStream<Upgraded>,
    path: &'static str,
    /// Why the server has closed it, if for a policy: in the handshake, that is about the token.
    refusal: Option<String>,
}

/// What a server says in the handshake.
#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    reason: Option<String>,
}

impl Transport {
    /// Opens the socket of this path below the API's URL, authenticates, and says what is wanted.
    ///
    /// # Errors
    ///
    /// `Unauthorized` when the server refuses the token.
    pub async fn socket(&self, path: &'static str, filter: &impl Serialize) -> Result<Socket> {
        let opened = timeout(self.timeout(), async {
            let (mut socket, token) = self.open(path).await?;
            socket.authenticate(token).await?;
            // What is stored is read otherwise: what the server sends of it has a hole.
            let wanted = json!({"type": "filter", "filter": filter, "backfill": false});
            socket.send(wanted.to_string()).await?;
            Ok(socket)
        });
        opened.await.unwrap_or_else(|_| {
            let what = "the socket was not opened in time";
            Err(Error::new(ErrorKind::Timeout, what).of(path))
        })
    }

    /// The socket, and the token that it wants.
    async fn open(&self, path: &'static str) -> Result<(Socket, Option<String>)> {
        let failed = |kind, what: &str| Error::new(kind, what).of(path);
        let mut nonce = [0; 16];
        fastrand::fill(&mut nonce);
        let key = STANDARD.encode(nonce);
        let request = self
            .sockets()?
            .get(format!("{}{path}", self.api_url()))
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &key)
            .header("sec-websocket-protocol", PROTOCOL);
        let cannot_be = |error: reqwest::Error| {
            failed(ErrorKind::InvalidRequest, "the request cannot be built")
                .caused_by(error.without_url())
        };
        let mut request = request.build().map_err(cannot_be)?;
        for interceptor in self.interceptors() {
            interceptor.intercept(&mut request).await.map_err(|cause| {
                failed(ErrorKind::InvalidRequest, "an interceptor refused it").caused_by(cause)
            })?;
        }
        // An interceptor's wins over the client's own.
        let token = self
            .shared
            .config
            .token(request.headers().get(AUTHORIZATION));
        let response = self.sockets()?.execute(request).await.map_err(|error| {
            failed(ErrorKind::Connection, "the server cannot be reached")
                .caused_by(error.without_url())
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let what = "the server, or what is in front of it, opens no socket here";
            return Err(failed(ErrorKind::of(status), what).replied(status, headers, []));
        }
        if !is_accepted(&headers, &key) {
            let what = "what answers is no WebSocket";
            return Err(failed(ErrorKind::UnexpectedBody, what).replied(status, headers, []));
        }
        let upgraded = response.upgrade().await.map_err(|error| {
            failed(ErrorKind::Connection, "the connection broke").caused_by(error.without_url())
        })?;
        let stream = ClientBuilder::new().take_over(upgraded);
        let socket = Socket {
            stream,
            path,
            refusal: None,
        };
        Ok((socket, token))
    }

    /// A client for sockets: they are upgraded from HTTP/1.1, and have no timeout of their own.
    fn sockets(&self) -> Result<&reqwest::Client> {
        let shared = &self.shared;
        if let Some(client) = shared.sockets.get() {
            return Ok(client);
        }
        let builder = connection::builder(&shared.config)?.http1_only();
        let client = connection::build(builder)?;
        Ok(shared.sockets.get_or_init(|| client))
    }
}

/// Whether this is the answer to the key (RFC 6455, 4.2.2), and not another one's that was kept
/// somewhere.
fn is_accepted(headers: &HeaderMap, key: &str) -> bool {
    let digest = sha1_smol::Sha1::from(format!("{key}{ACCEPTANCE}")).digest();
    let accepted = headers.get(SEC_WEBSOCKET_ACCEPT);
    accepted.is_some_and(|accepted| *accepted == STANDARD.encode(digest.bytes()))
}

impl Socket {
    async fn authenticate(&mut self, token: Option<String>) -> Result<()> {
        self.send(json!({"type": "auth", "token": token}).to_string())
            .await?;
        let said = self.next_text().await;
        let said = said.map_err(|error| match self.refusal.take() {
            Some(reason) => self.refused(&reason),
            None => error,
        })?;
        match serde_json::from_str::<Said>(&said) {
            Ok(said) if said.kind == "auth_success" => Ok(()),
            Ok(Said { kind, reason }) => Err(self.refused(&reason.unwrap_or(kind))),
            Err(error) => {
                let what = "the server's answer to the token is of no known form";
                let error = Error::new(ErrorKind::Decode, what).caused_by(error);
                Err(error.of(self.path))
            }
        }
    }

    fn refused(&self, reason: &str) -> Error {
        let what = format!("the server refuses the credentials: {reason}");
        Error::new(ErrorKind::Unauthorized, what).of(self.path)
    }

    async fn send(&mut self, text: String) -> Result<()> {
        let sent = self.stream.send(Message::text(text)).await;
        sent.map_err(|error| self.broken(error))
    }

    /// The next message. An error is the end of the socket.
    pub async fn next_text(&mut self) -> Result<String> {
        loop {
            let Ok(message) = timeout(SILENCE, self.stream.next()).await else {
                let what = format!("nothing was heard for {} s", SILENCE.as_secs());
                return Err(Error::new(ErrorKind::Connection, what).of(self.path));
            };
            let message = match message {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(self.broken(error)),
                None => return Err(self.closed(None)),
            };
            if message.is_close() {
                if let Some((CloseCode::POLICY_VIOLATION, reason)) = message.as_close() {
                    self.refusal = Some(reason.to_owned());
                }
                return Err(self.closed(message.as_close()));
            }
            // Pings are answered by the library.
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
        Error::new(ErrorKind::Connection, what.trim_end()).of(self.path)
    }

    fn broken(&self, error: tokio_websockets::Error) -> Error {
        let error = Error::new(ErrorKind::Connection, "the socket broke").caused_by(error);
        error.of(self.path)
    }
}
