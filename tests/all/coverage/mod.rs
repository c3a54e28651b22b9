//! Every operation of the API, through the resources, on real servers of six versions.

mod blocks;
mod flows;
mod limits;
mod rest;
mod runs;
mod tour;
mod unplaced;
mod work;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use prefect_sdk::LocalServer;
use serde_json::Value;

use tour::{Answers, Tour};

macro_rules! operations {
    ($($name:literal $upstream:literal $method:literal $path:literal ($($body:tt)*) ($($reply:tt)*),)*) => {
        /// Name, method and path of each operation.
        const OPERATIONS: &[(&str, &str, &str)] = &[$(($name, $method, $path)),*];
    };
}
macro_rules! schemas {
    ($($ignored:tt)*) => {};
}
include!(concat!(env!("OUT_DIR"), "/table.rs"));

/// The version whose document the SDK is generated from.
#[tokio::test]
async fn the_newest_server_answers_all_operations() {
    let answers = answers_of(env!("PREFECT_VERSION"), |_, _| true).await;
    let missing: Vec<_> = OPERATIONS
        .iter()
        .filter(|(name, ..)| !answers.succeeded.contains(*name))
        .collect();
    println!("{}", answers.table(OPERATIONS));
    assert!(missing.is_empty(), "without a 2xx: {missing:?}");
}

#[tokio::test]
async fn server_3_9_0_answers_all_that_it_has() {
    answers_what_it_has("3.9.0").await;
}

#[tokio::test]
async fn server_3_8_8_answers_all_that_it_has() {
    answers_what_it_has("3.8.8").await;
}

#[tokio::test]
async fn server_3_6_29_answers_all_that_it_has() {
    answers_what_it_has("3.6.29").await;
}

#[tokio::test]
async fn server_3_4_25_answers_all_that_it_has() {
    answers_what_it_has("3.4.25").await;
}

#[tokio::test]
async fn server_3_0_11_answers_all_that_it_has() {
    answers_what_it_has("3.0.11").await;
}

/// Asserts that all operations in the server's own document succeed and all others fail as unsupported.
async fn answers_what_it_has(version: &str) {
    let documented = documented(version);
    let has = |method: &str, path: &str| documented.contains(&(method.into(), path.into()));
    let answers = answers_of(version, has).await;
    println!("{}", answers.table(OPERATIONS));
    let mut wrong = Vec::new();
    for (name, method, path) in OPERATIONS {
        let has = has(method, path);
        let expected = if has {
            answers.succeeded.contains(*name)
        } else {
            answers.unsupported.contains(*name) && !answers.succeeded.contains(*name)
        };
        if !expected {
            wrong.push((
                name,
                if has {
                    "no 2xx"
                } else {
                    "not reported as unsupported"
                },
            ));
        }
    }
    assert!(wrong.is_empty(), "{version}: {wrong:?}");
}

/// What a server of this version answers. If an operation that it has was not answered 2xx, there is a
/// second tour on another server: a create can be answered 503, because the database is locked, and be
/// executed all the same. The client reconciles that and succeeds, but there was no 2xx.
async fn answers_of(version: &str, has: impl Fn(&str, &str) -> bool) -> Answers {
    let mut answers = tour_of(version).await;
    let is_missing = |(name, method, path): &&(&str, &str, &str)| {
        has(method, path) && !answers.succeeded.contains(name)
    };
    let missing: Vec<_> = OPERATIONS.iter().filter(is_missing).collect();
    if !missing.is_empty() {
        println!("{version}: a second tour, for {missing:?}");
        let again = tour_of(version).await;
        answers.succeeded.extend(again.succeeded);
        answers.unsupported.extend(again.unsupported);
    }
    answers
}

/// Makes every call on a server of its own. It requires CSRF tokens, so that this operation is called.
async fn tour_of(version: &str) -> Answers {
    let server = LocalServer::builder().version(version).csrf(true);
    let server = server.start().await.expect("a server");
    let tour = Tour::new(&server);
    flows::visit(&tour).await;
    runs::visit(&tour).await;
    work::visit(&tour).await;
    blocks::visit(&tour).await;
    limits::visit(&tour).await;
    rest::visit(&tour).await;
    unplaced::visit(&tour).await;
    let answers = tour.end();
    server.stop().await.expect("it stops");
    answers
}

/// Method and path of the operations in a version's own document.
fn documented(version: &str) -> BTreeSet<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/documents/prefect-{version}.json.gz"));
    let file = std::fs::File::open(path).expect("a document");
    let mut text = String::new();
    let mut unpacked = flate2::read::GzDecoder::new(file);
    unpacked.read_to_string(&mut text).expect("gzipped text");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let path = path.strip_prefix("/api").unwrap_or(path);
        let methods = item.as_object().expect("a path item").keys();
        methods.map(move |method| (method.to_uppercase(), path.to_owned()))
    });
    operations.collect()
}
