//! The server itself: its health, readiness and version.

use reqwest::StatusCode;

use super::client::Client;
use crate::error::Result;
use crate::retry::RetryPolicy;

impl Client {
    /// Whether the server is up: `GET /health`, once, without retries. It needs no credentials. If the server
    /// is down, the result is an error that says why, and not `false`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors), such as [`Connection`](crate::ErrorKind::Connection) when
    /// nothing answers.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// if client.health().await? {
    ///     println!("it is there");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn health(&self) -> Result<bool> {
        let once = self.with_retry(RetryPolicy::none());
        Ok(once.raw().health_check().await?.into_inner())
    }

    /// Whether the server can reach its database: `GET /ready`, once, without retries. It needs no
    /// credentials.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors) except a 503, which is `false`; for example
    /// [`Connection`](crate::ErrorKind::Connection) when nothing answers.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// // The server may not be listening yet.
    /// while !client.ready().await.unwrap_or(false) {
    ///     tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ready(&self) -> Result<bool> {
        let once = self.with_retry(RetryPolicy::none());
        match once.raw().perform_readiness_check().await {
            Ok(_) => Ok(true),
            Err(error) if error.status() == Some(StatusCode::SERVICE_UNAVAILABLE) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the version of Prefect that the server runs, such as `3.8.8`: `GET /admin/version`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// println!("Prefect {}", client.version().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn version(&self) -> Result<String> {
        Ok(self.raw().read_version().await?.into_inner())
    }
}
