//! `Client`: the entry point, its builder, and the methods that concern the whole server.
//!
//! ```no_run
//! # async fn example() -> prefect_sdk::Result<()> {
//! use prefect_sdk::Client;
//!
//! let client = Client::from_env()?;
//! println!("Prefect {}", client.version().await?);
//! # Ok(())
//! # }
//! ```

mod background;
mod builder;
mod check;
#[allow(
    clippy::module_inception,
    reason = "the file holds the type that the module is named after"
)]
mod client;
mod doctor;
mod from_settings;
mod health;
#[cfg(feature = "rustls")]
mod pem;
mod services;

pub(crate) use background::Background;
pub use builder::ClientBuilder;
pub use client::Client;
pub use doctor::{Diagnosis, Finding, Verdict};
pub(crate) use services::{Service, Services};

pub use crate::runtime::Clock;
pub use crate::transport::{Attempt, Interceptor};
