//! Automations: by name, and on or off.

use uuid::Uuid;

use super::Automations;
use crate::error::{Error, ErrorKind, Result};
use crate::query::{Pending, Query, Question};
use crate::types::{
    Automation, AutomationPartialUpdate, CountAutomationsRequest, ReadAutomationsRequest,
};

impl Automations<'_> {
    /// The automation with this name, of several the first in the server's order:
    /// `POST /automations/filter`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is none; those of any call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let automation = client.automations().get_by_name("tell").await?;
    /// println!("{:?}", automation.enabled);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_by_name(self, name: &str) -> Result<Automation> {
        let found = self.get_by_name_opt(name).await?;
        found.ok_or_else(|| {
            let message = format!("there is no automation named {name:?}");
            Error::new(ErrorKind::NotFound, message).of("read_automations")
        })
    }

    /// As [`get_by_name`](Self::get_by_name), but `None` when there is none:
    /// `POST /automations/filter`.
    ///
    /// # Errors
    ///
    /// Those of any call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// if client.automations().get_by_name_opt("tell").await?.is_none() {
    ///     println!("nobody is told");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_by_name_opt(self, name: &str) -> Result<Option<Automation>> {
        self.list().name(name).first().await
    }

    /// Switches an automation on or off: `PATCH /automations/{id}`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such automation; those of any call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// client.automations().set_enabled(id, false).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn set_enabled(self, id: Uuid, enabled: bool) -> Result<()> {
        let update = AutomationPartialUpdate::new().enabled(enabled);
        self.client
            .raw()
            .patch_automation(&id, &update)
            .await
            .map(drop)
    }
}

/// Servers before 3.8 take no filter here, and count all.
impl Question for CountAutomationsRequest {
    type Within = ();
    type Answer = i64;

    fn ask(query: Query<'_, Self>) -> Pending<'static, i64> {
        let Query {
            client, request, ..
        } = query;
        if request.automations.is_some() {
            let mut list = ReadAutomationsRequest::new();
            list.automations = request.automations;
            let found = Query::new(client, (), list).collect();
            return Box::pin(async move { Ok(found.await?.len() as i64) });
        }
        let raw = client.shared_raw();
        Box::pin(async move { Ok(raw.count_automations(&request).await?.into_inner()) })
    }
}
