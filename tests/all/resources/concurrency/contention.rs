//! Many tasks of several processes compete for a few slots.

use prefect_sdk::{Client, LocalServer};

use super::{a_limit, held, until_held};
use crate::support::{BUSY_TIMEOUT, Contention, FaultProxy, contend_if_asked, spoiling_slots};

const TASKS: usize = 50;
const SLOTS: i64 = 5;

/// How often each task takes a slot when no reply is lost.
const ROUNDS: usize = 20;

/// The same when replies are lost: each lost grant holds a slot for a minute. Overridden by
/// `PREFECT_SDK_TEST_ROUNDS`.
const ROUNDS_WITH_FAULTS: usize = 2;

#[tokio::test]
async fn never_more_holders_than_slots_and_nobody_starves() {
    let server = server().await;
    let client = server.client().expect("a client");
    let limit = a_limit(&client, SLOTS).await;
    contend(&client, client.api_url(), &limit, ROUNDS).await;
    assert_eq!(held(&client, &limit).await, 0);
}

pub async fn the_same_holds_when_every_fifth_request_is_spoilt() {
    let server = server().await;
    let client = server.client().expect("a client");
    let limit = a_limit(&client, SLOTS).await;
    let proxy = FaultProxy::start(client.api_url(), spoiling_slots(6)).await;
    let rounds = std::env::var("PREFECT_SDK_TEST_ROUNDS").map(|rounds| rounds.parse());
    let rounds = rounds.map_or(ROUNDS_WITH_FAULTS, |rounds| rounds.expect("a number"));
    contend(&client, &proxy.url, &limit, rounds).await;
    let leaked = held(&client, &limit).await;
    // Their leases end.
    let after = until_held(&client, &limit, 0, BUSY_TIMEOUT).await;
    println!("{leaked} leaked, gone after {after:?}");
}

async fn server() -> LocalServer {
    let every = "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS";
    let server = LocalServer::builder()
        .env(every, "0.5")
        .database_url("sqlite+aiosqlite:///:memory:")
        .start()
        .await;
    server.expect("a server")
}

/// Lets three processes contend for a limit.
async fn contend(server: &Client, url: &str, limit: &str, rounds: usize) {
    let contention = Contention {
        url,
        limit,
        tasks: TASKS,
        rounds,
        arguments: &[
            "--exact",
            "resources::concurrency::contention::a_process_that_contends",
            "--nocapture",
        ],
    };
    let outcome = contention.run(server).await;
    println!("{outcome:?}");
    assert_eq!(outcome.failed, 0, "all acquisitions succeed: {outcome:?}");
    assert!(outcome.most_counted <= SLOTS, "{outcome:?}");
    assert!(outcome.most_at_once <= SLOTS, "{outcome:?}");
    assert!(outcome.most_at_once > 1, "{outcome:?}");
    assert_eq!(outcome.acquisitions, TASKS * rounds, "{outcome:?}");
    // In grants, not in seconds: a slow machine makes nobody wait for more of them. There is no order between the processes:
    // in few rounds one may come when the others have had most of theirs.
    let is_fair = outcome.longest_wait < TASKS * rounds / 2;
    assert!(is_fair || rounds < ROUNDS, "{outcome:?}");
}

/// Not a test by itself: those above run it in other processes.
#[tokio::test]
async fn a_process_that_contends() {
    contend_if_asked().await;
}
