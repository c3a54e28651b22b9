//! Many events of an emitter, each of which must be confirmed and stored once.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono::Utc;
use prefect_sdk::Client;
use prefect_sdk::types::Event;
use uuid::Uuid;

use crate::cluster::{Cluster, SHUTDOWN_TIMEOUT};
use crate::figures::Figures;
use crate::support::{Findings, unique};

/// How long the servers may take to store what they have confirmed.
const STORE_TIMEOUT: Duration = Duration::from_secs(180);

/// How often it is looked for.
const LOOK_INTERVAL: Duration = Duration::from_secs(3);

/// Emits this many events.
pub async fn run(cluster: &Cluster, count: usize) -> Figures {
    let (client, requests) = cluster.client();
    let name = unique("load.event");
    let emitter = client.events().emitter().start().expect("an emitter");
    let begun = Instant::now();
    let mut ids = Vec::new();
    for number in 0..count {
        let id = Uuid::new_v4();
        let resource = [("prefect.resource.id".to_owned(), format!("load.{number}"))];
        let event = Event::new(Utc::now(), &name, resource, id);
        emitter.send(event).await.expect("queued");
        ids.push(id);
    }
    emitter.flush().await.expect("sent");
    let took = begun.elapsed();
    let stats = emitter.close().await;
    let mut findings = Findings::default();
    let confirmed = || format!("confirmed events: {stats:?}");
    findings.compare(confirmed, stats.confirmed as usize, [count, count]);

    let mut stored = HashMap::new();
    while stored.len() < count && begun.elapsed() < took + STORE_TIMEOUT {
        tokio::time::sleep(LOOK_INTERVAL).await;
        stored = find(&cluster.checker, &name).await;
    }
    let settled = begun.elapsed() - took;
    for id in ids {
        let found = stored.remove(&id).unwrap_or(0);
        findings.compare(|| format!("event {id}"), found, [1, 1]);
    }
    for id in stored.keys() {
        findings.compare(|| format!("event {id}, never emitted"), 1, [0, 0]);
    }
    let left = client.shutdown(SHUTDOWN_TIMEOUT).await;
    findings.leaked.extend(left.err().map(|it| it.to_string()));
    Figures {
        part: "events",
        count,
        took,
        requests: requests.load(Ordering::Relaxed),
        details: format!(
            "{} confirmed, all found {:.0} s later at most",
            stats.confirmed,
            settled.as_secs_f64()
        ),
        findings,
    }
}

/// How often each event of this name is listed.
async fn find(checker: &Client, name: &str) -> HashMap<Uuid, usize> {
    let mut found = HashMap::new();
    let mut events = checker.events().list().name(name).pager();
    while let Some(event) = events.next().await {
        *found.entry(event.expect("listed").id).or_default() += 1;
    }
    found
}
