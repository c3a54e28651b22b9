//! Rate limits.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use prefect_sdk::Client;
use prefect_sdk::types::ConcurrencyLimitV2Create;
use serde_json::json;

use super::{a_limit, full};
use crate::support::{Scripted, Step, live, reply, unique};

/// Creates a limit whose slots decay, and returns its name.
async fn a_rate(client: &Client, slots: i64, per_second: f64) -> String {
    let limit =
        ConcurrencyLimitV2Create::new(unique("rate"), slots).slot_decay_per_second(per_second);
    let limit = client.global_concurrency_limits().create(&limit).await;
    limit.expect("a limit").name
}

#[tokio::test]
async fn so_many_at_once_and_then_so_many_a_second() {
    let client = live().await;
    let rate = a_rate(&client, 3, 2.0).await;
    let limit = client.rate_limit(&rate);
    let start = Instant::now();
    let mut times = Vec::new();
    for _ in 0..7 {
        limit.acquire().await.expect("granted");
        times.push(start.elapsed().as_secs_f64());
    }
    // The server counts in whole slots and whole intervals: 3 at once, then 2 a second.
    assert!(times[6] > 1.5, "{times:?}");
}

#[tokio::test]
async fn a_full_rate_refuses_try_acquire_and_times_out() {
    let client = live().await;
    let rate = a_rate(&client, 1, 0.01).await;
    let limit = client.rate_limit([&rate]);
    assert!(limit.try_acquire().await.expect("answered"));
    assert!(!limit.try_acquire().await.expect("answered"));
    let error = limit.timeout(Duration::from_millis(500)).acquire().await;
    assert!(error.expect_err("it takes 100 s").is_timeout());
}

#[tokio::test]
async fn limits_that_do_not_exist_or_do_not_decay_are_errors() {
    let client = live().await;
    let error = client.rate_limit(unique("missing")).acquire().await;
    assert!(error.expect_err("missing").is_not_found());
    client
        .rate_limit(unique("missing"))
        .lenient()
        .acquire()
        .await
        .expect("no limit");
    let limit = a_limit(&client, 1).await;
    let error = client
        .rate_limit(&limit)
        .acquire()
        .await
        .expect_err("no decay");
    assert!(
        error.is_validation() && error.is_permanently_locked(),
        "{error}"
    );
    assert!(error.to_string().contains("slot decay"), "{error}");
}

#[tokio::test]
async fn a_stream_goes_on_at_the_rate_and_loses_nothing() {
    let limits = json!([{"id": uuid::Uuid::new_v4(), "name": "api", "limit": 5}]);
    let granted = || reply(200, limits.clone());
    let refused = reply(403, json!({"detail": "no"}));
    let steps = [
        granted(),
        full("1"),
        granted(),
        refused,
        granted(),
        Step::Drop,
        granted(),
    ];
    let server = Scripted::start(steps).await;
    let client = server.client();
    let mut items = client.rate_limit("api").throttle(stream::iter(1..=4));
    let mut seen = Vec::new();
    while let Some(item) = items.next().await {
        seen.push(item.ok());
    }
    assert_eq!(seen, [Some(1), Some(2), None, Some(3), Some(4)]);
    // A slot whose grant was lost is wasted: it is requested again.
    assert_eq!(server.requests().len(), 7);
    let body: serde_json::Value = serde_json::from_slice(&server.requests()[0].body).expect("JSON");
    assert_eq!(
        body,
        json!({"slots": 1, "names": ["api"], "mode": "rate_limit"})
    );
}
