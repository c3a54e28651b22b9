//! The two servers that are compared, and the requests to them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prefect_sdk::LocalServer;
use prefect_sdk::testing::TestServer;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use serde_json::Value;

use super::ids::{Ids, Side};
use super::operation::Operation;

/// The services of the real server that change objects when time passes. They would do so at moments of their own.
const SERVICES: [&str; 9] = [
    "CANCELLATION_CLEANUP",
    "CLEANUP_RECONCILER",
    "FOREMAN",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
    "REPOSSESSOR",
    "SCHEDULER",
    "TRIGGERS",
    "EVENT_LOGGER",
];

/// How long a request to the real server is repeated when its database is locked.
const MAX_LOCKED: Duration = Duration::from_secs(30);

/// A reply of one of the servers.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub content_type: String,
    pub retry_after: bool,
    /// The body: text that is no JSON is a string, and an empty one null.
    pub body: Value,
}

/// The fake and a real server, both without services.
pub struct Servers {
    /// They end when this is dropped.
    _servers: (TestServer, LocalServer),
    urls: [String; 2],
    http: reqwest::Client,
    /// How often a request was repeated.
    repeats: AtomicUsize,
}

impl Servers {
    pub async fn start() -> Self {
        let mut fake = TestServer::builder().without_services().start();
        // What the fake does not do is counted, and no failure.
        fake.tolerate_unanswered();
        let mut real = LocalServer::builder();
        for service in SERVICES {
            real = real.env(
                format!("PREFECT_SERVER_SERVICES_{service}_ENABLED"),
                "false",
            );
        }
        let real = real.start().await.expect("a real server");
        // The client of the tests has no cryptography of its own.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A server closes a connection after an error, without saying so.
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(120))
            .no_proxy();
        Self {
            urls: [fake.api_url(), real.api_url().to_string()],
            _servers: (fake, real),
            http: http.build().expect("a client"),
            repeats: AtomicUsize::new(0),
        }
    }

    /// How often a request to the real server was repeated, because its database was locked.
    pub fn repeats(&self) -> usize {
        self.repeats.load(Ordering::Relaxed)
    }

    /// Sends the request to one of the servers.
    pub async fn send(&self, side: Side, ids: &Ids, operation: &Operation) -> Reply {
        let start = Instant::now();
        loop {
            let reply = self.send_once(side, ids, operation).await;
            let is_locked =
                reply.status == 503 || reply.body.to_string().contains("database is locked");
            if side == Side::Fake || !is_locked || start.elapsed() > MAX_LOCKED {
                return reply;
            }
            self.repeats.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn send_once(&self, side: Side, ids: &Ids, operation: &Operation) -> Reply {
        let url = format!(
            "{}{}",
            self.urls[side as usize],
            ids.write(side, &operation.path)
        );
        let mut request = self.http.request(operation.method.clone(), &url);
        if let Some(body) = &operation.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(ids.write(side, &body.to_string()));
        }
        if let Some(agent) = operation.user_agent {
            request = request.header(USER_AGENT, agent);
        }
        let reply = request.send().await;
        let reply = reply.unwrap_or_else(|error| {
            panic!("{side:?} does not answer {}: {error:?}", operation.shown())
        });
        let header = |name| {
            let value = reply
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.map(str::to_owned)
        };
        let content_type = header(CONTENT_TYPE).unwrap_or_default();
        let content_type = content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned();
        let (status, retry_after) = (reply.status().as_u16(), header(RETRY_AFTER).is_some());
        let text = reply.text().await;
        let text = text.unwrap_or_else(|error| {
            panic!(
                "{side:?} breaks off its reply to {}: {error:?}",
                operation.shown()
            )
        });
        let body = match text.as_str() {
            "" => Value::Null,
            text if content_type == "application/json" => {
                serde_json::from_str(text).unwrap_or_else(|_| text.into())
            }
            text => text.into(),
        };
        Reply {
            status,
            content_type,
            retry_after,
            body,
        }
    }
}
