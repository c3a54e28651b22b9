//! A server that answers from memory, on a thread of its own.

use std::io::Read as _;
use std::net::SocketAddr;

#[path = "../http.rs"]
mod http;

const LEASE: &[u8] = br#"{"lease_id":"b9b1d0b4-1df2-4c0e-b0a0-6f3b9f3f7a11","limits":[{"id":"0a2b6a7e-3b50-4a6c-a6de-6d38c79d5e0a","name":"db","limit":5}]}"#;

const LIMIT: &[u8] = br#"{"id":"0a2b6a7e-3b50-4a6c-a6de-6d38c79d5e0a","created":"2026-07-20T12:30:45.123456Z","updated":"2026-07-20T12:30:45.123456Z","active":true,"name":"db","limit":5,"active_slots":0,"denied_slots":0,"slot_decay_per_second":0.0,"avg_slot_occupancy_seconds":2.0}"#;

/// How a request begins, what else is true of it, and the reply to it.
type Route = (&'static str, fn(&str) -> bool, &'static [u8]);

/// Answers `/flow_runs/filter` with a page of 200 real runs, or with half of them if the limit is 100, in another order on each second
/// page of a list, `/hello` with a word, a count with a number, an increment of slots with a lease, a decrement with an empty 204, the creation of a
/// limit with the limit, and everything else with the first run of the page.
pub fn start() -> SocketAddr {
    let routes = &*routes().leak();
    http::serve(move |request| {
        let request = std::str::from_utf8(request).expect("text");
        let route = routes
            .iter()
            .find(|(start, is_meant, _)| request.starts_with(start) && is_meant(request));
        route.expect("the last one matches all").2
    })
}

/// The first route that matches a request is its own.
fn routes() -> Vec<Route> {
    let mut page = Vec::new();
    flate2::read::GzDecoder::new(&include_bytes!("../decode/flow_runs_page.json.gz")[..])
        .read_to_end(&mut page)
        .expect("gzipped");
    let items: Vec<&serde_json::value::RawValue> = serde_json::from_slice(&page).expect("a list");
    let reversed: Vec<_> = items.iter().copied().rev().collect();
    let [[page, half], [second_page, second_half]] = [items.as_slice(), &reversed].map(|items| {
        [items, &items[..items.len() / 2]].map(|items| serde_json::to_vec(items).expect("JSON"))
    });
    let given_back = b"HTTP/1.1 204 No Content\r\n\r\n";
    let json = |body: &[u8]| &*reply(body).leak();
    let (filter, limits) = (
        "POST /api/flow_runs/filter",
        "POST /api/v2/concurrency_limits/",
    );
    vec![
        ("GET /api/hello", any, json(b"\"hi\"")),
        (filter, is_second_half, json(&second_half)),
        (filter, is_half, json(&half)),
        (filter, is_second_page, json(&second_page)),
        (filter, any, json(&page)),
        ("POST /api/flow_runs/count", any, json(b"17")),
        (
            limits,
            |request| request.contains("/increment-"),
            json(LEASE),
        ),
        (
            limits,
            |request| request.contains("/decrement-"),
            given_back,
        ),
        (limits, any, json(LIMIT)),
        ("", any, json(items[0].get().as_bytes())),
    ]
}

fn any(_: &str) -> bool {
    true
}

fn is_half(request: &str) -> bool {
    number(request, "\"limit\":") == Some(100)
}

fn is_second_half(request: &str) -> bool {
    is_half(request) && is_second(request, 100)
}

fn is_second_page(request: &str) -> bool {
    is_second(request, 200)
}

/// Whether this is the second, the fourth, the sixth page: a pager refuses one that begins like the one before.
fn is_second(request: &str, page: usize) -> bool {
    number(request, "\"offset\":").is_some_and(|offset| (offset / page) % 2 == 1)
}

/// The whole number after a key.
fn number(request: &str, key: &str) -> Option<usize> {
    let (_, rest) = request.split_once(key)?;
    rest.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

fn reply(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
