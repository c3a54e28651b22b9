//! An update changes what it names and nothing else; null clears, and so does an empty list.
//!
//! Each test reads the object before and after with a bare HTTP GET, because the SDK's own types are under
//! test.

mod nulls;
mod work_and_blocks;

use std::collections::BTreeSet;

use prefect_sdk::Client;
use prefect_sdk::types::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{live, unique};

/// An object on the real server.
struct Watched {
    url: String,
    before: Value,
}

impl Watched {
    async fn at(client: &Client, path: String) -> Self {
        let url = format!("{}{path}", client.api_url());
        let before = bare_get(&url).await;
        Self { url, before }
    }

    /// The object now, and the keys whose values have changed since it was last read.
    async fn changes(&mut self) -> (Value, BTreeSet<String>) {
        let now = bare_get(&self.url).await;
        let (Value::Object(old), Value::Object(new)) = (&self.before, &now) else {
            panic!("{} is no object", self.url);
        };
        let keys = old
            .keys()
            .chain(new.keys())
            .filter(|key| old.get(*key) != new.get(*key));
        let changed = keys.cloned().collect();
        self.before = now.clone();
        (now, changed)
    }
}

async fn bare_get(url: &str) -> Value {
    // The SDK installs no provider of cryptography, and this reqwest, which has no TLS of its own, requires one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let reply = reqwest::get(url).await.expect("a reply");
    assert!(reply.status().is_success(), "{url}: {}", reply.status());
    reply.json().await.expect("JSON")
}

fn keys<const N: usize>(keys: [&str; N]) -> BTreeSet<String> {
    keys.map(str::to_owned).into()
}

async fn flow(client: &Client) -> Uuid {
    let flow = client
        .raw()
        .create_flow(&FlowCreate::new(unique("flow")))
        .await;
    flow.expect("a flow").id
}

async fn paused_deployment(client: &Client) -> Uuid {
    let deployment = DeploymentCreate::new(unique("deployment"), flow(client).await)
        .paused(true)
        .description("before")
        .tags(["one", "two"])
        .version("1")
        .parameters(json!({ "x": 1 }))
        .schedules([DeploymentScheduleCreate::new(CronSchedule::new("0 6 * * *")).active(false)]);
    client
        .raw()
        .create_deployment(&deployment)
        .await
        .expect("a deployment")
        .id
}

#[tokio::test]
async fn one_field_of_a_paused_deployment() {
    let client = live().await;
    let id = paused_deployment(&client).await;
    let mut watched = Watched::at(&client, format!("/deployments/{id}")).await;
    let update = async |update: DeploymentUpdate| {
        client
            .raw()
            .update_deployment(&id, &update)
            .await
            .expect("updated");
    };

    update(DeploymentUpdate::new().description("after")).await;
    let (now, changed) = watched.changes().await;
    assert_eq!(changed, keys(["description", "updated"]));
    assert_eq!(
        (&now["description"], &now["paused"]),
        (&json!("after"), &json!(true))
    );

    update(DeploymentUpdate::new().description(None)).await;
    let (now, changed) = watched.changes().await;
    assert_eq!(
        (changed, &now["description"]),
        (keys(["description", "updated"]), &Value::Null)
    );

    update(DeploymentUpdate::new().tags(NONE)).await;
    let (now, changed) = watched.changes().await;
    assert_eq!(
        (changed, &now["tags"]),
        (keys(["tags", "updated"]), &json!([]))
    );

    update(DeploymentUpdate::new()).await;
    assert_eq!(watched.changes().await.1, keys(["updated"]));
}

/// An empty list, which clears a list.
const NONE: [&str; 0] = [];

#[tokio::test]
async fn creating_a_deployment_again_leaves_alone_what_it_does_not_name() {
    let client = live().await;
    let id = paused_deployment(&client).await;
    let mut watched = Watched::at(&client, format!("/deployments/{id}")).await;
    let (name, flow) = (
        watched.before["name"].clone(),
        watched.before["flow_id"].clone(),
    );
    let flow: Uuid = flow.as_str().expect("text").parse().expect("an id");
    let again = DeploymentCreate::new(name.as_str().expect("text"), flow).description("after");
    client
        .raw()
        .create_deployment(&again)
        .await
        .expect("upserted");
    let (now, changed) = watched.changes().await;
    assert_eq!(
        (&now["paused"], &now["tags"]),
        (&json!(true), &json!(["one", "two"])),
        "{changed:?}"
    );
    assert_eq!(now["description"], "after");
}

#[tokio::test]
async fn one_field_of_a_schedule() {
    let client = live().await;
    let id = paused_deployment(&client).await;
    let mut watched = Watched::at(&client, format!("/deployments/{id}")).await;
    let schedule = |deployment: &Value| deployment["schedules"][0].clone();
    let before = schedule(&watched.before);
    let schedule_id = before["id"].as_str().expect("text").parse().expect("an id");
    let update = async |update: DeploymentScheduleUpdate| {
        client
            .raw()
            .update_deployment_schedule(&id, &schedule_id, &update)
            .await
            .expect("updated");
    };

    update(DeploymentScheduleUpdate::new().max_scheduled_runs(3)).await;
    let now = schedule(&watched.changes().await.0);
    assert_eq!(
        (&now["max_scheduled_runs"], &now["active"]),
        (&json!(3), &json!(false))
    );
    assert_eq!(now["schedule"], before["schedule"]);

    let interval = IntervalSchedule::new(3600);
    update(DeploymentScheduleUpdate::new().schedule(Schedule::from(interval))).await;
    let now = schedule(&watched.changes().await.0);
    assert_eq!(
        (&now["schedule"]["interval"], &now["max_scheduled_runs"]),
        (&json!(3600.0), &json!(3))
    );
}
