//! A server that answers from memory, on a thread of its own.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::mpsc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LEASE: &[u8] = br#"{"lease_id":"b9b1d0b4-1df2-4c0e-b0a0-6f3b9f3f7a11","limits":[{"id":"0a2b6a7e-3b50-4a6c-a6de-6d38c79d5e0a","name":"db","limit":5}]}"#;

const LIMIT: &[u8] = br#"{"id":"0a2b6a7e-3b50-4a6c-a6de-6d38c79d5e0a","created":"2026-07-20T12:30:45.123456Z","updated":"2026-07-20T12:30:45.123456Z","active":true,"name":"db","limit":5,"active_slots":0,"denied_slots":0,"slot_decay_per_second":0.0,"avg_slot_occupancy_seconds":2.0}"#;

/// How a request begins, what else it contains, and the reply to it.
type Route = (&'static str, &'static str, &'static [u8]);

/// Answers `/flow_runs/filter` with a page of 200 real runs, or with half of it if the limit is 100, `/hello` with a
/// word, a count with a number, an increment of slots with a lease, a decrement with an empty 204, the creation of a
/// limit with the limit, and everything else with the first run of the page.
pub fn start() -> SocketAddr {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let routes = &*routes().leak();
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            send.send(listener.local_addr().expect("bound"))
                .expect("awaited");
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("an option");
                tokio::spawn(converse(stream, routes));
            }
        });
    });
    receive.recv().expect("an address")
}

/// The first route that matches a request is its own.
fn routes() -> Vec<Route> {
    let mut page = Vec::new();
    flate2::read::GzDecoder::new(&include_bytes!("../decode/flow_runs_page.json.gz")[..])
        .read_to_end(&mut page)
        .expect("gzipped");
    let items: Vec<&serde_json::value::RawValue> = serde_json::from_slice(&page).expect("a list");
    let half = serde_json::to_vec(&items[..items.len() / 2]).expect("JSON");
    let given_back = b"HTTP/1.1 204 No Content\r\n\r\n";
    let json = |body: &[u8]| &*reply(body).leak();
    let (filter, limits) = (
        "POST /api/flow_runs/filter",
        "POST /api/v2/concurrency_limits/",
    );
    vec![
        ("GET /api/hello", "", json(b"\"hi\"")),
        (filter, "\"limit\":100", json(&half)),
        (filter, "", json(&page)),
        ("POST /api/flow_runs/count", "", json(b"17")),
        (limits, "/increment-", json(LEASE)),
        (limits, "/decrement-", given_back),
        (limits, "", json(LIMIT)),
        ("", "", json(items[0].get().as_bytes())),
    ]
}

fn reply(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Allocates once per connection, so that the allocations counted are the client's.
async fn converse(mut stream: TcpStream, routes: &[Route]) {
    let mut buffer = vec![0; 16 << 10];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]).await {
            Ok(0) | Err(_) => return,
            Ok(read) => filled += read,
        }
        let Some(length) = request_length(&buffer[..filled]) else {
            continue;
        };
        assert_eq!(length, filled, "requests are not pipelined");
        let request = std::str::from_utf8(&buffer[..filled]).expect("text");
        let route = routes
            .iter()
            .find(|(start, within, _)| request.starts_with(start) && request.contains(within));
        let (.., reply) = route.expect("the last one matches all");
        if stream.write_all(reply).await.is_err() {
            return;
        }
        filled = 0;
    }
}

/// The length of the request, once it has arrived completely.
fn request_length(received: &[u8]) -> Option<usize> {
    let head = received.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&received[..head]).ok()?;
    let body = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let length = head + body.unwrap_or(0);
    (received.len() >= length).then_some(length)
}
