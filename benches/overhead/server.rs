//! A server that answers from memory, on a thread of its own.

use std::net::SocketAddr;
use std::sync::mpsc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LEASE: &[u8] = br#"{"lease_id":"b9b1d0b4-1df2-4c0e-b0a0-6f3b9f3f7a11","limits":[{"id":"0a2b6a7e-3b50-4a6c-a6de-6d38c79d5e0a","name":"db","limit":5}]}"#;

/// Answers `/flow_runs/filter` with the page, or with half of it if the limit is 100, `/hello` with a word,
/// an increment of slots with a lease, a decrement with an empty 204, and everything else with the one run.
pub fn start(run: &'static [u8], page: &'static [u8]) -> SocketAddr {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            send.send(listener.local_addr().expect("bound"))
                .expect("awaited");
            let items: Vec<&serde_json::value::RawValue> =
                serde_json::from_slice(page).expect("a list");
            let half = serde_json::to_vec(&items[..items.len() / 2])
                .expect("JSON")
                .leak();
            let given_back = b"HTTP/1.1 204 No Content\r\n\r\n";
            let [run, page, half, word, lease] =
                [run, page, half, b"\"hi\"", LEASE].map(|body| &*reply(body).leak());
            let replies = [run, page, half, word, lease, given_back];
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("an option");
                tokio::spawn(converse(stream, replies));
            }
        });
    });
    receive.recv().expect("an address")
}

fn reply(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Allocates once per connection, so that the allocations counted are the client's.
async fn converse(mut stream: TcpStream, replies: [&[u8]; 6]) {
    let [run, page, half, word, lease, given_back] = replies;
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
        let reply = match &buffer[..filled] {
            request if request.starts_with(b"POST /api/flow_runs/filter") => {
                match request.windows(11).any(|part| part == b"\"limit\":100") {
                    true => half,
                    false => page,
                }
            }
            request if request.starts_with(b"GET /api/hello") => word,
            request if request.starts_with(b"POST /api/v2/concurrency_limits/increment-") => lease,
            request if request.starts_with(b"POST /api/v2/concurrency_limits/decrement-") => {
                given_back
            }
            _ => run,
        };
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
