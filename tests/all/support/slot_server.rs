//! A server that holds slots of one limit, and says who asked.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use prefect_sdk::ClientBuilder;
use serde_json::json;
use uuid::Uuid;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::plain;

/// A server with one limit. To those that it refuses, it says to ask again in an hour.
pub struct SlotServer {
    server: MockServer,
    slots: Arc<Slots>,
}

struct Slots {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: HashSet<Uuid>,
    asked: usize,
}

impl SlotServer {
    pub async fn start(limit: usize) -> Self {
        let state = Mutex::default();
        let slots = Arc::new(Slots { limit, state });
        let server = MockServer::start().await;
        let mock = Mock::given(any()).respond_with(Answer(Arc::clone(&slots)));
        mock.mount(&server).await;
        Self { server, slots }
    }

    pub fn url(&self) -> String {
        format!("{}/api", self.server.uri())
    }

    /// The builder of a client whose waits take real time.
    pub fn builder(&self) -> ClientBuilder {
        let builder = plain(&self.url());
        builder.clock(super::FastClock::new(1))
    }

    /// How many leases are held.
    pub fn held(&self) -> usize {
        self.slots.state().held.len()
    }

    /// How many times slots were requested.
    pub fn asked(&self) -> usize {
        self.slots.state().asked
    }
}

impl Slots {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }
}

struct Answer(Arc<Slots>);

impl Respond for Answer {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: serde_json::Value = request.body_json().unwrap_or_default();
        let mut state = self.0.state();
        match request.url.path().rsplit('/').next() {
            Some("increment-with-lease") => {
                state.asked += 1;
                if state.held.len() >= self.0.limit {
                    return ResponseTemplate::new(423).insert_header("retry-after", "3600");
                }
                let (lease, limit) = (Uuid::new_v4(), Uuid::new_v4());
                state.held.insert(lease);
                let limits =
                    json!([{"id": limit, "name": body["names"][0], "limit": self.0.limit}]);
                ResponseTemplate::new(200)
                    .set_body_json(json!({"lease_id": lease, "limits": limits}))
            }
            // Of a rate, nothing is ever left.
            Some("increment") => {
                state.asked += 1;
                ResponseTemplate::new(423).insert_header("retry-after", "3600")
            }
            Some("decrement-with-lease") => {
                let lease = body["lease_id"].as_str().and_then(|id| id.parse().ok());
                state.held.remove(&lease.expect("a lease"));
                ResponseTemplate::new(204)
            }
            _ => ResponseTemplate::new(204),
        }
    }
}
