//! Deployment schedules: changing one without losing what is not named.

use uuid::Uuid;

use super::DeploymentSchedules;
use crate::error::Result;
use crate::types::DeploymentScheduleUpdate;

impl DeploymentSchedules<'_> {
    /// Changes a schedule: `PATCH /deployments/{id}/schedules/{schedule_id}`. What is not named stays;
    /// null is as good as not named.
    ///
    /// The server would replace parameters that are not named by none. So, if they are not, those that
    /// the schedule has are read first, and sent along: `GET /deployments/{id}/schedules`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such deployment or schedule; those of any
    /// call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, deployment: uuid::Uuid, schedule: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::{CronSchedule, DeploymentScheduleUpdate, Schedule};
    ///
    /// let at_seven = Schedule::Cron(CronSchedule::new("0 7 * * *"));
    /// let at_seven = DeploymentScheduleUpdate::new().schedule(at_seven);
    /// client.deployments().schedules(deployment).update(schedule, &at_seven).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn update(self, schedule_id: Uuid, update: &DeploymentScheduleUpdate) -> Result<()> {
        let mut update = update.clone();
        if update.parameters.is_none() {
            let schedules = self.list().await?;
            let found = schedules.into_iter().find(|found| found.id == schedule_id);
            update.parameters = found.and_then(|found| found.parameters);
        }
        self.client
            .raw()
            .update_deployment_schedule(&self.deployment_id, &schedule_id, &update)
            .await
            .map(drop)
    }
}
