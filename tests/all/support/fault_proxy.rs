//! A proxy that injects faults between a client and a real server.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use prefect_sdk::{Client, ClientBuilder, RetryPolicy};
use serde_json::json;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;

use super::BUSY_TIMEOUT;
use super::http::Message;
use super::scripted::Step;
use super::{refusal, reply};

/// What happens to one request.
#[derive(Clone, Debug)]
pub enum Fault {
    None,
    /// The proxy stops listening for a moment; this request is not delivered.
    Refuse,
    /// The connection breaks before the request is delivered.
    ResetBefore,
    /// The request is delivered, and the connection breaks without a reply.
    ResetAfter,
    /// Like `ResetAfter`, but only for the first successful reply with this flag.
    LoseSuccess(Arc<AtomicBool>),
    /// The request is delivered, and the connection breaks in the middle of the reply.
    HalfReply,
    /// The request is delivered late.
    Delay(Duration),
    /// The request is delivered when the test adds a permit.
    Hold(Arc<Semaphore>),
    /// The request is not delivered; the proxy answers it with this step.
    Answer(Step),
}

/// A plan that spoils one request in five at random, each in one of many ways, and counts them.
pub fn spoiling(seed: u64, spoilt: Arc<AtomicUsize>) -> impl FnMut(&Message) -> Fault + Send {
    let mut rng = Rng::with_seed(seed);
    move |_| {
        if rng.f64() >= 0.2 {
            return Fault::None;
        }
        spoilt.fetch_add(1, Relaxed);
        match rng.u8(..10) {
            0 => Fault::Refuse,
            1 => Fault::ResetBefore,
            2 | 3 => Fault::ResetAfter,
            4 | 5 => Fault::HalfReply,
            6 => Fault::Delay(Duration::from_millis(rng.u64(1..50))),
            7 => Fault::Answer(reply(429, json!({})).header("retry-after", "0.02")),
            8 => Fault::Answer(refusal(503)),
            // A reply of a gateway.
            _ => Fault::Answer(reply(503, json!({"message": "no upstream"}))),
        }
    }
}

/// How many requests are kept for tests to look at: an hour of them would not fit into the memory.
const KEPT: usize = 1000;

type Plan = Box<dyn FnMut(&Message) -> Fault + Send>;

/// A proxy that applies to each request the fault that its plan returns. It works until [`stop`](Self::stop), also when it is dropped.
pub struct FaultProxy {
    pub url: String,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

struct Shared {
    upstream: String,
    plan: Mutex<Plan>,
    refuse: Notify,
    /// The last requests delivered to the server.
    delivered: Mutex<VecDeque<Message>>,
}

impl FaultProxy {
    /// Starts a proxy in front of the server with this API URL.
    pub async fn start(
        api_url: &str,
        plan: impl FnMut(&Message) -> Fault + Send + 'static,
    ) -> Self {
        let upstream = api_url.trim_start_matches("http://");
        let (upstream, path) = upstream.split_once('/').expect("an API URL");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            plan: Mutex::new(Box::new(plan)),
            refuse: Notify::new(),
            delivered: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            url: format!("http://{address}/{path}"),
            shared,
            accepting: accepting.abort_handle(),
        }
    }

    /// Loses the first successful reply to a request with this method whose target ends in `path`. (A
    /// loaded server answers 503 now and then, because its database is locked.)
    pub async fn losing_one_reply(api_url: &str, method: &'static str, path: &'static str) -> Self {
        let lost = Arc::new(AtomicBool::new(false));
        let plan = move |request: &Message| match request.method() == method
            && request.target().ends_with(path)
        {
            true => Fault::LoseSuccess(Arc::clone(&lost)),
            false => Fault::None,
        };
        Self::start(api_url, plan).await
    }

    /// Takes no more connections.
    pub fn stop(self) {
        self.accepting.abort();
    }

    /// The requests delivered to the server so far, [`KEPT`] at most.
    pub fn delivered(&self) -> Vec<Message> {
        let delivered = self.shared.delivered.lock().expect("not poisoned");
        delivered.iter().cloned().collect()
    }

    /// The builder of a client that goes through the proxy. Its retries wait briefly, but long enough for
    /// the database of a loaded server.
    pub fn builder(&self) -> ClientBuilder {
        let retry = RetryPolicy::default().base_delay(Duration::from_millis(50));
        Client::builder()
            .api_url(&self.url)
            .timeout(BUSY_TIMEOUT)
            .csrf(false)
            .version_check(false)
            .retry(retry.attempts(10))
    }
}

async fn accept(mut listener: TcpListener, shared: Arc<Shared>) {
    let address = listener.local_addr().expect("bound");
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                tokio::spawn(converse(stream, Arc::clone(&shared)));
            }
            () = shared.refuse.notified() => {
                drop(listener);
                tokio::time::sleep(Duration::from_millis(20)).await;
                listener = TcpListener::bind(address).await.expect("the same port");
            }
        }
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(request)) = Message::read(&mut stream).await {
        let fault = (shared.plan.lock().expect("not poisoned"))(&request);
        match &fault {
            Fault::Refuse => return shared.refuse.notify_one(),
            Fault::ResetBefore => return,
            Fault::Answer(step) => {
                super::answer(&mut stream, step).await;
                continue;
            }
            Fault::Delay(duration) => tokio::time::sleep(*duration).await,
            Fault::Hold(gate) => gate.acquire().await.expect("open").forget(),
            _ => {}
        }
        let Ok(reply) = shared.deliver(&request).await else {
            return;
        };
        let bytes = reply.bytes();
        let written = match fault {
            Fault::ResetAfter => return,
            Fault::LoseSuccess(lost) if reply.is_success() && !lost.swap(true, Relaxed) => return,
            Fault::HalfReply => {
                let _ = stream.write_all(&bytes[..bytes.len() / 2]).await;
                return;
            }
            _ => stream.write_all(&bytes).await,
        };
        if written.is_err() {
            return;
        }
    }
}

impl Shared {
    fn note(&self, request: Message) {
        let mut delivered = self.delivered.lock().expect("not poisoned");
        if delivered.len() == KEPT {
            delivered.pop_front();
        }
        delivered.push_back(request);
    }

    async fn deliver(&self, request: &Message) -> std::io::Result<Message> {
        self.note(request.clone());
        let mut server = BufReader::new(TcpStream::connect(&self.upstream).await?);
        server.write_all(&request.bytes()).await?;
        let reply = Message::read(&mut server).await?;
        reply.ok_or_else(|| std::io::Error::other("the server closed the connection"))
    }
}
