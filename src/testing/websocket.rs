//! The WebSockets of a kit: the events as they happen.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio_websockets::{Error, Message, ServerBuilder, WebSocketStream};

use super::fake::{Call, Selection, World, handle};
use super::kit::Kit;
use crate::transport::accept_key;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The sockets that the kit has.
#[derive(Clone, Copy)]
enum Kind {
    /// `/events/out`
    EventsOut,
    /// `/events/in`
    EventsIn,
    /// `/logs/out`: silent, as on a server with its default settings.
    LogsOut,
}

/// Whether a request asks for a WebSocket.
pub(super) fn is_upgrade(request: &Request<Incoming>) -> bool {
    let upgrade = request.headers().get(UPGRADE);
    upgrade.is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Opens the WebSocket at this path below the URL of the API. One that the kit does not have is refused, as by a server that is older.
pub(super) fn open(kit: Arc<Kit>, path: &str, request: Request<Incoming>) -> Response<()> {
    if kit.world().is_some()
        && let Some(response) = socket(kit, path, request)
    {
        return response;
    }
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn socket(kit: Arc<Kit>, path: &str, request: Request<Incoming>) -> Option<Response<()>> {
    let kind = match path {
        "/events/out" => Kind::EventsOut,
        "/events/in" => Kind::EventsIn,
        "/logs/out" => Kind::LogsOut,
        _ => return None,
    };
    let key = request.headers().get(SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(
        "sec-websocket-protocol",
        HeaderValue::from_static("prefect"),
    );
    headers.insert(
        SEC_WEBSOCKET_ACCEPT,
        HeaderValue::from_str(&accept_key(key)).ok()?,
    );
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            let socket = ServerBuilder::new().serve(TokioIo::new(upgraded));
            // A socket that breaks is the client's to notice.
            drop(converse(&kit, kind, socket).await);
        }
    });
    Some(response)
}

async fn converse(kit: &Kit, kind: Kind, mut socket: Socket) -> Result<(), Error> {
    let Some(Ok(_token)) = socket.next().await else {
        return Ok(());
    };
    socket
        .send(Message::text(json!({"type": "auth_success"}).to_string()))
        .await?;
    match kind {
        Kind::EventsOut => send_events(kit, socket).await,
        Kind::EventsIn => take_events(kit, socket).await,
        Kind::LogsOut => {
            while socket.next().await.transpose()?.is_some() {}
            Ok(())
        }
    }
}

/// Sends the events that match the filter which the client names, from now on.
async fn send_events(kit: &Kit, mut socket: Socket) -> Result<(), Error> {
    let mut changes = kit.changes();
    let Some(wanted) = socket.next().await.transpose()? else {
        return Ok(());
    };
    let wanted: Value = serde_json::from_slice(wanted.as_payload()).unwrap_or_default();
    let Some(selection) = kit
        .world()
        .map(|world| Selection::of(&wanted["filter"], world.now))
    else {
        return Ok(());
    };
    let selection = match selection {
        Ok(selection) => selection,
        Err(refusal) => {
            let what = refusal
                .unsupported
                .unwrap_or_else(|| refusal.body.to_string());
            kit.note_unanswered(format!(
                "the fake cannot open a subscription to events: {what}"
            ));
            return socket.close().await;
        }
    };
    let mut sent = kit.world().map_or(0, |world| world.events.len());
    loop {
        let new = kit
            .world()
            .map(|world| new_events(&world, &mut sent, &selection));
        for message in new.unwrap_or_default() {
            socket.feed(Message::text(message)).await?;
        }
        socket.flush().await?;
        match select(pin!(changes.changed()), socket.next()).await {
            Either::Left((Ok(()), _)) => {}
            Either::Left((Err(_), _)) | Either::Right((None, _)) => return Ok(()),
            Either::Right((Some(message), _)) => drop(message?),
        }
    }
}

/// What has come since, and is selected.
fn new_events(world: &World, sent: &mut usize, selection: &Selection) -> Vec<String> {
    let events = world.events.matching(*sent, selection);
    *sent = world.events.len();
    let messages = events
        .iter()
        .map(|event| json!({"type": "event", "event": event}).to_string());
    messages.collect()
}

/// Stores the events that a client sends.
async fn take_events(kit: &Kit, mut socket: Socket) -> Result<(), Error> {
    let headers = reqwest::header::HeaderMap::new();
    while let Some(message) = socket.next().await.transpose()? {
        let Some(text) = message.as_text() else {
            continue;
        };
        let body = format!("[{text}]");
        let call = Call {
            operation: "create_events",
            path: &[],
            query: &[],
            headers: &headers,
            body: body.as_bytes(),
        };
        let refused = match kit.world() {
            Some(mut world) => handle(&mut world, &call).is_err(),
            None => true,
        };
        // The server closes a socket over which a malformed event comes.
        if refused {
            return socket.close().await;
        }
        kit.note_change();
    }
    Ok(())
}
