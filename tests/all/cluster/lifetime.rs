//! A cluster comes up with one call, and goes away without a trace.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use prefect_sdk::Client;
use prefect_sdk::local_server::LocalCluster;

use crate::support::unique;

const STARTED: &str = "PREFECT_SDK_TEST_CLUSTER_STARTED";

/// Starts a cluster in another process, whose temporary files are in this folder, and returns the URLs of the
/// balancer and the servers.
fn started_in_another_process(temporary: &Path) -> (Child, Vec<String>) {
    let mut program = Command::new(std::env::current_exe().expect("this test binary"));
    program.args(["--exact", "cluster::lifetime::a_program", "--nocapture"]);
    program.env(STARTED, "1").env("TMPDIR", temporary);
    let mut program = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let output = BufReader::new(program.stdout.take().expect("piped"));
    let line = output
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("http"));
    let urls = line.expect("URLs");
    (program, urls.split(' ').map(str::to_owned).collect())
}

/// Not a test by itself: those below run it in another process.
#[tokio::test]
async fn a_program() {
    if std::env::var_os(STARTED).is_none() {
        return;
    }
    let cluster = LocalCluster::builder().servers(2).start().await;
    let cluster = cluster.expect("a cluster");
    println!(
        "\n{} {}",
        cluster.api_url(),
        cluster.server_urls().join(" ")
    );
    let told = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    told.await.expect("no panic").expect("a line");
    drop(cluster);
}

/// The folders of the processes of a cluster, and the commands of those that run in them.
fn traces(temporary: &Path) -> (Vec<String>, Vec<String>) {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let folders = entries(temporary);
    // (macOS has no `/proc`.) A program in a folder that has been removed has "(deleted)" in the path.
    let processes = entries(Path::new("/proc"));
    let processes = processes.iter().filter(|process| {
        let folder = std::fs::read_link(process.join("cwd"));
        folder.is_ok_and(|folder| folder.starts_with(temporary))
    });
    let of =
        |process: &PathBuf| std::fs::read_to_string(process.join("cmdline")).unwrap_or_default();
    let folders = folders.iter().map(|folder| folder.display().to_string());
    (folders.collect(), processes.map(of).collect())
}

async fn leaves_nothing(end: impl FnOnce(&mut Child)) {
    let temporary = std::env::temp_dir().canonicalize().expect("a folder");
    let temporary = temporary.join(unique("cluster"));
    std::fs::create_dir(&temporary).expect("a folder");
    let (mut program, urls) = started_in_another_process(&temporary);
    assert_eq!(urls.len(), 3, "the balancer and two servers");
    for url in &urls {
        let client = Client::builder().api_url(url).build().expect("a client");
        client.raw().health_check().await.expect("it answers");
    }
    // PostgreSQL, Redis, two servers, the services and the balancer, each with a supervisor.
    let (folders, processes) = traces(&temporary);
    assert_eq!(folders.len(), 6, "{folders:?}");
    assert!(
        !cfg!(target_os = "linux") || processes.len() >= 12,
        "{processes:?}"
    );
    end(&mut program);
    program.wait().expect("ended");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let left = traces(&temporary);
        if left.0.is_empty() && left.1.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "still there: {left:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    std::fs::remove_dir(&temporary).expect("empty");
}

#[tokio::test]
async fn a_cluster_that_is_dropped_leaves_no_process_and_no_file() {
    leaves_nothing(|program| drop(program.stdin.take())).await;
}

#[tokio::test]
async fn the_cluster_of_a_program_that_is_killed_leaves_no_process_and_no_file() {
    leaves_nothing(|program| program.kill().expect("killed")).await;
}
