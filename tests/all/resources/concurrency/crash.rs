//! A killed program's slots are freed when its lease expires.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use prefect_sdk::Client;

use super::{ALMOST_A_MINUTE, a_limit, held, server_that_expires_leases_quickly, until_held};
use crate::support::BUSY_TIMEOUT;

const URL: &str = "PREFECT_SDK_TEST_HOLDER_URL";
const LIMIT: &str = "PREFECT_SDK_TEST_HOLDER_LIMIT";

pub async fn the_slots_of_a_program_that_is_killed_are_free_when_its_lease_has_ended() {
    let server = server_that_expires_leases_quickly().await;
    let client = server.client().expect("a client");
    let limit = a_limit(&client, 3).await;
    let begun = Instant::now();
    let mut program = Command::new(std::env::current_exe().expect("this test binary"))
        .args([
            "--exact",
            "resources::concurrency::crash::a_program_that_is_killed",
            "--nocapture",
        ])
        .env(URL, server.api_url())
        .env(LIMIT, &limit)
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut lines = BufReader::new(program.stdout.take().expect("piped")).lines();
    let holds = move || lines.any(|line| line.is_ok_and(|line| line == "holding"));
    let holds = tokio::task::spawn_blocking(holds).await;
    assert!(holds.expect("no panic"));
    assert_eq!(held(&client, &limit).await, 2);
    // SIGKILL: no code of the program runs any more.
    program.kill().expect("killed");
    program.wait().expect("ended");
    until_held(&client, &limit, 0, BUSY_TIMEOUT).await;
    assert!(begun.elapsed() >= ALMOST_A_MINUTE);
}

/// Not a test by itself: the one above runs it in another process.
#[tokio::test]
async fn a_program_that_is_killed() {
    let (Ok(url), Ok(limit)) = (std::env::var(URL), std::env::var(LIMIT)) else {
        return;
    };
    let client = Client::builder().api_url(url).build().expect("a client");
    let limit = client
        .concurrency(limit)
        .slots(2)
        .lease(Duration::from_secs(60));
    let _slot = limit.acquire().await.expect("free");
    println!("\nholding");
    std::future::pending::<()>().await;
}
