//! What the tests share: one real server for the whole binary, and mock servers.

use prefect_sdk::{Client, LocalServer};
use tokio::sync::OnceCell;
use uuid::Uuid;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A client of the real server: `PREFECT_TEST_API_URL`, or one that the first test starts.
///
/// The server is never dropped; it stops when the test binary ends.
pub async fn live() -> Client {
    static SERVER: OnceCell<LocalServer> = OnceCell::const_new();
    if let Ok(url) = std::env::var("PREFECT_TEST_API_URL") {
        return Client::builder()
            .api_url(url)
            .build()
            .expect("PREFECT_TEST_API_URL");
    }
    let server =
        SERVER.get_or_init(|| async { LocalServer::start().await.expect("a local server") });
    server.await.client().expect("a client of it")
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

/// A client of a mock server.
pub fn client_of(server: &MockServer) -> Client {
    Client::builder()
        .api_url(format!("{}/api", server.uri()))
        .build()
        .expect("a client")
}
