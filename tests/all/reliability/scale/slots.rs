//! Many guards at once.

use super::{LONG, Requests};
use crate::support::{Scripted, StoppedClock, reply};

use serde_json::json;
use uuid::Uuid;

/// Before, each of them opened a connection.
#[tokio::test]
async fn a_thousand_guards_that_are_dropped_share_a_few_connections() {
    const GUARDS: usize = 1000;
    let limits = json!([{"id": Uuid::new_v4(), "name": "a", "limit": GUARDS}]);
    let granted = json!({"lease_id": Uuid::new_v4(), "limits": limits});
    let server = Scripted::start([reply(200, granted)]).await;
    // However long the acquisitions take, no lease is due to be renewed.
    let (requests, builder) = Requests::of(server.builder().clock(StoppedClock::default()));
    let client = builder.build().expect("a client");
    let mut guards = Vec::new();
    for _ in 0..GUARDS {
        guards.push(client.concurrency("a").acquire().await.expect("granted"));
    }
    let before: std::collections::HashSet<_> = server.connections().into_iter().collect();
    drop(guards);
    client.shutdown(LONG).await.expect("given back");
    let after: std::collections::HashSet<_> = server.connections().into_iter().collect();
    requests.print("1,000 guards");
    assert_eq!(requests.count(), 2 * GUARDS);
    let opened = after.difference(&before).count();
    println!("{opened} connections for 1,000 guards that are dropped");
    // At most 16 at once; a request may come just before a connection is back in the pool.
    assert!(opened <= 64, "{opened}");
}
