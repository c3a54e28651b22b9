//! Support that the tests share: one real server for the whole binary, mock servers, proxies and clocks.

mod clock;
mod contention;
mod counting;
mod fault_proxy;
mod findings;
mod fixtures;
mod flows;
pub mod http;
mod log;
mod mixed_operations;
mod postgres;
mod python_worker;
mod runtimes;
mod scripted;
mod tls_proxy;
mod websocket_proxy;

use std::time::Duration;

use prefect_sdk::{Client, ClientBuilder, LocalServer};
use tokio::sync::OnceCell;
use uuid::Uuid;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

pub use clock::{FakeClock, FastClock};
pub use contention::{Contention, contend_if_asked, spoiling_slots};
pub use counting::counting;
pub use fault_proxy::{Fault, FaultProxy, spoiling};
pub use findings::Findings;
pub use fixtures::{a_deployment, a_flow, a_run};
pub use flows::Flows;
pub use log::{Log, subscribe};
pub use mixed_operations::MixedOperations;
pub use postgres::Postgres;
pub use python_worker::{PythonWorker, python};
pub use runtimes::{driven_runtime, idle_runtime};
pub use scripted::{Scripted, Step, answer, flow, refusal, reply};
pub use tls_proxy::{Authority, ForwardProxy, certificate_for};
pub use websocket_proxy::{SocketMode, WebSocketProxy};

/// How long a request to the real server may take: all tests share it, and a busy machine does not make one fail.
const BUSY_TIMEOUT: Duration = Duration::from_secs(600);

/// A client of the real server: `PREFECT_TEST_API_URL`, or one that the first test starts.
///
/// The server is never dropped; it stops when the test binary ends.
pub async fn live() -> Client {
    live_builder().await.build().expect("a client of it")
}

/// The builder of the client that [`live`] returns.
pub async fn live_builder() -> ClientBuilder {
    let builder = match std::env::var("PREFECT_TEST_API_URL") {
        Ok(url) => Client::builder().api_url(url),
        Err(_) => live_server().await.client_builder(),
    };
    builder.timeout(BUSY_TIMEOUT)
}

/// The server that the first test starts: on SQLite, or with `PREFECT_SDK_TEST_DATABASE=postgres` on PostgreSQL.
pub async fn live_server() -> &'static LocalServer {
    static SERVER: OnceCell<LocalServer> = OnceCell::const_new();
    static POSTGRES: OnceCell<Postgres> = OnceCell::const_new();
    let start = || async {
        let database = std::env::var("PREFECT_SDK_TEST_DATABASE");
        let builder = match database.as_deref() {
            Ok("postgres") => {
                let postgres = POSTGRES.get_or_init(Postgres::start).await;
                LocalServer::builder().database_url(postgres.url())
            }
            Ok(other) => panic!("PREFECT_SDK_TEST_DATABASE={other}: only postgres is known"),
            Err(_) => LocalServer::builder(),
        };
        builder.start().await.expect("a server")
    };
    SERVER.get_or_init(start).await
}

/// A name that no other test uses.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4().simple())
}

/// A mock server that answers every request with this reply, and a client of it.
pub async fn answering(reply: ResponseTemplate) -> (Client, MockServer) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(reply).mount(&server).await;
    (client_of(&server), server)
}

/// A client of this mock server that sends no requests but those of the test.
pub fn client_of(server: &MockServer) -> Client {
    plain(&format!("{}/api", server.uri()))
        .build()
        .expect("a client")
}

/// The builder of a client that sends no requests of its own and whose waits end at once.
pub fn plain(api_url: &str) -> ClientBuilder {
    Client::builder()
        .api_url(api_url)
        .csrf(false)
        .version_check(false)
        .clock(FakeClock::default())
        .timeout(BUSY_TIMEOUT)
}
