//! Automations: finding them by name, and switching them on or off.

use std::sync::Arc;

use futures_core::future::BoxFuture;
use uuid::Uuid;

use super::generated::Automations;
use crate::error::{Error, ErrorKind, Result};
use crate::query::{QueryRequest, pager};
use crate::raw;
use crate::types::{
    Automation, AutomationPartialUpdate, CountAutomationsRequest, ReadAutomationsRequest,
};

impl Automations<'_> {
    /// The automation with this name; if there are several, the first in the server's order:
    /// `POST /automations/filter`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is none, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let automation = client.automations().get_by_name("notify").await?;
    /// println!("{:?}", automation.enabled);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_by_name(self, name: &str) -> Result<Automation> {
        let found = self.get_by_name_opt(name).await?;
        found.ok_or_else(|| {
            let message = format!("there is no automation named {name:?}");
            Error::new(ErrorKind::NotFound, message).with_operation("read_automations")
        })
    }

    /// Like [`get_by_name`](Self::get_by_name), but returns `None` when there is none:
    /// `POST /automations/filter`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// if client.automations().get_by_name_opt("notify").await?.is_none() {
    ///     println!("nobody is notified");
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
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such automation, or any
    /// [call error](crate::Error#call-errors).
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

/// Servers before 3.8 accept no filter here, and count all automations; so with a filter, the automations are
/// listed and counted here.
impl QueryRequest for CountAutomationsRequest {
    type PathParams = ();
    type Output = i64;

    #[inline]
    fn send(
        self,
        raw: Arc<raw::Client>,
        (): (),
        _: Option<usize>,
    ) -> BoxFuture<'static, Result<i64>> {
        Box::pin(async move {
            if self.automations.is_none() {
                return Ok(raw.count_automations(&self).await?.into_inner());
            }
            let mut list = ReadAutomationsRequest::new();
            list.automations = self.automations;
            let found = pager(list, raw, (), None).try_collect().await?;
            Ok(found.len() as i64)
        })
    }
}
