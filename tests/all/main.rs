//! The test suite, one binary: linking many would cost more than running them.

mod bulk;
mod concurrency_limits;
mod connection;
mod coverage;
mod csrf;
mod definitions;
mod doctor;
mod ensure;
mod errors;
mod examples;
mod faults;
mod handles;
mod listing;
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
