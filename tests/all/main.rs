//! The test suite, one binary: linking many would cost more than running them.

mod concurrency_limits;
mod errors;
mod local_server;
mod support;
mod transport;
mod types;
mod updates;
