//! The client in Rust. `client.py` does the same in Python.

use std::io::BufRead as _;

use prefect_sdk::Client;
use uuid::Uuid;

use crate::PAGE;

/// Makes a first call, says so, and does the work when it is wanted.
pub fn run(work: &str, count: usize, in_flight: usize, id: Uuid) {
    // One thread does all of it, as in Python.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let client = Client::from_env().expect("a client");
    let first = runtime.block_on(client.flow_runs().get(id));
    assert_eq!(first.expect("a run").id, id);
    println!("ready");
    let mut lines = std::io::stdin().lock().lines();
    lines.next();
    let done = runtime.block_on(async {
        match work {
            "calls" => calls(&client, count, in_flight, id).await,
            _ => stream(&client).await,
        }
    });
    println!("{done}");
    // The process is kept until its memory is read.
    lines.next();
}

/// Reads a run so many times.
async fn calls(client: &Client, count: usize, in_flight: usize, id: Uuid) -> usize {
    let workers = (0..in_flight).map(|worker| {
        let client = client.clone();
        let calls = (worker..count).step_by(in_flight).len();
        tokio::spawn(async move {
            for _ in 0..calls {
                let run = client.flow_runs().get(id).await.expect("a run");
                assert_eq!(run.id, id);
            }
            calls
        })
    });
    let mut done = 0;
    for worker in workers.collect::<Vec<_>>() {
        done += worker.await.expect("no panic");
    }
    done
}

/// Reads all runs, a page at a time.
async fn stream(client: &Client) -> usize {
    let mut runs = client.flow_runs().list().page_size(PAGE).pager();
    let mut done = 0;
    while let Some(run) = runs.next().await {
        assert!(!run.expect("a run").id.is_nil());
        done += 1;
    }
    done
}
