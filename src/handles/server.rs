//! The server itself: is it there, is it ready, which version is it.

use reqwest::StatusCode;

use crate::client::Client;
use crate::error::Result;
use crate::retry::RetryPolicy;

impl Client {
    /// Whether the server is up: `GET /health`, once, without retries. It needs no credentials. A server
    /// that is not up does not say `false`: the error says why.
    ///
    /// # Errors
    ///
    /// Those of any call, as [`Connection`](crate::ErrorKind::Connection) when nobody answers.
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
    /// Those of any call but 503, as [`Connection`](crate::ErrorKind::Connection) when nobody answers.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// // It may not even listen yet.
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

    /// The version of Prefect that the server runs, as `3.8.8`: `GET /admin/version`.
    ///
    /// # Errors
    ///
    /// Those of any call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// println!("Prefect {}", client.version().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn version(&self) -> Result<String> {
        self.admin().version().await
    }
}
