//! Flow-run inputs: reading the value of an input.

use super::generated::FlowRunInputs;
use crate::error::{Error, ErrorKind, Result, none_if_missing};

impl FlowRunInputs<'_> {
    /// Reads the value of an input, which is usually JSON: `GET /flow_runs/{id}/input/{key}`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such input,
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a key that cannot be part of a URL,
    /// [`Decode`](crate::ErrorKind::Decode) when the value is not UTF-8 text, or any
    /// [call error](crate::Error#call-errors).
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
        let mut failures = 0;
        let value = loop {
            let reply = raw.read_flow_run_input(&self.flow_run_id, key).await?;
            match reply.into_inner().try_collect().await {
                Ok(value) => break value,
                // The reply broke off, after its retries were over.
                Err(error) => {
                    failures += 1;
                    if !raw.channel().wait_after(failures).await {
                        return Err(error);
                    }
                }
            }
        };
        String::from_utf8(value).map_err(|error| {
            let message = "the value of the input is not UTF-8 text";
            Error::new(ErrorKind::Decode, message).with_source(error)
        })
    }

    /// Like [`get`](Self::get), but returns `None` when there is no such input:
    /// `GET /flow_runs/{id}/input/{key}`.
    ///
    /// # Errors
    ///
    /// The errors of [`get`](Self::get), except [`NotFound`](crate::ErrorKind::NotFound).
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
        none_if_missing(self.get(key).await)
    }
}
