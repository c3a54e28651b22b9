//! A server that answers requests by a script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prefect_sdk::{Client, ClientBuilder};
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::http::Message;

/// What happens to one request.
#[derive(Clone, Debug)]
pub enum Step {
    /// A reply: status, headers, body.
    Reply(u16, Vec<(&'static str, String)>, String),
    /// The connection breaks once the request has arrived.
    Drop,
    /// The connection breaks in the middle of this reply.
    Half(Box<Step>),
    /// No reply is sent, and the connection stays open.
    Hang,
}

/// A reply without headers.
pub fn reply(status: u16, body: Value) -> Step {
    Step::Reply(status, Vec::new(), body.to_string())
}

/// A reply of Prefect's own exception handler.
pub fn refusal(status: u16) -> Step {
    reply(status, serde_json::json!({"exception_message": "why"}))
}

/// A reply to a request that creates or reads a flow.
pub fn flow() -> Step {
    let id = uuid::Uuid::new_v4();
    let flow = serde_json::json!({"id": id, "created": null, "updated": null, "name": "etl"});
    reply(200, flow)
}

impl Step {
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Reply(_, headers, _) = &mut self {
            headers.push((name, value.into()));
        }
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let Self::Reply(status, headers, body) = self else {
            unreachable!("only replies have bytes")
        };
        let mut text = format!(
            "HTTP/1.1 {status} Any\r\ncontent-length: {}\r\n",
            body.len()
        );
        let json = ("content-type", "application/json".to_owned());
        let own_type = headers.iter().any(|(name, _)| *name == "content-type");
        for (name, value) in headers.iter().chain((!own_type).then_some(&json)) {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        text += body;
        text.into_bytes()
    }
}

/// A server that answers each request by the next step of its script; the last step is repeated.
pub struct Scripted {
    pub url: String,
    requests: Requests,
}

/// Each request, and the number of the connection that it came over.
type Requests = Arc<Mutex<Vec<(usize, Message)>>>;

impl Scripted {
    pub async fn start(steps: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/api", listener.local_addr().expect("bound"));
        let requests = Arc::default();
        let script = Arc::new(Mutex::new(steps.into_iter().collect::<VecDeque<_>>()));
        tokio::spawn(serve(listener, script, Arc::clone(&requests)));
        Self { url, requests }
    }

    /// The requests received so far.
    pub fn requests(&self) -> Vec<Message> {
        let requests = self.requests.lock().expect("not poisoned");
        requests
            .iter()
            .map(|(_, request)| request.clone())
            .collect()
    }

    /// Waits until this many requests have been received.
    pub async fn until_received(&self, count: usize) {
        while self.requests().len() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The number of the connection of each request so far.
    pub fn connections(&self) -> Vec<usize> {
        let requests = self.requests.lock().expect("not poisoned");
        requests.iter().map(|(connection, _)| *connection).collect()
    }

    /// A client of this server that sends no requests but those of the test.
    pub fn client(&self) -> Client {
        self.builder().build().expect("a client")
    }

    pub fn builder(&self) -> ClientBuilder {
        super::plain(&self.url)
    }
}

type Script = Arc<Mutex<VecDeque<Step>>>;

async fn serve(listener: TcpListener, script: Script, requests: Requests) {
    for number in 0.. {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let (script, requests) = (Arc::clone(&script), Arc::clone(&requests));
        tokio::spawn(converse(stream, number, script, requests));
    }
}

async fn converse(mut stream: TcpStream, number: usize, script: Script, requests: Requests) {
    while let Ok(Some(request)) = Message::read(&mut stream).await {
        requests
            .lock()
            .expect("not poisoned")
            .push((number, request));
        let step = {
            let mut script = script.lock().expect("not poisoned");
            match script.len() {
                1 => script.front().cloned(),
                _ => script.pop_front(),
            }
        };
        let written = match step.expect("a script is not empty") {
            Step::Drop => return,
            Step::Hang => return tokio::time::sleep(Duration::from_secs(3600)).await,
            Step::Half(step) => {
                let bytes = step.bytes();
                let _ = stream.write_all(&bytes[..bytes.len() - 2]).await;
                return;
            }
            reply => stream.write_all(&reply.bytes()).await,
        };
        if written.is_err() {
            return;
        }
    }
}

/// Writes a reply, unless the client is gone.
pub async fn answer(stream: &mut (impl AsyncWrite + Unpin), step: &Step) {
    let _ = stream.write_all(&step.bytes()).await;
}
