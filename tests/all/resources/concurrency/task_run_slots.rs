//! Slots of tag limits, held for task runs.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::held;
use crate::support::{answering, live, unique};

#[tokio::test]
async fn a_slot_is_held_for_a_task_run_and_given_back() {
    let client = live().await;
    let (limits, tag) = (client.concurrency_limits(), unique("tag"));
    limits.create(&tag, 1).await.expect("created");
    let (task_run, other) = (Uuid::new_v4(), Uuid::new_v4());
    let slot = limits
        .for_task_run(task_run, [&tag, "no-such-tag"])
        .acquire()
        .await;
    let slot = slot.expect("free");
    let holders = limits.get_by_tag(&tag).await.expect("there").active_slots;
    assert_eq!(holders.as_deref(), Some([task_run].as_slice()));
    let refused = limits.for_task_run(other, &tag).try_acquire().await;
    assert!(refused.expect("answered").is_none());
    let refused = limits.increment([&tag], other).await.expect_err("full");
    assert!(
        refused.is_locked() && !refused.is_permanently_locked(),
        "{refused}"
    );

    slot.release().await.expect("given back");
    assert_eq!(held(&client, &format!("tag:{tag}")).await, 0);
    // Anybody can give the slot back by its task run.
    let slot = limits
        .for_task_run(other, &tag)
        .acquire()
        .await
        .expect("free");
    limits.decrement([&tag], other).await.expect("given back");
    assert_eq!(held(&client, &format!("tag:{tag}")).await, 0);
    slot.release()
        .await
        .expect("and again, which changes nothing");
    assert_eq!(held(&client, &format!("tag:{tag}")).await, 0);
}

#[tokio::test]
async fn a_limit_of_none_is_not_waited_for() {
    let client = live().await;
    let (limits, tag) = (client.concurrency_limits(), unique("closed"));
    limits.create(&tag, 0).await.expect("created");
    let error = limits.for_task_run(Uuid::new_v4(), &tag).acquire().await;
    assert!(error.expect_err("never").is_permanently_locked());
    let error = limits
        .increment([&tag], Uuid::new_v4())
        .await
        .expect_err("never");
    assert!(
        error.is_locked() && error.is_permanently_locked(),
        "{error}"
    );
    assert!(
        error.to_string().contains("is 0 and will deadlock"),
        "{error}"
    );
}

/// Prefect's own client waits for ever for a tag whose limit is 0.
#[tokio::test]
async fn a_423_without_a_time_ends_the_waiting() {
    let locked = wiremock::ResponseTemplate::new(423).set_body_json(json!({"detail": "it is 0"}));
    let (client, server) = answering(locked).await;
    let waiter = client.concurrency("a").timeout(Duration::from_secs(60));
    let error = waiter.acquire().await.expect_err("never");
    assert!(
        error.is_permanently_locked() && error.message() == "it is 0",
        "{error}"
    );
    assert!(
        waiter
            .try_acquire()
            .await
            .expect_err("never")
            .is_permanently_locked()
    );
    assert_eq!(server.received_requests().await.expect("recorded").len(), 2);
}
