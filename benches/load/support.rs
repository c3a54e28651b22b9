//! What the tests' own support has, and this program needs: faults, mixed operations, contention.

#![allow(dead_code, reason = "the tests use the rest")]

#[path = "../../tests/all/support/contention.rs"]
mod contention;
#[path = "../../tests/all/support/counting.rs"]
mod counting;
#[path = "../../tests/all/support/fault_proxy.rs"]
mod fault_proxy;
#[path = "../../tests/all/support/findings.rs"]
mod findings;
#[path = "../../tests/all/support/http.rs"]
pub mod http;
#[path = "../../tests/all/support/mixed_operations.rs"]
mod mixed_operations;
#[path = "../../tests/all/support/scripted.rs"]
mod scripted;

use std::time::Duration;

use prefect_sdk::{Client, ClientBuilder};
use uuid::Uuid;

pub use contention::{Contention, contend_if_asked, spoiling_slots};
pub use counting::counting;
pub use fault_proxy::{Fault, FaultProxy, spoiling};
pub use findings::Findings;
pub use mixed_operations::MixedOperations;
use scripted::{answer, refusal, reply};

/// How long a request may take.
const BUSY_TIMEOUT: Duration = Duration::from_secs(120);

/// A name that nobody else uses.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4().simple())
}

fn plain(api_url: &str) -> ClientBuilder {
    Client::builder().api_url(api_url).timeout(BUSY_TIMEOUT)
}
