//! Blocks: stored configuration, their types and schemas.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! #[derive(serde::Deserialize)]
//! struct Webhook {
//!     method: String,
//! }
//!
//! let webhook: Webhook = client.block_types().document("webhook", "alerts").await?;
//! println!("{}", webhook.method);
//! # Ok(())
//! # }
//! ```

generated!("blocks");

mod documents;
mod ensure;
mod schemas;

pub use generated::{BlockDocuments, BlockSchemas, BlockTypes};
