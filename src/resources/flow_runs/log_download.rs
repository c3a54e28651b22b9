//! The logs of a flow run as a file.

use uuid::Uuid;

use super::generated::FlowRuns;
use crate::error::Result;
use crate::raw::ByteStream;

impl FlowRuns<'_> {
    /// Downloads the logs of a run and its task runs as a CSV file: `GET /flow_runs/{id}/logs/download`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let mut logs = client.flow_runs().download_logs(id).await?;
    /// while let Some(part) = logs.next().await {
    ///     print!("{}", String::from_utf8_lossy(&part?));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn download_logs(self, id: Uuid) -> Result<ByteStream> {
        let reply = self.client.raw().download_logs(&id).await?;
        Ok(reply.into_inner())
    }
}
