//! `LocalCluster`: several servers behind a balancer, and what is different there.

mod faults;
mod lifetime;
mod part;
mod shared;

use prefect_sdk::local_server::LocalCluster;
use prefect_sdk::{Client, ClientBuilder};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::support::BUSY_TIMEOUT;

/// One cluster, which requires CSRF tokens, for all tests of this folder. One test has it at a time, because some of
/// them kill its parts. It ends with this program.
async fn cluster() -> MutexGuard<'static, LocalCluster> {
    static CLUSTER: OnceCell<Mutex<LocalCluster>> = OnceCell::const_new();
    let start = || async {
        let cluster = LocalCluster::builder().csrf(true).start().await;
        Mutex::new(cluster.expect("a cluster"))
    };
    let mut cluster = CLUSTER.get_or_init(start).await.lock().await;
    // A test that has failed may have left one of them dead.
    for server in 0..3 {
        cluster.start_server(server).await.expect("started");
    }
    cluster
}

/// The builder of a client that goes through the balancer.
fn balanced(cluster: &LocalCluster) -> ClientBuilder {
    cluster.client_builder().timeout(BUSY_TIMEOUT)
}

/// A client of each server, past the balancer.
fn each(cluster: &LocalCluster) -> [Client; 3] {
    let clients = cluster.server_urls().into_iter().map(|url| {
        let builder = balanced(cluster).api_url(url);
        builder.build().expect("a client")
    });
    let clients: Vec<_> = clients.collect();
    clients.try_into().expect("three servers")
}
