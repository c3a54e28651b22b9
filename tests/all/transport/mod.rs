//! Sending requests and reading replies.

mod ambiguous;
mod connection;
mod csrf;
mod observability;
mod requests;
mod retry;
mod runtimes;
mod unreached;
mod version;
