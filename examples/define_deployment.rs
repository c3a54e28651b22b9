//! Defines a deployment that runs every morning, and an automation that tells, and runs a second one,
//! when it fails: `cargo run --features schedules --example define_deployment`.
//!
//! Running it again changes nothing. The server is the one that Prefect's own tools would take
//! (`PREFECT_API_URL`, the profile).

use std::time::Duration;

use prefect_sdk::types::{DeploymentCreate, FlowCreate};
use prefect_sdk::{Automation, Client, Result, Schedule, actions, event};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<()> {
    run(&Client::from_env()?).await
}

/// Defines all of it.
pub async fn run(client: &Client) -> Result<()> {
    let flow = client.flows().create(&FlowCreate::new("etl")).await?;
    let every_morning = Schedule::cron("0 6 * * mon-fri")?
        .timezone("Europe/Berlin")?
        .parameters(json!({ "full": false }))
        .slug("every-morning");
    let nightly = DeploymentCreate::new("nightly", flow.id)
        .description("Loads what came in since yesterday.".to_owned())
        .entrypoint("flows/etl.py:etl".to_owned())
        .path("/opt/flows".to_owned())
        .parameters(json!({ "full": true }))
        .tags(["etl"])
        .schedules([every_morning]);
    let nightly = client.deployments().create(&nightly).await?;
    println!("deployment etl/{}: {}", nightly.name, nightly.id);

    let repair = DeploymentCreate::new("repair", flow.id).tags(["etl"]);
    let repair = client.deployments().create(&repair).await?;
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
