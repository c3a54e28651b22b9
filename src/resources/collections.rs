//! `Collections`: what Prefect's collection registry knows of integrations.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! let view = client.collections().view("aggregate-worker-metadata").await?;
//! println!("{view:?}");
//! # Ok(())
//! # }
//! ```

generated!("collections");

pub use generated::Collections;
