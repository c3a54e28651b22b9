//! Flow-run inputs: reading one.

use super::FlowRunInputs;
use crate::download::Download;
use crate::error::{Error, ErrorKind, Result, found};

impl FlowRunInputs<'_> {
    /// The value of an input, JSON as a rule: `GET /flow_runs/{id}/input/{key}`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is none;
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a key that no URL can hold;
    /// [`Decode`](crate::ErrorKind::Decode) when it is no text; those of any call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, flow_run_id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let answer = client.flow_runs().inputs(flow_run_id).get("answer").await?;
    /// println!("{answer}");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get(self, key: &str) -> Result<String> {
        let raw = self.client.raw();
        let reply = raw.read_flow_run_input(&self.flow_run_id, key).await?;
        let download = Download::new(reply.into_inner(), "read_flow_run_input");
        String::from_utf8(download.try_collect().await?).map_err(|error| {
            let message = "the value of the input is no text";
            Error::new(ErrorKind::Decode, message).caused_by(error)
        })
    }

    /// As [`get`](Self::get), but `None` when there is none: `GET /flow_runs/{id}/input/{key}`.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), but for [`NotFound`](crate::ErrorKind::NotFound).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, flow_run_id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// if client.flow_runs().inputs(flow_run_id).get_opt("answer").await?.is_none() {
    ///     println!("still waiting");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_opt(self, key: &str) -> Result<Option<String>> {
        found(self.get(key).await)
    }
}
