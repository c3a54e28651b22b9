#![doc = include_str!("../README.md")]

mod api_url;
mod builder;
mod client;
mod clock;
mod concurrency_limits;
mod config;
mod error;
mod file;
#[cfg(feature = "local-server")]
mod local_server;
pub mod raw;
mod retry;
mod settings;
mod transport;
pub mod types;

pub use builder::ClientBuilder;
pub use client::Client;
pub use clock::Clock;
pub use concurrency_limits::ConcurrencyLimits;
pub use error::{Error, ErrorKind, Result, ValidationIssue};
#[cfg(feature = "local-server")]
pub use local_server::{LocalServer, LocalServerBuilder};
/// The HTTP client inside; its `Method`, `StatusCode`, `Url` and `Request` are in this API.
pub use reqwest;
pub use retry::RetryPolicy;
pub use settings::{Origin, ServerType, Settings, Sources};
pub use transport::{Attempt, Intercepted, Interceptor};
