//! Defines a deployment that runs every morning, when a worker of its pool is there, and an automation that
//! runs a second one when it fails: `cargo run --features schedules --example define_deployment`.
//!
//! Running it again makes no second one; it replaces schedule and trigger. The server is the one that Prefect's own tools would take
//! (`PREFECT_API_URL`, the profile).

use std::time::Duration;

use prefect_sdk::types::{DeploymentCreate, FlowCreate, WorkPoolCreate};
use prefect_sdk::{Automation, Client, Result, Schedule, actions, event};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<()> {
    run(&Client::from_env()?).await
}

/// Defines all of it.
pub async fn run(client: &Client) -> Result<()> {
    let pool = WorkPoolCreate::new("batch").type_("process");
    client.work_pools().ensure(&pool).await?;
    let flow = client.flows().create(&FlowCreate::new("etl")).await?;
    let every_morning = Schedule::cron("0 6 * * mon-fri")?
        .timezone("Europe/Berlin")?
        .parameters(json!({ "full": false }))
        .slug("every-morning");
    let deployment = |name| {
        DeploymentCreate::new(name, flow.id)
            .entrypoint("flows/etl.py:etl")
            .path("/opt/flows")
            .work_pool_name("batch")
            .job_variables(json!({ "env": { "STAGE": "production" } }))
            .concurrency_limit(1)
            .tags(["etl"])
    };
    let nightly = deployment("nightly")
        .description("Loads what came in since yesterday.")
        .parameters(json!({ "full": true }))
        .schedules([every_morning]);
    let nightly = client.deployments().create(&nightly).await?;
    println!("deployment etl/{}: {}", nightly.name, nightly.id);

    let repair = client.deployments().create(&deployment("repair")).await?;
    let automation = Automation::named("repair etl")
        .description("Three failures in an hour start the repair.")
        .tag("etl")
        .when(
            event("prefect.flow-run.Failed")
                .related(
                    "prefect.resource.id",
                    format!("prefect.deployment.{}", nightly.id),
                )
                .threshold(3)
                .within(Duration::from_secs(3600)),
        )
        .then(actions::run_deployment(repair.id).parameters(json!({ "full": true })));
    // Names of automations are not unique, so that creating it twice would make two.
    let automations = client.automations();
    let id = match automations.get_by_name_opt("repair etl").await? {
        Some(found) => {
            automations
                .update(found.id, &automation.build_update()?)
                .await?;
            found.id
        }
        None => automations.create(&automation.build()?).await?.id,
    };
    println!("automation: {id}");
    for schedule in client.deployments().schedules(nightly.id).list().await? {
        println!("schedule: {:?}", schedule.schedule);
    }
    Ok(())
}
