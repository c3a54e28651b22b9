//! A proxy that passes everything on, but treats WebSockets by its mode.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use prefect_sdk::{Client, ClientBuilder};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, copy,
    copy_bidirectional,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{BUSY_TIMEOUT, http};

/// The opcode of a pong (RFC 6455, 5.5.3).
const PONG: u8 = 0xa;

/// What happens to a WebSocket.
#[derive(Clone, Copy, Debug)]
pub enum SocketMode {
    Passes,
    /// It breaks this time after the server has let the client in.
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
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    sockets: AtomicUsize,
    pongs: AtomicUsize,
}

impl WebSocketProxy {
    /// Starts a proxy in front of the server with this API URL.
    pub async fn start(api_url: &str, mode: SocketMode) -> Self {
        let upstream = api_url.trim_start_matches("http://");
        let (upstream, path) = upstream.split_once('/').expect("an API URL");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (counts, upstream) = (Arc::<Counts>::default(), upstream.to_owned());
        let counted = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, upstream.clone(), mode, Arc::clone(&counted)));
            }
        });
        let url = format!("http://{address}/{path}");
        Self { url, counts }
    }

    /// How many sockets were requested.
    pub fn sockets(&self) -> usize {
        self.counts.sockets.load(Ordering::Relaxed)
    }

    /// How many pings clients have answered, over sockets that reach the server.
    pub fn pongs(&self) -> usize {
        self.counts.pongs.load(Ordering::Relaxed)
    }

    pub fn builder(&self) -> ClientBuilder {
        Client::builder().api_url(&self.url).timeout(BUSY_TIMEOUT)
    }

    pub fn client(&self) -> Client {
        self.builder().build().expect("a client")
    }
}

async fn pass(mut stream: TcpStream, upstream: String, mode: SocketMode, counts: Arc<Counts>) {
    // A request for a socket has a connection of its own.
    let mut head = [0; 1024];
    let read = stream.peek(&mut head).await.unwrap_or_default();
    let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
    if !head.contains("upgrade: websocket") {
        return tunnel(&mut stream, &upstream).await;
    }
    counts.sockets.fetch_add(1, Ordering::Relaxed);
    let open = Notify::new();
    match mode {
        SocketMode::Passes => relay(&mut stream, &upstream, &open, &counts.pongs).await,
        SocketMode::Lives(time) => {
            let over = async {
                // On a slow machine, the handshake alone may take longer.
                open.notified().await;
                tokio::time::sleep(time).await;
            };
            tokio::select! {
                () = relay(&mut stream, &upstream, &open, &counts.pongs) => {}
                () = over => {}
            }
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

/// Passes a WebSocket on, and tells when it is open: when the server has sent something after its reply to the request.
async fn relay(stream: &mut TcpStream, upstream: &str, open: &Notify, pongs: &AtomicUsize) {
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return;
    };
    let (from_client, mut to_client) = stream.split();
    let (from_server, mut to_server) = server.split();
    // Either way ends with the connection.
    let upwards = async {
        let _ = relay_frames(&mut BufReader::new(from_client), &mut to_server, pongs).await;
        let _ = to_server.shutdown().await;
    };
    let downwards = async {
        let _ = relay_from_server(&mut BufReader::new(from_server), &mut to_client, open).await;
        let _ = to_client.shutdown().await;
    };
    tokio::join!(upwards, downwards);
}

/// Passes the request of a client on, and then its frames, of which it counts the pongs.
async fn relay_frames(
    client: &mut (impl AsyncRead + Unpin),
    server: &mut (impl AsyncWrite + Unpin),
    pongs: &AtomicUsize,
) -> io::Result<()> {
    let Some(request) = http::Message::read(client).await? else {
        return Ok(());
    };
    server.write_all(&request.bytes()).await?;
    loop {
        // RFC 6455, 5.2: the opcode, the length (126 and 127 stand for a longer one behind it), the mask, the payload.
        let mut frame = vec![0; 2];
        client.read_exact(&mut frame).await?;
        let short = usize::from(frame[1] & 0x7f);
        let longer = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        frame.resize(2 + longer, 0);
        client.read_exact(&mut frame[2..]).await?;
        let length = match longer {
            0 => short,
            _ => frame[2..]
                .iter()
                .fold(0, |length, byte| (length << 8) | usize::from(*byte)),
        };
        frame.resize(2 + longer + 4 + length, 0);
        client.read_exact(&mut frame[2 + longer..]).await?;
        server.write_all(&frame).await?;
        pongs.fetch_add(usize::from(frame[0] & 0x0f == PONG), Ordering::Relaxed);
    }
}

/// Passes the server's reply on, and then what it sends over the socket.
async fn relay_from_server(
    server: &mut (impl AsyncRead + Unpin),
    client: &mut (impl AsyncWrite + Unpin),
    open: &Notify,
) -> io::Result<()> {
    let Some(reply) = http::Message::read(server).await? else {
        return Ok(());
    };
    client.write_all(&reply.bytes()).await?;
    let first = server.read_u8().await?;
    client.write_all(&[first]).await?;
    open.notify_one();
    copy(server, client).await.map(drop)
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
