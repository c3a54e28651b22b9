//! Prefect's own Python client and this SDK, on the same servers: calls, a long list, start-up, memory and CPU time.
//!
//! `cargo bench -p prefect-sdk-benches --bench python` (Linux only) installs Prefect as `LocalServer` does, prints tables for
//! `README.md` and `RESULTS.md`, and draws `docs/against-python.svg`. It takes about ten minutes.
//!
//! * Each measurement is a process of its own, which is watched from outside. It makes a first call, then does its
//!   work. The clients take turns; a round that is not counted goes first.
//! * The requests are the same: a flow run by its id, and pages of 200, which is what Prefect returns by default. Both
//!   clients decode all of each reply into their models, and ask for gzip by themselves.
//! * Python is written in the best of the ways that a user would choose among. Async is `asyncio.gather` in
//!   batches of 64: 64 tasks that go on call by call, a semaphore, and larger pools of connections took 25 to 85 % more
//!   CPU time when they were tried (uvloop, which Prefect does not install, took 6 % less). Sync is a pool of
//!   64 threads. Both have httpx as Prefect sets it up, with at most 16 connections. Where one Python client is
//!   shown, it is the better one.
//! * The SDK runs on one thread, as Python does, and makes more of the short calls, so that its work takes about a second, too.
//! * The server in memory sends what a real one sends, gzip included; the bench prints how busy it was. In a second part a real server
//!   answers, and is what limits both.

mod client;
mod figures;
#[path = "../http.rs"]
mod http;
mod picture;
mod process;
mod report;
mod server;

use figures::{Unit, rounds};
use picture::Row;
use prefect_sdk::LocalServer;
use prefect_sdk::types::{FlowCreate, FlowRunCreate, StateCreate};
use process::{Client, Clients, Cost, Home, Process, Work, own};
use uuid::Uuid;

/// How many calls are under way at a time.
const IN_FLIGHT: usize = 64;
/// The length of a page: what the server returns if no limit is set.
const PAGE: usize = 200;
/// How many runs the server in memory has.
const RUNS: usize = 100_000;
/// How many runs the real server is given, and how many calls of it a client makes.
const REAL: usize = 2_000;
/// How often each figure is taken with the server in memory.
const ROUNDS: usize = 5;
/// The same with the real server, which takes much longer.
const REAL_ROUNDS: usize = 3;

const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/against-python.svg");

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse().expect("a number");
    match arguments.as_slice() {
        ["server"] => server::run(),
        ["client", work, count, in_flight, id] => {
            let id = id.parse().expect("an id");
            client::run(work, number(count), number(in_flight), id);
        }
        _ => compare(),
    }
}

fn compare() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let real = runtime.block_on(LocalServer::start()).expect("a server");
    let home = Home::new();
    println!("load at first: {}", report::load());
    report::print_setting(real.python());

    let mut memory = Process::start(own("server"));
    let clients = Clients {
        python: real.python(),
        api_url: memory.line(),
        id: memory.line().parse().expect("an id"),
        server: Some(memory.id()),
        home: &home,
    };
    let calls = |in_flight, sdk, python| {
        rounds(&clients, ROUNDS, move |client| Work::Calls {
            count: if client == Client::Sdk { sdk } else { python },
            in_flight,
        })
    };
    let together = calls(IN_FLIGHT, 30_000, 2_000);
    let alone = calls(1, 10_000, 2_000);
    let list = rounds(&clients, ROUNDS, |_| Work::Stream { runs: RUNS });
    drop(memory);

    let id = runtime.block_on(fill(&real));
    let clients = Clients {
        api_url: real.api_url().to_owned(),
        id,
        server: None,
        ..clients
    };
    let real_calls = rounds(&clients, REAL_ROUNDS, |_| Work::Calls {
        count: REAL,
        in_flight: IN_FLIGHT,
    });
    let real_list = rounds(&clients, REAL_ROUNDS, |_| Work::Stream { runs: REAL });
    eprintln!();

    let rate = |cost: &Cost, count: f64| count / cost.work;
    let cpu = |cost: &Cost, _| cost.cpu;
    let cpu_of_call = |cost: &Cost, count: f64| cost.cpu / count;
    use Unit::{Mebibytes, PerSecond, Seconds};
    let calls = together.figure("Calls a second, 64 in flight", PerSecond, rate);
    let call_cpu = together.figure("CPU time of such a call", Seconds, cpu_of_call);
    let single = alone.figure("Calls a second, one after the other", PerSecond, rate);
    let streamed = list.figure("Flow runs a second, streamed", PerSecond, rate);
    let list_cpu = list.figure("CPU time of 100,000 flow runs", Seconds, cpu);
    let peak = list.figure("Peak memory after these", Mebibytes, |cost, _| cost.peak);
    let start = alone.figure(
        "From the start of the process to the first reply",
        Seconds,
        |cost, _| cost.start,
    );
    let real_rate = real_calls.figure("Real server: calls a second, 64 in flight", PerSecond, rate);
    let real_cpu = real_calls.figure("CPU time of such a call", Seconds, cpu_of_call);
    let real_streamed =
        real_list.figure("Real server: flow runs a second, streamed", PerSecond, rate);
    let figures = [
        &calls,
        &call_cpu,
        &single,
        &streamed,
        &list_cpu,
        &peak,
        &start,
        &real_rate,
        &real_cpu,
        &real_streamed,
    ];
    report::print_medians(&figures);
    report::print_all(&figures);
    println!("\nthe server in memory was busy (SDK, async, sync):");
    for (name, costs) in [("64 in flight", &together), ("streaming", &list)] {
        let shares = costs.server_share().map(|share| share * 100.0);
        println!("{name}: {shares:.0?} % of the time");
    }
    println!("load at last: {}", report::load());

    let row = |name, note, figure, count| Row {
        name,
        note,
        figure,
        count,
    };
    let picture = picture::draw(
        "The same work, by prefect-sdk and by Prefect’s Python client",
        "Medians of rounds by turns; the better one of Python’s two clients; one process each",
        &[
            row(
                "2,000 calls",
                "64 in flight, server in memory",
                &calls,
                2_000.0,
            ),
            row(
                "100,000 flow runs",
                "streamed in pages of 200",
                &streamed,
                100_000.0,
            ),
            row(
                "Start-up",
                "of the process, to the first reply",
                &start,
                1.0,
            ),
            row("Peak memory", "after the 100,000 flow runs", &peak, 1.0),
            row(
                "2,000 calls, real server",
                "64 in flight; SQLite is the limit",
                &real_rate,
                2_000.0,
            ),
        ],
    );
    std::fs::write(PICTURE, picture).expect("written");
    runtime.block_on(real.stop()).expect("stopped");
}

/// Creates the runs of the real server, and returns the id of one.
async fn fill(server: &LocalServer) -> Uuid {
    let client = server.client().expect("a client");
    let flow = client.flows().create(&FlowCreate::new("compared")).await;
    let run = FlowRunCreate::new(flow.expect("a flow").id).state(StateCreate::pending());
    let mut id = Uuid::nil();
    // One after the other: SQLite takes one write at a time, and the server refuses some of what waits for long.
    for _ in 0..REAL {
        id = client.flow_runs().create(&run).await.expect("a run").id;
    }
    id
}
