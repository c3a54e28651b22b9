//! A proxy that passes everything on, but treats WebSockets by its mode.

use super::BUSY_TIMEOUT;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use prefect_sdk::{Client, ClientBuilder};
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// What happens to a WebSocket.
#[derive(Clone, Copy, Debug)]
pub enum SocketMode {
    Passes,
    /// It breaks after this time.
    Lives(Duration),
    /// It is accepted, and closed normally after this time.
    ClosesCleanly(Duration),
    /// It is not opened, as by a proxy that does not support WebSockets.
    Refused,
    /// It is opened, and the credentials are refused with a message.
    Denied,
    /// It is opened, and closed because of the credentials.
    DeniedByClosing,
}

pub struct WebSocketProxy {
    pub url: String,
    sockets: Arc<AtomicUsize>,
}

impl WebSocketProxy {
    /// Starts a proxy in front of the server with this API URL.
    pub async fn start(api_url: &str, mode: SocketMode) -> Self {
        let upstream = api_url.trim_start_matches("http://");
        let (upstream, path) = upstream.split_once('/').expect("an API URL");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (sockets, upstream) = (Arc::<AtomicUsize>::default(), upstream.to_owned());
        let counted = Arc::clone(&sockets);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, upstream.clone(), mode, Arc::clone(&counted)));
            }
        });
        let url = format!("http://{address}/{path}");
        Self { url, sockets }
    }

    /// How many sockets were requested.
    pub fn sockets(&self) -> usize {
        self.sockets.load(Ordering::Relaxed)
    }

    pub fn builder(&self) -> ClientBuilder {
        Client::builder().api_url(&self.url).timeout(BUSY_TIMEOUT)
    }

    pub fn client(&self) -> Client {
        self.builder().build().expect("a client")
    }
}

async fn pass(
    mut stream: TcpStream,
    upstream: String,
    mode: SocketMode,
    sockets: Arc<AtomicUsize>,
) {
    // A request for a socket has a connection of its own.
    let mut head = [0; 1024];
    let read = stream.peek(&mut head).await.unwrap_or_default();
    let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
    if !head.contains("upgrade: websocket") {
        return tunnel(&mut stream, &upstream).await;
    }
    sockets.fetch_add(1, Ordering::Relaxed);
    match mode {
        SocketMode::Passes => tunnel(&mut stream, &upstream).await,
        SocketMode::Lives(time) => {
            let _ = tokio::time::timeout(time, tunnel(&mut stream, &upstream)).await;
        }
        SocketMode::Refused => {
            let refusal = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(refusal).await;
        }
        SocketMode::ClosesCleanly(time) => {
            let mut socket = accept(stream).await;
            for said in [r#"{"type":"auth_success"}"#] {
                let _ = socket.next().await;
                socket.send(Message::text(said)).await.expect("sent");
            }
            tokio::time::sleep(time).await;
            let _ = socket.close(None).await;
        }
        SocketMode::Denied => {
            let mut socket = accept(stream).await;
            let _ = socket.next().await;
            let denied = r#"{"type":"auth_failure","reason":"not today"}"#;
            let _ = socket.send(Message::text(denied)).await;
        }
        SocketMode::DeniedByClosing => {
            let mut socket = accept(stream).await;
            let _ = socket.next().await;
            let (code, reason) = (CloseCode::Policy, "not today".into());
            let _ = socket.close(Some(CloseFrame { code, reason })).await;
        }
    }
}

async fn tunnel(stream: &mut TcpStream, upstream: &str) {
    // While the server is being restarted, nothing listens there.
    if let Ok(mut server) = TcpStream::connect(upstream).await {
        let _ = copy_bidirectional(stream, &mut server).await;
    }
}

async fn accept(stream: TcpStream) -> tokio_tungstenite::WebSocketStream<TcpStream> {
    #[allow(clippy::result_large_err, reason = "it is the library's")]
    let protocol = |request: &Request, mut response: Response| {
        let protocol = request.headers().get("sec-websocket-protocol");
        let protocol = protocol.expect("asked for").clone();
        response
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        Ok(response)
    };
    let accepted = tokio_tungstenite::accept_hdr_async(stream, protocol).await;
    accepted.expect("a socket")
}
