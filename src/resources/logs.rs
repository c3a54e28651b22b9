//! `Logs`: the log lines of runs.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! let lines = client.logs().list().level_at_least(40).at_most(20).await?;
//! println!("{} errors", lines.len());
//! # Ok(())
//! # }
//! ```

generated!("logs");

pub use generated::Logs;
