//! Deployment schedules: updating one without losing the fields that are not set.

use uuid::Uuid;

use super::generated::DeploymentSchedules;
use crate::error::Result;
use crate::types::DeploymentScheduleUpdate;

impl DeploymentSchedules<'_> {
    /// Updates a schedule: `PATCH /deployments/{id}/schedules/{schedule_id}`. Fields that are not set stay as
    /// they are; null counts as not set.
    ///
    /// The server would remove parameters that are not set. So, in that case, the parameters of the schedule
    /// are read first, and sent along: `GET /deployments/{id}/schedules`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such deployment or schedule, or any
    /// [call error](crate::Error#call-errors).
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
