//! The HTTP server of a kit: on the loopback interface, on a thread of its own.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::fake::Reply;
use super::kit::Kit;
use super::requests::ReceivedRequest;
use super::router::{Route, route};
use super::rule::Delivery;
use super::websocket;

/// Where the API begins, as on a real server.
pub(super) const API_PATH: &str = "/api";

/// The server of a kit; it ends when this is dropped.
pub(super) struct HttpServer {
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Starts the server at a free port of 127.0.0.1.
    pub(super) fn start(kit: Arc<Kit>) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        // A runtime of its own: the test may block its threads, and a server of others must not wait for it.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let serve = move || runtime.block_on(accept(listener, kit, stopped));
        let thread = std::thread::Builder::new()
            .name("prefect-test-server".into())
            .spawn(serve)?;
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // It has nothing to say: a panic in it was one of a connection, and is the test's to notice.
            drop(thread.join());
        }
    }
}

async fn accept(
    listener: std::net::TcpListener,
    kit: Arc<Kit>,
    mut stopped: watch::Receiver<bool>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        match select(pin!(stopped.changed()), pin!(listener.accept())).await {
            Either::Left(_) => return,
            Either::Right((Ok((stream, _)), _)) => {
                drop(tokio::spawn(serve(stream, Arc::clone(&kit))));
            }
            // A client that is gone already, or too many open files: others may still come.
            Either::Right((Err(_), _)) => tokio::task::yield_now().await,
        }
    }
}

async fn serve(stream: TcpStream, kit: Arc<Kit>) {
    // A reply is small: without this, it may wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(Arc::clone(&kit), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A connection that breaks is the client's to notice.
    drop(connection.with_upgrades().await);
}

type Body =
    http_body_util::Either<Full<Bytes>, StreamBody<stream::Iter<std::array::IntoIter<Piece, 2>>>>;

type Piece = Result<Frame<Bytes>, io::Error>;

/// Why a connection is to break.
#[derive(Debug)]
struct Break;

impl std::fmt::Display for Break {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a rule of the test breaks the connection")
    }
}

impl std::error::Error for Break {}

async fn answer(kit: Arc<Kit>, request: Request<Incoming>) -> Result<Response<Body>, Break> {
    let under_way = kit.begin();
    let path = request
        .uri()
        .path()
        .strip_prefix(API_PATH)
        .unwrap_or_default()
        .to_owned();
    if websocket::is_upgrade(&request) {
        drop(under_way);
        let response = websocket::open(kit, &path, request);
        return Ok(response.map(|()| http_body_util::Either::Left(Full::default())));
    }
    let Some(route) = route(request.method().as_str(), &path) else {
        let text = format!("no operation of the API is {} {path}", request.method());
        kit.note_unanswered(text);
        let reply = Reply::json(404, &serde_json::json!({"detail": "Not Found"}));
        return Ok(response(&kit, reply, Delivery::Whole));
    };
    let Ok(received) = receive(&kit, route, request).await else {
        return Err(Break);
    };
    let received = Arc::new(received);
    kit.journal.add(Arc::clone(&received));
    kit.note_change();
    match kit.execute(&received).await {
        (Some(reply), delivery @ (Delivery::Whole | Delivery::Cut)) => {
            Ok(response(&kit, reply, delivery))
        }
        (_, Delivery::Never) => {
            // Nobody waits for it: the clock may go on.
            drop(under_way);
            std::future::pending().await
        }
        _ => Err(Break),
    }
}

async fn receive(
    kit: &Kit,
    route: Route,
    request: Request<Incoming>,
) -> Result<ReceivedRequest, hyper::Error> {
    let query = request.uri().query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let (head, body) = request.into_parts();
    Ok(ReceivedRequest {
        operation: route.operation,
        path: route.path,
        query,
        headers: head.headers,
        body: body.collect().await?.to_bytes(),
        at: kit.clock.time(),
    })
}

fn response(kit: &Kit, reply: Reply, delivery: Delivery) -> Response<Body> {
    let length = reply.body.len();
    let body = Bytes::from(reply.body);
    let body = match delivery {
        Delivery::Cut => {
            let cut = io::Error::other(Break);
            let half = body.slice(..length / 2);
            http_body_util::Either::Right(StreamBody::new(stream::iter([
                Ok(Frame::data(half)),
                Err(cut),
            ])))
        }
        _ => http_body_util::Either::Left(Full::new(body)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or_default();
    let headers = response.headers_mut();
    if !reply.content_type.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    }
    if reply.status != 204 {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    // Clients learn the server's time from it.
    let date = kit
        .clock
        .time()
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    headers.extend(HeaderValue::from_str(&date).ok().map(|date| (DATE, date)));
    response
}
