//! Support that the tests share: one real server for the whole binary, mock servers, proxies and clocks.

mod clock;
mod contention;
mod counting;
mod fault_proxy;
mod findings;
mod fixtures;
mod flows;
pub mod http;
pub mod live;
mod log;
mod mixed_operations;
mod python_worker;
mod runtimes;
mod scripted;
mod tls_proxy;
mod websocket_proxy;

use prefect_sdk::{Client, ClientBuilder};
use uuid::Uuid;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

pub use clock::{FakeClock, RealClock, StoppedClock};
pub use contention::{Contention, contend_if_asked, spoiling_slots};
pub use counting::counting;
pub use fault_proxy::{Fault, FaultProxy, spoiling};
pub use findings::Findings;
pub use fixtures::{a_deployment, a_flow, a_run};
pub use flows::Flows;
pub use live::{BUSY_TIMEOUT, in_time, live, live_builder, live_server};
pub use log::{Log, subscribe};
pub use mixed_operations::MixedOperations;
pub use python_worker::{PythonWorker, python};
pub use runtimes::{driven_runtime, idle_runtime};
pub use scripted::{Scripted, Step, answer, flow, refusal, reply};
pub use tls_proxy::{Authority, ForwardProxy, certificate_for};
pub use websocket_proxy::{SocketMode, WebSocketProxy};

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
