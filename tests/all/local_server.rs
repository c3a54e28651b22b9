//! `LocalServer` itself.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use prefect_sdk::{Client, ErrorKind, LocalServer};

use uuid::Uuid;

use crate::support::unique;

#[tokio::test]
async fn several_servers_run_at_once_and_share_nothing() {
    let (one, two) = tokio::join!(LocalServer::start(), LocalServer::start());
    let (one, two) = (one.expect("starts"), two.expect("starts"));
    assert_ne!(one.api_url(), two.api_url());
    let (first, second) = (
        one.client().expect("a client"),
        two.client().expect("a client"),
    );
    first
        .concurrency_limits()
        .create("mine", 1)
        .await
        .expect("created");
    assert!(
        second
            .concurrency_limits()
            .get_by_tag_opt("mine")
            .await
            .expect("answers")
            .is_none()
    );
}

#[tokio::test]
async fn a_stopped_server_is_gone() {
    let server = LocalServer::start().await.expect("starts");
    let client = server.client().expect("a client");
    server.stop().await.expect("stops");
    assert!(
        client
            .raw()
            .health_check()
            .await
            .expect_err("stopped")
            .is_connection()
    );
}

#[tokio::test]
async fn basic_authentication_is_enforced() {
    let server = LocalServer::builder()
        .basic_auth("admin:hunter2")
        .start()
        .await
        .expect("starts");
    server
        .client()
        .expect("a client")
        .concurrency_limits()
        .list()
        .await
        .expect("authorised");
    let stranger = Client::builder()
        .api_url(server.api_url())
        .build()
        .expect("a client");
    let error = stranger
        .concurrency_limits()
        .list()
        .await
        .expect_err("not authorised");
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(!format!("{server:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_taken_port_is_a_clear_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let error = LocalServer::builder()
        .port(port)
        .start()
        .await
        .expect_err("taken");
    assert_eq!(error.kind(), ErrorKind::LocalServer);
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn a_missing_interpreter_is_a_clear_error() {
    let error = LocalServer::builder()
        .python("/no/such/python")
        .start()
        .await
        .expect_err("missing");
    assert!(
        error.to_string().contains("/no/such/python is not there"),
        "{error}"
    );
}

#[tokio::test]
async fn an_interpreter_without_prefect_is_a_clear_error() {
    let folder = std::env::temp_dir().join(unique("bare-venv"));
    let made = Command::new("python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(&folder)
        .status();
    assert!(made.expect("python3 runs").success());
    let error = LocalServer::builder()
        .python(folder.join("bin/python"))
        .start()
        .await;
    std::fs::remove_dir_all(&folder).expect("removed");
    let error = error.expect_err("no Prefect").to_string();
    assert!(
        error.contains("has no Prefect: ModuleNotFoundError"),
        "{error}"
    );
}

#[tokio::test]
async fn two_servers_on_one_port_are_not_taken_for_each_other() {
    let server = LocalServer::start().await.expect("starts");
    let port = server
        .api_url()
        .split([':', '/'])
        .nth(4)
        .expect("a port")
        .parse()
        .expect("a number");
    let error = LocalServer::builder()
        .port(port)
        .start()
        .await
        .expect_err("taken");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn a_server_that_dies_shows_the_end_of_its_log() {
    let broken = LocalServer::builder().env("PREFECT_API_DATABASE_CONNECTION_URL", "nonsense://x");
    let error = broken.start().await.expect_err("no such database");
    let said = error.to_string();
    assert!(
        said.contains("the end of its log") && said.contains("nonsense"),
        "{said}"
    );
}

/// Prefect reads `.env` and `prefect.toml` of the folder it runs in, which may name a production
/// database: the server must not run in the program's folder.
#[tokio::test]
async fn the_files_of_the_programs_folder_do_not_reach_the_server() {
    let folder = std::env::temp_dir().join(unique("hostile"));
    std::fs::create_dir(&folder).expect("a folder");
    let hostile = "PREFECT_API_DATABASE_CONNECTION_URL=nonsense://production\n";
    std::fs::write(folder.join(".env"), hostile).expect("written");
    std::fs::write(folder.join("prefect.py"), "raise SystemExit('not Prefect')").expect("written");
    let program = started_in_another_process(&folder).await;
    std::fs::remove_dir_all(&folder).expect("removed");
    program
        .1
        .raw()
        .health_check()
        .await
        .expect("the server of the other program is up");
    end(program.0);
}

/// Starts this test binary again in a folder, to start a server; returns the process and a client of the
/// server.
async fn started_in_another_process(folder: &Path) -> (Child, Client) {
    let mut program = Command::new(std::env::current_exe().expect("this test binary"))
        .args([
            "--exact",
            "local_server::a_program_that_is_killed",
            "--nocapture",
        ])
        .env("PREFECT_SDK_TEST_KILLED", "1")
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let output = BufReader::new(program.stdout.take().expect("piped"));
    let url = output
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("http"));
    let client = Client::builder()
        .api_url(url.expect("a URL"))
        .build()
        .expect("a client");
    (program, client)
}

/// Kills the program with SIGKILL, so that none of its destructors and signal handlers run.
fn end(mut program: Child) {
    program.kill().expect("killed");
    program.wait().expect("ended");
}

/// Not a test by itself: `a_killed_program_takes_its_server_with_it` runs it in another process.
#[tokio::test]
async fn a_program_that_is_killed() {
    if std::env::var_os("PREFECT_SDK_TEST_KILLED").is_some() {
        let server = LocalServer::start().await.expect("starts");
        println!("\n{}", server.api_url());
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn a_killed_program_takes_its_server_with_it() {
    let (program, client) = started_in_another_process(&std::env::temp_dir()).await;
    client
        .raw()
        .health_check()
        .await
        .expect("the server of the other program is up");
    end(program);
    let deadline = Instant::now() + Duration::from_secs(20);
    while client.raw().health_check().await.is_ok() {
        assert!(
            Instant::now() < deadline,
            "the server keeps running without its program"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The whole life of a limit, whose implementation changed with 3.4.19.
async fn a_limit_lives_on(version: &str) {
    let server = LocalServer::builder().version(version).start().await;
    let server = server.unwrap_or_else(|error| panic!("{version}: {error}"));
    let client = server.client().expect("a client");
    let said = client
        .raw()
        .read_version()
        .await
        .expect("answers")
        .into_inner();
    assert_eq!(said, version);

    let limits = client.concurrency_limits();
    assert_eq!(limits.create("db", 1).await.expect("created").tag, "db");
    limits
        .increment(["db"], Uuid::new_v4())
        .await
        .expect("free");
    let full = limits
        .increment(["db"], Uuid::new_v4())
        .await
        .expect_err("full");
    assert!(
        full.is_locked() && full.retry_after().is_some(),
        "{version}: {full}"
    );
    limits.reset_and_free("db").await.expect("freed");
    limits
        .increment(["db"], Uuid::new_v4())
        .await
        .expect("free again");
    assert_eq!(limits.list().await.expect("listed").len(), 1, "{version}");
    let id = limits.get_by_tag("db").await.expect("read").id;
    limits.delete(id).await.expect("deleted");
    assert!(limits.list().await.expect("listed").is_empty(), "{version}");
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn older_versions_of_prefect_start_and_keep_limits() {
    for version in ["3.0.11", "3.4.25", "3.6.29"] {
        a_limit_lives_on(version).await;
    }
}

#[tokio::test]
async fn the_api_may_have_another_path() {
    let server = LocalServer::builder().env("PREFECT_SERVER_API_BASE_PATH", "/custom-api");
    let server = server.start().await.expect("a server");
    assert!(server.api_url().ends_with("/custom-api"));
    let url = server.api_url().replace("/custom-api", "//custom-api/");
    let client = prefect_sdk::Client::builder().api_url(url).build();
    let diagnosis = client.expect("a client").doctor().await;
    assert!(diagnosis.is_good(), "{diagnosis}");
    server.stop().await.expect("it stops");
}
