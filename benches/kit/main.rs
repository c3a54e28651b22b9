//! What the test kit costs: its start, the calls that it answers, and a hundred kits beside each other.
//!
//! `cargo bench -p prefect-sdk-benches --bench kit`. The floor is hyper answering the same bytes to the same client in the same run.

use std::time::{Duration, Instant};

use prefect_sdk::Client;
use prefect_sdk::testing::TestServer;
use prefect_sdk::types::{FlowCreate, FlowRunCreate};
use uuid::Uuid;

/// How many calls are measured.
const CALLS: usize = 20_000;

/// How many calls are under way at a time.
const AT_ONCE: usize = 16;

/// How often each figure is taken; the medians are printed.
const ROUNDS: usize = 5;

fn main() {
    let mut starts: Vec<_> = (0..200).map(|_| start()).collect();
    println!(
        "start of a kit, median: {:?}, slowest of 200: {:?}",
        median(&mut starts),
        starts[199]
    );
    let mut clients: Vec<_> = (0..20).map(|_| client()).collect();
    println!(
        "its first client, and a call of it, median: {:?}",
        median(&mut clients)
    );
    let kit = TestServer::start();
    let (client, run) = with_a_run(&kit);
    let floor = floor(&client, run);
    for (name, calls) in [
        ("a flow run by its id", Calls::Read),
        ("a new flow run", Calls::Create),
    ] {
        let (mut rates, mut floors) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            rates.push(rate(&client, calls, run));
            floors.push(rate(&floor, Calls::Read, run));
        }
        let ((wall, cpu), (floor_wall, floor_cpu)) = (medians(rates), medians(floors));
        println!(
            "{name}: {wall:.0} calls a second, {cpu:.0} a second of CPU time, client and server together \
             (floor: {floor_wall:.0} and {floor_cpu:.0})"
        );
    }
    let begin = Instant::now();
    hundred();
    println!(
        "100 kits beside each other, 100 runs in each: {:?}",
        begin.elapsed()
    );
}

fn start() -> Duration {
    let begin = Instant::now();
    let kit = TestServer::start();
    let time = begin.elapsed();
    drop(kit);
    time
}

fn client() -> Duration {
    let kit = TestServer::start();
    let runtime = runtime();
    let begin = Instant::now();
    let client = kit.client();
    runtime.block_on(client.health()).expect("healthy");
    begin.elapsed()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn with_a_run(kit: &TestServer) -> (Client, Uuid) {
    let client = kit.client();
    let id = runtime().block_on(async {
        let flow = client
            .flows()
            .create(&FlowCreate::new("etl"))
            .await
            .expect("a flow");
        let run = client
            .flow_runs()
            .create(&FlowRunCreate::new(flow.id))
            .await;
        run.expect("a run").id
    });
    // Connections belong to the runtime that opened them.
    (kit.client(), id)
}

/// A client of a server that sends the bytes of one reply, whatever it is asked.
fn floor(client: &Client, run: Uuid) -> Client {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let body = runtime()
        .block_on(client.flow_runs().get(run))
        .expect("a run");
    let body = serde_json::to_vec(&body).expect("JSON");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/api", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let body = body.clone();
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().expect("a stream");
                let mut reader = BufReader::new(stream);
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                let reply = [head.as_bytes(), &body].concat();
                loop {
                    let (mut line, mut length) = (String::new(), 0);
                    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                        let value = line.to_lowercase();
                        if let Some(value) = value.strip_prefix("content-length:") {
                            length = value.trim().parse().expect("a length");
                        }
                        line.clear();
                    }
                    if line.is_empty() {
                        return;
                    }
                    std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink())
                        .expect("a body");
                    if writer.write_all(&reply).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let builder = Client::builder().api_url(url).no_proxy();
    builder
        .csrf(false)
        .version_check(false)
        .build()
        .expect("a client")
}

#[derive(Clone, Copy)]
enum Calls {
    Read,
    Create,
}

/// Calls a second, and calls a second of CPU time of the whole process.
fn rate(client: &Client, calls: Calls, run: Uuid) -> (f64, f64) {
    let runtime = runtime();
    runtime.block_on(async {
        let flow = client.flow_runs().get(run).await.expect("a run").flow_id;
        let (begin, cpu) = (Instant::now(), cpu_time());
        let work = (0..AT_ONCE).map(|_| async {
            for _ in 0..CALLS / AT_ONCE {
                match calls {
                    Calls::Read => drop(client.flow_runs().get(run).await.expect("a run")),
                    Calls::Create => {
                        let new = FlowRunCreate::new(flow);
                        drop(client.flow_runs().create(&new).await.expect("a run"));
                    }
                }
            }
        });
        futures_util::future::join_all(work).await;
        let rate = |time: Duration| CALLS as f64 / time.as_secs_f64();
        (rate(begin.elapsed()), rate(cpu_time() - cpu))
    })
}

/// The CPU time of this process (Linux only; elsewhere none).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    // User and system time, in hundredths of a second.
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

/// A hundred kits, each with a client of its own that creates a hundred runs and lists them.
fn hundred() {
    runtime().block_on(async {
        let kits: Vec<TestServer> = (0..100).map(|_| TestServer::start()).collect();
        let work = kits.iter().map(|kit| async {
            let client = kit.client();
            let flow = client
                .flows()
                .create(&FlowCreate::new("etl"))
                .await
                .expect("a flow");
            for _ in 0..100 {
                client
                    .flow_runs()
                    .create(&FlowRunCreate::new(flow.id))
                    .await
                    .expect("a run");
            }
            assert_eq!(client.flow_runs().list().await.expect("runs").len(), 100);
        });
        futures_util::future::join_all(work).await;
    });
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn medians(rates: Vec<(f64, f64)>) -> (f64, f64) {
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (walls, cpus) = rates.into_iter().unzip();
    (middle(walls), middle(cpus))
}
