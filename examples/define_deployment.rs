//! Defines a deployment that runs every morning, if its pool has a worker, and an automation that runs a
//! second deployment when the first one fails:
//! `cargo run --features schedules --example define_deployment`.
//!
//! Running it again creates nothing twice; it replaces the schedule and the trigger. It uses the same server
//! as Prefect's own tools (`PREFECT_API_URL`, or the profile).

use std::time::Duration;

use prefect_sdk::types::{DeploymentCreate, FlowCreate, WorkPoolCreate};
use prefect_sdk::{
    Client, Result,
    automations::{Automation, actions, event},
    deployments::Schedule,
};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<()> {
    run(&Client::from_env()?).await
}

/// Defines the work pool, the flow, both deployments and the automation.
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
    // Names of automations are not unique, so creating it twice would make two.
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
