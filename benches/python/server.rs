//! The server that answers from memory, in a process of its own: its replies have the bytes of a real server's, and
//! are ready before the first request.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use prefect_sdk::LocalServer;
use serde_json::value::RawValue;

use crate::http::{body, header, serve};
use crate::{PAGE, RUNS};

/// Prints its address and the id of its flow run, and answers until its input ends.
pub fn run() {
    let mut page = Vec::new();
    flate2::read::GzDecoder::new(&include_bytes!("../decode/flow_runs_page.json.gz")[..])
        .read_to_end(&mut page)
        .expect("gzipped");
    let mut items: Vec<&RawValue> = serde_json::from_slice(&page).expect("a list");
    assert_eq!(items.len(), PAGE);
    let run = Reply::new("200 OK", items[0].get().as_bytes());
    let id = &serde_json::from_str::<serde_json::Value>(items[0].get()).expect("a run")["id"];
    let id = id.as_str().expect("a text").to_owned();
    let even = Reply::new("200 OK", &serde_json::to_vec(&items).expect("JSON"));
    // Neighbouring pages differ, as those of a real server do: a client may refuse a page that it has just had.
    items.rotate_left(1);
    let odd = Reply::new("200 OK", &serde_json::to_vec(&items).expect("JSON"));
    let end = Reply::new("200 OK", b"[]");
    let version = format!("\"{}\"", LocalServer::DEFAULT_VERSION);
    let version = Reply::new("200 OK", version.as_bytes());
    let no_csrf = br#"{"detail":"CSRF protection is disabled."}"#;
    let no_csrf = Reply::new("422 Unprocessable Entity", no_csrf);

    let address = serve(move |request| {
        let reply = match request {
            _ if request.starts_with(b"POST /api/flow_runs/filter") => match offset(request) {
                offset if offset >= RUNS => end,
                offset if (offset / PAGE).is_multiple_of(2) => even,
                _ => odd,
            },
            _ if request.starts_with(b"GET /api/admin/version") => version,
            _ if request.starts_with(b"GET /api/csrf-token") => no_csrf,
            _ => run,
        };
        reply.for_request(request)
    });
    println!("http://{address}/api\n{id}");
    // This ends with the process that has started this one.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// A reply, as it is and compressed as Prefect's server does it: from 500 bytes, and best.
#[derive(Clone, Copy)]
struct Reply {
    plain: &'static [u8],
    gzip: &'static [u8],
}

impl Reply {
    fn new(status: &str, body: &[u8]) -> Self {
        let plain: &[u8] = reply(status, "", body).leak();
        if body.len() < 500 {
            return Self { plain, gzip: plain };
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).expect("in memory");
        let body = encoder.finish().expect("in memory");
        let headers = "content-encoding: gzip\r\nvary: Accept-Encoding\r\n";
        let gzip = reply(status, headers, &body).leak();
        Self { plain, gzip }
    }

    fn for_request(self, request: &[u8]) -> &'static [u8] {
        match accepts_gzip(request) {
            true => self.gzip,
            false => self.plain,
        }
    }
}

fn accepts_gzip(request: &[u8]) -> bool {
    let accepted = header(request, "accept-encoding").unwrap_or_default();
    accepted.windows(4).any(|word| word == b"gzip")
}

/// The offset in the body of a request for a page.
fn offset(request: &[u8]) -> usize {
    #[derive(serde::Deserialize)]
    struct Body {
        #[serde(default)]
        offset: usize,
    }
    let body: Body = serde_json::from_slice(body(request).unwrap_or_default()).expect("a filter");
    body.offset
}

fn reply(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}
