//! `LocalServer`: a real Prefect server for tests and first steps; `LocalCluster`: several of them.
//!
//! ```no_run
//! # async fn example() -> prefect_sdk::Result<()> {
//! use prefect_sdk::LocalServer;
//!
//! let server = LocalServer::start().await?;
//! println!("Prefect answers at {}", server.api_url());
//! server.stop().await?;
//! # Ok(())
//! # }
//! ```

mod cluster;
mod install;
mod launch;
mod options;
mod postgres;
mod process;
mod programs;
mod requirements;
mod server;
mod task;
mod template;

pub use cluster::{LocalCluster, LocalClusterBuilder};
pub use options::LocalServerBuilder;
pub use server::LocalServer;
