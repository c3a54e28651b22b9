//! `LocalCluster`: several servers behind a balancer.

mod lifetime;
