//! The two clients: the SDK, and raw reqwest with hand-written structs.

use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use prefect_sdk::types::{
    ConcurrencyLimitV2, ConcurrencyLimitV2Create, CountFlowRunsRequest, FlowRunFilter,
    FlowRunFilterState, FlowRunFilterStateType, FlowRunResponse, ReadFlowRunsRequest, StateType,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::floor;

/// Either client; both do the same work.
#[derive(Clone)]
pub enum Client {
    Sdk(prefect_sdk::Client),
    Raw(reqwest::Client, String),
}

impl Client {
    pub fn sdk(server: SocketAddr) -> Self {
        let client = prefect_sdk::Client::builder()
            .api_url(format!("http://{server}/api"))
            .api_key("pnu_1")
            .no_proxy()
            .csrf(false)
            .version_check(false)
            .build();
        Self::Sdk(client.expect("a client"))
    }

    /// Sets reqwest up as a careful program would.
    pub fn raw(server: SocketAddr) -> Self {
        // This fails only at the second client.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("x-prefect-api-version", "0.8.4".parse().expect("a value"));
        headers.insert("authorization", "Bearer pnu_1".parse().expect("a value"));
        headers.insert("accept", "application/json".parse().expect("a value"));
        let client = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent("floor")
            .timeout(std::time::Duration::from_secs(60))
            .no_proxy()
            .build();
        Self::Raw(client.expect("a client"), format!("http://{server}/api"))
    }

    /// Requests the smallest reply there is, so that the cost is not the reply's.
    pub async fn hello(&self) -> String {
        match self {
            Self::Sdk(client) => client.raw().hello().await.expect("a reply").into_inner(),
            Self::Raw(client, url) => {
                let reply = client.get(format!("{url}/hello")).send().await;
                let reply = reply.and_then(reqwest::Response::error_for_status);
                reply.expect("a reply").json().await.expect("a text")
            }
        }
    }

    /// Reads one run.
    pub async fn read(&self, id: &Uuid) -> Uuid {
        match self {
            Self::Sdk(client) => {
                let run = client.raw().read_flow_run(id).await.expect("a run");
                let run: FlowRunResponse = run.into_inner();
                run.id
            }
            Self::Raw(client, url) => {
                let reply = client.get(format!("{url}/flow_runs/{id}")).send().await;
                let reply = reply.and_then(reqwest::Response::error_for_status);
                let run: floor::FlowRunResponse<Value> =
                    reply.expect("a reply").json().await.expect("a run");
                run.id
            }
        }
    }

    /// Counts the runs that are running: a small body, and a number for a reply.
    pub async fn count(&self) -> i64 {
        match self {
            Self::Sdk(client) => {
                let running = FlowRunFilterStateType::new().any_(vec![StateType::Running]);
                let state = FlowRunFilterState::new().type_(running);
                let body = CountFlowRunsRequest::new().flow_runs(FlowRunFilter::new().state(state));
                let count = client.raw().count_flow_runs(&body).await.expect("a count");
                count.into_inner()
            }
            Self::Raw(client, url) => {
                let body = json!({"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}});
                let url = format!("{url}/flow_runs/count");
                let reply = client.post(url).json(&body).send().await;
                let reply = reply.and_then(reqwest::Response::error_for_status);
                reply.expect("a reply").json().await.expect("a count")
            }
        }
    }

    /// Creates a global concurrency limit.
    pub async fn create(&self) -> Uuid {
        match self {
            Self::Sdk(client) => {
                let body = ConcurrencyLimitV2Create::new("db", 5);
                let limit = client.raw().create_concurrency_limit_v2(&body).await;
                let limit: ConcurrencyLimitV2 = limit.expect("a limit").into_inner();
                limit.id
            }
            Self::Raw(client, url) => {
                let body = NewGlobalLimit {
                    name: "db",
                    limit: 5,
                };
                let url = format!("{url}/v2/concurrency_limits/");
                let reply = client.post(url).json(&body).send().await;
                let reply = reply.and_then(reqwest::Response::error_for_status);
                let limit: GlobalLimit = reply.expect("a reply").json().await.expect("a limit");
                limit.id
            }
        }
    }

    /// Reads a page of 200 runs.
    pub async fn page(&self, offset: i64) -> usize {
        match self {
            Self::Sdk(client) => {
                let body = ReadFlowRunsRequest::new().limit(200).offset(offset);
                let page = client.raw().read_flow_runs(&body).await.expect("a page");
                let page: Vec<FlowRunResponse> = page.into_inner();
                page.len()
            }
            Self::Raw(client, url) => {
                let body = json!({"limit": 200, "offset": offset});
                let url = format!("{url}/flow_runs/filter");
                let reply = client.post(url).json(&body).send().await;
                let reply = reply.and_then(reqwest::Response::error_for_status);
                let page: Vec<floor::FlowRunResponse<Value>> =
                    reply.expect("a reply").json().await.expect("a page");
                page.len()
            }
        }
    }

    /// Takes a slot under a lease, and gives it back.
    pub async fn hold(&self) {
        match self {
            Self::Sdk(client) => {
                let slot = client.concurrency("db").acquire().await.expect("granted");
                slot.release().await.expect("given back");
            }
            Self::Raw(client, url) => {
                let url = format!("{url}/v2/concurrency_limits");
                let body = json!({"names": ["db"], "slots": 1, "mode": "concurrency", "lease_duration": 60.0});
                let reply = client.post(format!("{url}/increment-with-lease"));
                let reply = reply.json(&body).send().await;
                let reply = reply.and_then(reqwest::Response::error_for_status);
                let lease: Lease = reply.expect("a reply").json().await.expect("a lease");
                assert_eq!(lease.limits[0].name, "db");
                let body = json!({"lease_id": lease.lease_id});
                let reply = client.post(format!("{url}/decrement-with-lease"));
                let reply = reply.json(&body).send().await;
                let reply = reply.and_then(reqwest::Response::error_for_status);
                reply.expect("given back");
            }
        }
    }
}

#[derive(serde::Deserialize)]
struct Lease {
    lease_id: Uuid,
    limits: Vec<Limit>,
}

#[derive(serde::Deserialize)]
#[allow(dead_code, reason = "as the SDK reads them")]
struct Limit {
    id: Uuid,
    name: String,
    limit: i64,
}

#[derive(serde::Serialize)]
struct NewGlobalLimit<'a> {
    name: &'a str,
    limit: i64,
}

#[derive(serde::Deserialize)]
#[allow(dead_code, reason = "as the SDK reads them")]
struct GlobalLimit {
    id: Uuid,
    created: Option<DateTime<Utc>>,
    updated: Option<DateTime<Utc>>,
    active: Option<bool>,
    name: String,
    limit: i64,
    active_slots: Option<i64>,
    denied_slots: Option<i64>,
    slot_decay_per_second: Option<f64>,
    avg_slot_occupancy_seconds: Option<f64>,
}
