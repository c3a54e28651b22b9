//! The overhead of the SDK: it and raw reqwest with hand-written serde structs do the same work on the same
//! server in this process.
//!
//! `cargo bench -p prefect-sdk-benches --bench overhead` prints ratios first (latency, CPU time, allocations, peak memory;
//! Linux only) and then criterion's times.

mod clients;
#[path = "../decode/floor.rs"]
mod floor;
mod report;
mod server;

use clients::Client;
use criterion::Criterion;
use uuid::Uuid;

const PAGES: i64 = 50;

/// Makes the smallest call, one call after the other.
async fn words(client: &Client, calls: usize) {
    for _ in 0..calls {
        client.hello().await;
    }
}

/// Reads a run, one call after the other.
async fn small_calls(client: &Client, calls: usize) {
    let id = Uuid::nil();
    for _ in 0..calls {
        client.read(&id).await;
    }
}

/// Posts a small body, one call after the other.
async fn posts(client: &Client, calls: usize) {
    for _ in 0..calls / 2 {
        client.count().await;
        client.create().await;
    }
}

/// Makes this many calls, 64 at a time.
async fn together(client: &Client, calls: usize) {
    let workers = (0..64).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { small_calls(&client, calls / 64).await })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.expect("no panic");
    }
}

/// Takes slots and gives them back, one after the other.
async fn holds(client: &Client, slots: usize) {
    for _ in 0..slots {
        client.hold().await;
    }
}

/// The same, 64 at a time.
async fn holds_together(client: &Client, slots: usize) {
    let workers = (0..64).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { holds(&client, slots / 64).await })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.expect("no panic");
    }
}

async fn pages(client: &Client, pages: i64) {
    for page in 0..pages {
        assert_eq!(client.page(page * 200).await, 200);
    }
}

fn main() {
    let server = server::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    if report::is_child(&runtime, server) {
        return;
    }
    report::print(&runtime, server);

    let mut criterion = Criterion::default().configure_from_args();
    for (name, client) in [
        ("prefect_sdk", Client::sdk(server)),
        ("raw reqwest", Client::raw(server)),
    ] {
        criterion.bench_function(&format!("a small call/{name}"), |bencher| {
            bencher.iter(|| runtime.block_on(small_calls(&client, 1)));
        });
        criterion.bench_function(&format!("640 calls, 64 in flight/{name}"), |bencher| {
            bencher.iter(|| runtime.block_on(together(&client, 640)));
        });
        let mut group = criterion.benchmark_group("slow");
        group.sample_size(10);
        group.bench_function(format!("{PAGES} pages/{name}"), |bencher| {
            bencher.iter(|| runtime.block_on(pages(&client, PAGES)));
        });
    }
}
