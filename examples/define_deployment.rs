//! Defines a deployment that runs every morning, if its pool has a worker, and an automation that runs a
//! second deployment when the first one fails:
//! `cargo run --features schedules --example define_deployment`.
//!
//! It prints each plan first; running it again changes nothing. It uses the same server as Prefect's own tools
//! (`PREFECT_API_URL`, or the profile).

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
    let changes = run(&Client::from_env()?).await?;
    println!("{changes} changes");
    Ok(())
}

/// Defines the work pool, the flow, both deployments and the automation, and returns how much has changed.
pub async fn run(client: &Client) -> Result<usize> {
    let pool = WorkPoolCreate::new("batch").type_("process");
    let pool = client.work_pools().ensure(&pool).await?;
    let flow = client.flows().ensure(&FlowCreate::new("etl")).await?;
    let mut changes = usize::from(pool.is_changed()) + usize::from(flow.is_changed());
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
    let deployments = client.deployments();
    println!("{}", deployments.plan(&nightly).await?);
    let nightly = deployments.ensure(&nightly).await?;
    let repair = deployments.ensure(&deployment("repair")).await?;
    changes += usize::from(nightly.is_changed()) + usize::from(repair.is_changed());

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
        .then(actions::run_deployment(repair.id).parameters(json!({ "full": true })))
        .build()?;
    let automations = client.automations();
    println!("{}", automations.plan(&automation).await?);
    changes += usize::from(automations.ensure(&automation).await?.is_changed());
    for schedule in client.deployments().schedules(nightly.id).list().await? {
        println!("schedule: {:?}", schedule.schedule);
    }
    Ok(changes)
}
