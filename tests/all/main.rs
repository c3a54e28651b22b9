//! The test suite, one binary: linking many would cost more than running them.

mod concurrency_limits;
mod connection;
mod csrf;
mod errors;
mod faults;
mod local_server;
mod lost_replies;
mod observability;
mod resources;
mod retry;
mod secrets;
mod settings;
mod support;
mod transport;
mod types;
mod uncertain;
mod updates;
mod version;
