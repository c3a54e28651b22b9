//! The test suite, which mirrors `src/`. It is one binary, because linking many would cost more than
//! running them.

mod client;
mod cluster;
mod coverage;
mod error;
mod examples;
mod flow;
mod local_server;
mod query;
mod reliability;
mod resources;
mod serve;
mod settings;
mod support;
mod testing;
mod transport;
mod types;
mod worker;
