//! The instructions of a call, counted by valgrind: the SDK against raw reqwest with hand-written serde structs,
//! gzip on in both.
//!
//! `cargo bench -p prefect-sdk-benches --bench instructions` needs valgrind. Each number is the difference between two processes, of
//! which one makes more calls, so that start-up and the first connection do not count; the server is in a third process.
//! Other work on the machine hardly changes the numbers. `callgrind_annotate --inclusive=yes` reads the profiles, in
//! `target/instructions/`.

#[path = "../overhead/clients.rs"]
#[allow(dead_code, reason = "slots are measured elsewhere")]
mod clients;
#[path = "../decode/floor.rs"]
mod floor;
#[path = "../overhead/server.rs"]
mod server;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clients::Client;
use uuid::Uuid;

/// How many small calls the first process makes, and the second one.
const SMALL_CALLS: [u64; 2] = [100, 600];

/// Each call, what it is, and how often the two processes make it.
const CALLS: [(&str, &str, [u64; 2]); 5] = [
    ("hello", "GET, the reply is a word", SMALL_CALLS),
    ("read", "GET, the reply is a flow run", SMALL_CALLS),
    ("count", "POST, the reply is a number", SMALL_CALLS),
    ("create", "POST, the reply is a limit", SMALL_CALLS),
    ("page", "POST, the reply is 200 flow runs", [4, 24]),
];

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [mode, call, client, calls, server] if mode == "make" => {
            let server = server.parse().expect("an address");
            make(call, client, calls.parse().expect("a number"), server);
        }
        _ => compare(),
    }
}

/// Makes calls, one after the other. This is what valgrind runs.
fn make(call: &str, client: &str, calls: u64, server: SocketAddr) {
    let client = match client {
        "sdk" => Client::sdk(server),
        _ => Client::raw(server),
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for _ in 0..calls {
            match call {
                "hello" => drop(client.hello().await),
                "read" => assert!(!client.read(&Uuid::nil()).await.is_nil()),
                "count" => assert_eq!(client.count().await, 17),
                "create" => assert!(!client.create().await.is_nil()),
                _ => assert_eq!(client.page(0).await, 200),
            }
        }
    });
}

fn compare() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("this bench runs `valgrind`, which is missing: Debian's package is `valgrind`");
        std::process::exit(1);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/instructions");
    std::fs::create_dir_all(&folder).expect("a folder");
    let server = server::start();
    println!("instructions of a call");
    println!("{:<34}{:>10}{:>10}{:>8}", "", "SDK", "raw", "ratio");
    for (call, name, [few, many]) in CALLS {
        let [sdk, raw] = ["sdk", "raw"].map(|client| {
            let [less, more] = [few, many].map(|calls| {
                let profile = folder.join(format!("{call}-{client}-{calls}.out"));
                count(
                    &profile,
                    &[call, client, &calls.to_string(), &server.to_string()],
                )
            });
            (more - less) / (many - few)
        });
        let ratio = sdk as f64 / raw as f64;
        println!("{name:<34}{sdk:>10}{raw:>10}{ratio:>8.3}");
    }
}

/// Runs this program under valgrind, writes the profile, and returns the number of instructions.
fn count(profile: &PathBuf, make: &[&str]) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(std::env::current_exe().expect("this program"))
        .arg("make")
        .args(make)
        .stdin(Stdio::null())
        .output();
    let output = output.expect("valgrind");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "valgrind {make:?} fails: {said}");
    let profile = std::fs::read_to_string(profile).expect("a profile");
    let total = profile.lines().find_map(|line| {
        let line = line
            .strip_prefix("totals: ")
            .or(line.strip_prefix("summary: "));
        line?.trim().parse().ok()
    });
    total.expect("a profile has a sum")
}
