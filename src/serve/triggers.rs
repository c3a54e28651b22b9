//! The triggers of a deployment, each an automation that starts a run of it.

use uuid::Uuid;

use crate::client::Client;
use crate::error::Result;
use crate::resources::automations::{Automation, actions};
use crate::types::Trigger;

/// Makes the triggers of a deployment as they are wanted, and deletes those that it had beyond them.
pub(super) async fn ensure(
    client: &Client,
    deployment_name: &str,
    deployment: Uuid,
    triggers: &[Trigger],
) -> Result<()> {
    let name = |number: usize| format!("{deployment_name}: trigger {number}");
    let automations = || client.automations();
    for (number, trigger) in (1..).zip(triggers) {
        let automation = Automation::named(name(number))
            .when(trigger.clone())
            .then(actions::run_deployment(deployment));
        let mut automation = automation.build()?;
        // It is deleted with the deployment.
        automation.owner_resource = format!("prefect.deployment.{deployment}").into();
        automations().ensure(&automation).await?;
    }
    for number in triggers.len() + 1.. {
        let Some(beyond) = automations().get_by_name_opt(&name(number)).await? else {
            return Ok(());
        };
        automations().delete(beyond.id).await?;
    }
    Ok(())
}
