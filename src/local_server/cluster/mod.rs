//! `LocalCluster`: several Prefect API servers behind a balancer, as in a large deployment.

mod balancer;
mod faults;
mod options;
mod redis;
mod running;

pub use options::LocalClusterBuilder;
pub use running::LocalCluster;
