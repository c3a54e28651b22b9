//! As much of HTTP/1.1 as a server needs that knows its replies beforehand: it shall cost little beside the clients.

use std::net::SocketAddr;
use std::sync::mpsc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The longest request: the clients' have less than 1 kB.
const MAX_REQUEST: usize = 16 << 10;

/// Answers each request, on a thread of its own, with what `answer` returns for its bytes.
pub fn serve(answer: impl Fn(&[u8]) -> &'static [u8] + Copy + Send + 'static) -> SocketAddr {
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
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("an option");
                tokio::spawn(converse(stream, answer));
            }
        });
    });
    receive.recv().expect("an address")
}

/// Allocates once per connection, so that the allocations counted are the client's.
async fn converse(mut stream: TcpStream, answer: impl Fn(&[u8]) -> &'static [u8]) {
    let mut buffer = vec![0; MAX_REQUEST];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]).await {
            Ok(0) | Err(_) => return,
            Ok(read) => filled += read,
        }
        let request = &buffer[..filled];
        if !is_complete(request) {
            continue;
        }
        if stream.write_all(answer(request)).await.is_err() {
            return;
        }
        filled = 0;
    }
}

fn is_complete(request: &[u8]) -> bool {
    let Some(body) = body(request) else {
        return false;
    };
    let length = header(request, "content-length");
    let length = length.and_then(|length| std::str::from_utf8(length).ok()?.trim().parse().ok());
    let length = length.unwrap_or(0);
    assert!(body.len() <= length, "requests are not pipelined");
    body.len() == length
}

/// What follows the headers, once they are complete.
pub fn body(request: &[u8]) -> Option<&[u8]> {
    let end = b"\r\n\r\n";
    let at = request.windows(end.len()).position(|part| part == end)?;
    Some(&request[at + end.len()..])
}

/// The value of a header, untrimmed.
pub fn header<'a>(request: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut lines = request.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let (start, value) = line.split_at_checked(name.len())?;
        start
            .eq_ignore_ascii_case(name.as_bytes())
            .then(|| value.strip_prefix(b":"))?
    })
}
