//! `Admin`: the settings of the server itself.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! let settings = client.admin().settings().await?;
//! println!("{settings:?}");
//! # Ok(())
//! # }
//! ```

generated!("admin");

pub use generated::Admin;
