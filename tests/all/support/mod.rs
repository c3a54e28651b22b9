//! What the tests share: one real server for the whole binary, and mock servers.

mod clock;
mod fault_proxy;
mod flows;
mod front;
pub mod http;
mod log;
mod made;
mod passage;
mod scripted;

use prefect_sdk::{Client, ClientBuilder, LocalServer};
use tokio::sync::OnceCell;
use uuid::Uuid;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

pub use clock::{FakeClock, FastClock};
pub use fault_proxy::{Fault, FaultProxy};
pub use flows::Flows;
pub use front::{Authority, ForwardProxy};
pub use log::Log;
pub use made::{a_deployment, a_flow, a_run};
pub use passage::{Fate, Passage};
pub use scripted::{Scripted, Step, answer, flow, refusal, reply};

/// A client of the real server: `PREFECT_TEST_API_URL`, or one that the first test starts.
///
/// The server is never dropped; it stops when the test binary ends.
pub async fn live() -> Client {
    live_builder().await.build().expect("a client of it")
}

/// The options of [`live`].
pub async fn live_builder() -> ClientBuilder {
    if let Ok(url) = std::env::var("PREFECT_TEST_API_URL") {
        return Client::builder().api_url(url);
    }
    live_server().await.client_builder()
}

/// The server that the first test starts.
pub async fn live_server() -> &'static LocalServer {
    static SERVER: OnceCell<LocalServer> = OnceCell::const_new();
    let server = SERVER.get_or_init(|| async { LocalServer::start().await.expect("a server") });
    server.await
}

/// A name that no other test uses.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4().simple())
}

/// A server that answers everything in one way, and a client of it.
pub async fn answering(reply: ResponseTemplate) -> (Client, MockServer) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(reply).mount(&server).await;
    (client_of(&server), server)
}

/// A client that asks this mock server for nothing but what a test asks it.
pub fn client_of(server: &MockServer) -> Client {
    plain(&format!("{}/api", server.uri()))
        .build()
        .expect("a client")
}

/// Options of a client without requests of its own, whose waits pass at once.
pub fn plain(api_url: &str) -> ClientBuilder {
    Client::builder()
        .api_url(api_url)
        .csrf(false)
        .version_check(false)
        .clock(FakeClock::default())
}
