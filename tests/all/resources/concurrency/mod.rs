//! Holding slots of concurrency limits, on real servers and on scripted ones.

mod contention;
mod crash;
mod holding;
mod queue;
mod rates;
mod renewal;
mod stuck;
mod tag_limits;
mod task_run_slots;
mod waiting;

use std::time::{Duration, Instant};

use prefect_sdk::testing::{Op, TestServer, op};
use prefect_sdk::types::ConcurrencyLimitV2Create;
use prefect_sdk::{Client, LocalServer};
use serde_json::json;
use tokio::sync::OnceCell;

use crate::support::{Step, reply, unique};

/// These run concurrently: one after the other they would take minutes.
#[tokio::test]
async fn scenarios_that_wait_for_leases_to_expire() {
    let server = server_that_expires_leases_quickly().await;
    tokio::join!(
        crate::examples::the_slot_of_a_process_that_is_killed_comes_back(server),
        crash::the_slots_of_a_program_that_is_killed_are_free_when_its_lease_has_ended(),
        renewal::an_outage_shorter_than_the_lease_is_survived(),
        renewal::an_outage_longer_than_the_lease_is_known_before_the_server_gives_the_slots_to_others(),
        contention::the_same_holds_when_every_fifth_request_is_spoilt(),
    );
}

/// Creates a limit and returns its name.
async fn a_limit(client: &Client, slots: i64) -> String {
    let limit = ConcurrencyLimitV2Create::new(unique("limit"), slots);
    let limit = client.global_concurrency_limits().create(&limit).await;
    limit.expect("a limit").name
}

/// The operation that takes slots.
const ASK: Op<op::BulkIncrementActiveSlotsWithLease> = op::bulk_increment_active_slots_with_lease;

/// A server whose clock stands still, with a limit `a`, and a client of it.
async fn stopped(slots: i64, held: i64) -> (TestServer, Client) {
    let kit = TestServer::builder().paused().start();
    let client = kit.client();
    let limit = ConcurrencyLimitV2Create::new("a", slots).active_slots(held);
    let limit = client.global_concurrency_limits().create(&limit).await;
    limit.expect("a limit");
    (kit, client)
}

/// How many slots the server counts as held.
async fn held(client: &Client, limit: &str) -> i64 {
    let limit = client.global_concurrency_limits().get(limit).await;
    limit.expect("there").active_slots
}

/// Waits until the server counts this many slots as held, and returns how long that took.
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

/// How long slots under a lease of a minute are held at least, as measured here: the server measures it by the time of day.
const ALMOST_A_MINUTE: Duration = Duration::from_secs(59);

/// A server that looks for expired leases every 0.5 s, and not every 15 s.
async fn server_that_expires_leases_quickly() -> &'static LocalServer {
    static SERVER: OnceCell<LocalServer> = OnceCell::const_new();
    let server = SERVER.get_or_init(|| async {
        let server = LocalServer::builder();
        let every = "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS";
        let server = server.env(every, "0.5").start().await;
        server.expect("a server")
    });
    server.await
}

/// The reply that grants a slot of this limit.
fn granted(limit: &str) -> Step {
    let limit = json!({"id": uuid::Uuid::new_v4(), "name": limit, "limit": 5});
    reply(
        200,
        json!({"lease_id": uuid::Uuid::new_v4(), "limits": [limit]}),
    )
}

/// The reply of a server that has no free slot.
fn full(retry_after: &str) -> Step {
    reply(423, json!({"detail": "Locked"})).header("retry-after", retry_after)
}

/// The empty reply of a server that has executed the request.
fn done() -> Step {
    Step::Reply(204, Vec::new(), String::new())
}
