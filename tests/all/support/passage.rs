//! A proxy that lets all pass but sockets, to which it does as it is told.

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

/// What happens to a socket.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    Passes,
    /// It breaks after this time.
    Lives(Duration),
    /// It is closed as by one who has no more to say, after this time.
    ClosesCleanly(Duration),
    /// It is not opened, as by a proxy that knows no sockets.
    Refused,
    /// It is opened, and the credentials are refused with a message.
    Denied,
    /// It is opened, and closed for the credentials.
    DeniedByClosing,
}

pub struct Passage {
    pub url: String,
    sockets: Arc<AtomicUsize>,
}

impl Passage {
    /// Before the server with this API URL.
    pub async fn start(api_url: &str, fate: Fate) -> Self {
        let upstream = api_url.trim_start_matches("http://");
        let (upstream, path) = upstream.split_once('/').expect("an API URL");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (sockets, upstream) = (Arc::<AtomicUsize>::default(), upstream.to_owned());
        let counted = Arc::clone(&sockets);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, upstream.clone(), fate, Arc::clone(&counted)));
            }
        });
        let url = format!("http://{address}/{path}");
        Self { url, sockets }
    }

    /// How many sockets were asked for.
    pub fn sockets(&self) -> usize {
        self.sockets.load(Ordering::Relaxed)
    }

    pub fn builder(&self) -> ClientBuilder {
        Client::builder().api_url(&self.url)
    }

    pub fn client(&self) -> Client {
        self.builder().build().expect("a client")
    }
}

async fn pass(mut stream: TcpStream, upstream: String, fate: Fate, sockets: Arc<AtomicUsize>) {
    // Requests of sockets have connections of their own.
    let mut head = [0; 1024];
    let read = stream.peek(&mut head).await.unwrap_or_default();
    let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
    if !head.contains("upgrade: websocket") {
        return tunnel(&mut stream, &upstream).await;
    }
    sockets.fetch_add(1, Ordering::Relaxed);
    match fate {
        Fate::Passes => tunnel(&mut stream, &upstream).await,
        Fate::Lives(time) => {
            let _ = tokio::time::timeout(time, tunnel(&mut stream, &upstream)).await;
        }
        Fate::Refused => {
            let refusal = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(refusal).await;
        }
        Fate::ClosesCleanly(time) => {
            let mut socket = accept(stream).await;
            for said in [r#"{"type":"auth_success"}"#] {
                let _ = socket.next().await;
                socket.send(Message::text(said)).await.expect("sent");
            }
            tokio::time::sleep(time).await;
            let _ = socket.close(None).await;
        }
        Fate::Denied => {
            let mut socket = accept(stream).await;
            let _ = socket.next().await;
            let denied = r#"{"type":"auth_failure","reason":"not today"}"#;
            let _ = socket.send(Message::text(denied)).await;
        }
        Fate::DeniedByClosing => {
            let mut socket = accept(stream).await;
            let _ = socket.next().await;
            let (code, reason) = (CloseCode::Policy, "not today".into());
            let _ = socket.close(Some(CloseFrame { code, reason })).await;
        }
    }
}

async fn tunnel(stream: &mut TcpStream, upstream: &str) {
    // While a server is restarted there is none.
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
