//! The resources of the API, one folder or file each, and what holds for all of them.

mod concurrency;
mod definitions;
mod deployments;
mod ensure;
mod ensured;
pub mod events;
mod flow_runs;
mod handwritten;
mod missing;
mod send;
mod storable;
