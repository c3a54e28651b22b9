//! `Logs`: the log lines of runs; and with the feature `logs`, a layer of `tracing` that sends one's own.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! let lines = client.logs().list().level_at_least(40).at_most(20).await?;
//! println!("{} errors", lines.len());
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "logs")]
mod layer;
#[cfg(feature = "logs")]
mod line;
#[cfg(feature = "logs")]
mod queue;
#[cfg(feature = "logs")]
mod shipper;

#[cfg(all(feature = "logs", feature = "flows"))]
pub(crate) use layer::scope;
#[cfg(feature = "logs")]
pub use layer::{LogLayer, MissingRun, layer};
#[cfg(all(feature = "logs", feature = "flows"))]
pub(crate) use shipper::drain;
#[cfg(feature = "logs")]
pub use shipper::flush;

pub use crate::resources::logs::Logs;
