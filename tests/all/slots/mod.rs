//! Holding slots of concurrency limits, on a real server and before scripted ones.

mod contention;
mod crash;
mod holding;
mod rates;
mod renewal;
mod stuck;
mod tags;

use std::time::{Duration, Instant};

use prefect_sdk::types::ConcurrencyLimitV2Create;
use prefect_sdk::{Client, LocalServer};
use serde_json::json;
use tokio::sync::OnceCell;

use crate::support::{Step, reply, unique};

/// All at once: one after the other they would take minutes.
#[tokio::test]
async fn what_waits_for_leases_to_end() {
    let server = vigilant_server().await;
    tokio::join!(
        crate::examples::the_slot_of_a_process_that_is_killed_comes_back(server),
        crash::the_slots_of_a_program_that_is_killed_are_free_when_its_lease_has_ended(),
        renewal::an_outage_shorter_than_the_lease_is_survived(),
        renewal::an_outage_longer_than_the_lease_is_known_before_the_server_gives_the_slots_to_others(),
        contention::neither_when_every_fifth_request_is_spoilt(),
    );
}

/// The name of a new limit.
async fn a_limit(client: &Client, slots: i64) -> String {
    let limit = ConcurrencyLimitV2Create::new(unique("limit"), slots);
    let limit = client.global_concurrency_limits().create(&limit).await;
    limit.expect("a limit").name
}

/// How many slots the server counts as held.
async fn held(client: &Client, limit: &str) -> i64 {
    let limit = client.global_concurrency_limits().get(limit).await;
    limit.expect("there").active_slots
}

/// Waits until the server counts so many slots as held, and tells how long that took.
async fn until_held(client: &Client, limit: &str, slots: i64, patience: Duration) -> Duration {
    let start = Instant::now();
    loop {
        let now = held(client, limit).await;
        if now == slots {
            return start.elapsed();
        }
        assert!(
            start.elapsed() < patience,
            "{now} of {limit} are held, and not {slots}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A server that sees leases that have ended within half a second, and not every 15 s.
async fn vigilant_server() -> &'static LocalServer {
    static SERVER: OnceCell<LocalServer> = OnceCell::const_new();
    let server = SERVER.get_or_init(|| async {
        let server = LocalServer::builder();
        let every = "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS";
        let server = server.env(every, "0.5").start().await;
        server.expect("a server")
    });
    server.await
}

/// What a server answers that grants a slot of this limit.
fn granted(limit: &str) -> Step {
    let limit = json!({"id": uuid::Uuid::new_v4(), "name": limit, "limit": 5});
    reply(
        200,
        json!({"lease_id": uuid::Uuid::new_v4(), "limits": [limit]}),
    )
}

/// What a server answers that has none free.
fn full(retry_after: &str) -> Step {
    reply(423, json!({"detail": "Locked"})).header("retry-after", retry_after)
}

/// What a server answers that does as it is told.
fn done() -> Step {
    Step::Reply(204, Vec::new(), String::new())
}
