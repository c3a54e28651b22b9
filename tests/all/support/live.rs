//! The real server that the tests share.

use std::path::Path;
use std::time::Duration;

use prefect_sdk::local_server::LocalCluster;
use prefect_sdk::{Client, ClientBuilder, LocalServer};
use tokio::sync::OnceCell;

/// How long a request to the real server may take: all tests share it, and a busy machine does not make one fail.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(600);

/// Says which server the tests share; `cluster` is the only value.
pub const KIND: &str = "PREFECT_SDK_TEST_SERVER";

/// The URL of a server that was started elsewhere.
pub const ELSEWHERE: &str = "PREFECT_TEST_API_URL";

/// One server on SQLite, or several on PostgreSQL.
pub enum LiveServer {
    One(Box<LocalServer>),
    Several(Box<LocalCluster>),
}

impl LiveServer {
    async fn start() -> Self {
        match std::env::var(KIND).as_deref() {
            Ok("cluster") => {
                let cluster = LocalCluster::start().await.expect("a cluster");
                Self::Several(Box::new(cluster))
            }
            Ok(other) => panic!("{KIND}={other}: only cluster is known"),
            Err(_) => Self::One(Box::new(LocalServer::start().await.expect("a server"))),
        }
    }

    pub fn api_url(&self) -> &str {
        match self {
            Self::One(server) => server.api_url(),
            Self::Several(cluster) => cluster.api_url(),
        }
    }

    pub fn python(&self) -> &Path {
        match self {
            Self::One(server) => server.python(),
            Self::Several(cluster) => cluster.python(),
        }
    }

    pub fn client_builder(&self) -> ClientBuilder {
        match self {
            Self::One(server) => server.client_builder(),
            Self::Several(cluster) => cluster.client_builder(),
        }
    }
}

/// What becomes of something that a busy server may delay, but not for ever.
pub async fn in_time<T>(what: &str, something: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(BUSY_TIMEOUT, something).await;
    ended.unwrap_or_else(|_| panic!("{what} does not come"))
}

/// The server that the first test starts. It is never dropped; it stops when the test binary ends.
pub async fn live_server() -> &'static LiveServer {
    static SERVER: OnceCell<LiveServer> = OnceCell::const_new();
    SERVER.get_or_init(LiveServer::start).await
}

/// A client of the real server: the one elsewhere, or the one that the first test starts.
pub async fn live() -> Client {
    live_builder().await.build().expect("a client of it")
}

/// The builder of the client that [`live`] returns.
pub async fn live_builder() -> ClientBuilder {
    let builder = match std::env::var(ELSEWHERE) {
        Ok(url) => Client::builder().api_url(url),
        Err(_) => live_server().await.client_builder(),
    };
    builder.timeout(BUSY_TIMEOUT)
}
