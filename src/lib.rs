#![doc = include_str!("../README.md")]

mod client;
mod concurrency_limits;
mod config;
mod error;
#[cfg(feature = "local-server")]
mod local_server;
pub mod raw;
mod retry;
mod transport;
pub mod types;

pub use client::Client;
pub use concurrency_limits::ConcurrencyLimits;
pub use config::ClientBuilder;
pub use error::{Error, ErrorKind, Result, ValidationIssue};
#[cfg(feature = "local-server")]
pub use local_server::{LocalServer, LocalServerBuilder};
