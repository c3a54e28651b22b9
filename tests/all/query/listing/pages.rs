//! Which pages are requested, and when.

use std::time::{Duration, Instant};

use prefect_sdk::RetryPolicy;
use prefect_sdk::types::*;
use serde_json::json;
use uuid::Uuid;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::name;
use crate::support::{BUSY_TIMEOUT, Scripted, Step, flow, plain, reply};

fn flows(numbers: std::ops::Range<usize>) -> Step {
    let flow = |number| json!({ "id": Uuid::from_u128(number as u128), "created": null, "updated": null, "name": name(number) });
    reply(200, json!(numbers.map(flow).collect::<Vec<_>>()))
}

fn offsets(server: &Scripted) -> Vec<serde_json::Value> {
    let requests = server.requests();
    let bodies = requests
        .iter()
        .map(|request| serde_json::from_slice(&request.body).expect("JSON"));
    bodies
        .map(|body: serde_json::Value| body["offset"].clone())
        .collect()
}

#[tokio::test]
async fn the_next_page_is_on_its_way_while_items_of_this_one_are_used() {
    let server = Scripted::start([flows(0..3), flows(3..5), flows(5..5)]).await;
    let mut pager = server.client().flows().list().pager();
    pager.next().await.expect("an item").expect("a flow");
    for _ in 0..1000 {
        if server.requests().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(offsets(&server), [0, 3], "one page ahead, and no more");
    let mut rest = 1;
    while let Some(flow) = pager.next().await {
        assert_eq!(flow.expect("a flow").name, name(rest));
        rest += 1;
    }
    assert_eq!(offsets(&server), [0, 3, 5]);
    assert_eq!(rest, 5);
    assert!(pager.next().await.is_none());
}

#[tokio::test]
async fn no_more_is_asked_for_than_is_wanted() {
    let server = Scripted::start([flows(0..3), flows(3..6), flows(6..9)]).await;
    let client = server.client();
    let found = client
        .flows()
        .list()
        .pager()
        .try_collect_at_most(4)
        .await
        .expect("some");
    assert_eq!(found.len(), 4);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let requests = server.requests();
    let bodies = requests
        .iter()
        .map(|request| serde_json::from_slice(&request.body));
    let bodies: Vec<serde_json::Value> = bodies.collect::<Result<_, _>>().expect("JSON");
    let expected = [
        json!({ "offset": 0, "limit": 4 }),
        json!({ "offset": 3, "limit": 1 }),
    ];
    assert_eq!(bodies, expected);
    let none = client
        .flows()
        .list()
        .pager()
        .try_collect_at_most(0)
        .await
        .expect("none");
    assert!(none.is_empty());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_pager_ends_after_an_error() {
    let server = Scripted::start([
        flows(0..2),
        reply(500, json!({ "exception_message": "no" })),
        flow(),
    ])
    .await;
    let mut pager = server.client().flows().list().pager();
    for _ in 0..2 {
        pager.next().await.expect("an item").expect("a flow");
    }
    let error = pager.next().await.expect("an end").expect_err("an error");
    assert_eq!(error.operation(), Some("read_flows"));
    assert!(pager.next().await.is_none());
    assert_eq!(server.requests().len(), 2);
}

/// A reply that arrives while the pager is not polled does not count as late.
#[tokio::test]
async fn a_slow_reader_of_a_page_still_gets_the_next_one() {
    let server = Scripted::start([flows(0..1), flows(1..2), flows(1..2), flows(2..2)]).await;
    let client = server
        .builder()
        .timeout(Duration::from_secs(2))
        .retry(RetryPolicy::none());
    let client = client.build().expect("a client");
    let mut pages = client.flows().list().pager().into_pages();
    let mut names = Vec::new();
    for _ in 0..2 {
        let page = pages.next().await.expect("a page").expect("in time");
        names.extend(page.into_iter().map(|flow| flow.name));
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    assert_eq!(names, [name(0), name(1)]);
}

/// A slow page is returned, or is a timeout; it is not requested again and again.
#[tokio::test]
async fn a_page_that_takes_most_of_the_timeout_is_taken_and_one_that_never_comes_is_a_timeout() {
    let server = MockServer::start().await;
    let page = ResponseTemplate::new(200).set_body_json(json!([]));
    let page = page.set_delay(Duration::from_millis(1500));
    Mock::given(any()).respond_with(page).mount(&server).await;
    let timeout = Duration::from_millis(2500);
    let client = plain(&format!("{}/api", server.uri()))
        .timeout(timeout)
        .retry(RetryPolicy::none())
        .build()
        .expect("a client");
    // On a slow machine the page may come too late, but not each time, and it is not given up before that.
    let mut asked = 0;
    loop {
        let begun = Instant::now();
        asked += 1;
        match client.flows().list().await {
            Ok(flows) => break assert!(flows.is_empty()),
            Err(error) => assert!(error.is_timeout() && begun.elapsed() >= timeout, "{error}"),
        }
        assert!(asked < 5, "no page is taken");
    }
    let requests = server.received_requests().await.expect("recorded");
    assert!(requests.len() <= asked);

    let server = Scripted::start([Step::Hang]).await;
    let client = server
        .builder()
        .timeout(Duration::from_millis(300))
        .retry(RetryPolicy::none());
    let client = client.build().expect("a client");
    let found = tokio::time::timeout(BUSY_TIMEOUT, client.flows().list()).await;
    assert!(found.expect("an end").expect_err("no reply").is_timeout());
    // On a slow machine the time may be over before the request has arrived.
    assert!(server.requests().len() <= 1);
}

/// With another page size, the third page would have other items.
#[tokio::test]
async fn pages_by_number_keep_their_size() {
    let page =
        |number| json!({ "results": [], "count": 0, "limit": 200, "pages": 9, "page": number });
    let server = Scripted::start([reply(200, page(3))]).await;
    let client = server.client();
    let query = || client.flows().paginate().page(3);
    query().first().await.expect("none");
    query().pager().try_collect_at_most(5).await.expect("none");
    query().await.expect("a page");
    query().page_size(20).await.expect("a page");
    query().page_size(20).first().await.expect("none");
    let requests = server.requests();
    let bodies = requests
        .iter()
        .map(|request| serde_json::from_slice(&request.body).expect("JSON"));
    let bodies: Vec<serde_json::Value> = bodies.collect();
    let plain = json!({ "page": 3 });
    let twenty = json!({ "page": 3, "limit": 20 });
    assert_eq!(
        bodies,
        [&plain, &plain, &plain, &twenty, &twenty].map(Clone::clone)
    );
}

/// A `Query` sends nothing until it is awaited.
#[tokio::test]
async fn a_query_that_is_not_awaited_sends_nothing() {
    let server = Scripted::start([flows(0..0)]).await;
    let client = server.client();
    let query = client.flows().list().name("etl").sort(FlowSort::NameAsc);
    let pager = query.clone().pager();
    drop(pager);
    assert_eq!(server.requests().len(), 0);
    query.await.expect("none");
    let body: serde_json::Value = serde_json::from_slice(&server.requests()[0].body).expect("JSON");
    assert_eq!(
        body,
        json!({ "flows": { "name": { "any_": ["etl"] } }, "sort": "NAME_ASC", "offset": 0 })
    );
}

#[tokio::test]
async fn the_methods_of_a_query_become_the_filter_that_they_name() {
    let server = Scripted::start([reply(200, json!([]))]).await;
    let client = server.client();
    let since = "2026-01-01T00:00:00Z"
        .parse::<chrono::DateTime<chrono::Utc>>()
        .expect("a time");
    let query = client
        .flow_runs()
        .list()
        .state(StateType::Failed)
        .state(StateType::Crashed)
        .tag("nightly")
        .expected_since(since)
        .deployment_name("etl")
        .name_like("x")
        .sort(FlowRunSort::StartTimeDesc);
    query.await.expect("none");
    let body: serde_json::Value = serde_json::from_slice(&server.requests()[0].body).expect("JSON");
    assert_eq!(
        body,
        json!({
            "flow_runs": {
                "state": { "type": { "any_": ["FAILED", "CRASHED"] } },
                "tags": { "all_": ["nightly"] },
                "expected_start_time": { "after_": "2026-01-01T00:00:00Z" },
                "name": { "like_": "x" },
            },
            "deployments": { "name": { "any_": ["etl"] } },
            "sort": "START_TIME_DESC",
            "offset": 0,
        })
    );
}

/// As a proxy or a mock that drops the body of a request: the list would never end, and fill the memory.
#[tokio::test]
async fn a_server_that_ignores_the_position_is_an_error_and_not_an_endless_list() {
    let server = Scripted::start([flows(0..3)]).await;
    let list = tokio::time::timeout(
        Duration::from_secs(60),
        server.client().flows().list().into_future(),
    );
    let error = list
        .await
        .expect("it ends")
        .expect_err("all pages are the same");
    assert!(
        error.to_string().contains("ignores the position"),
        "{error}"
    );
    assert_eq!(server.requests().len(), 2);

    let page = json!({ "count": 6, "limit": 3, "pages": 2, "page": 1,
                       "results": [{ "id": Uuid::nil(), "created": null, "updated": null, "name": "a" }] });
    let server = Scripted::start([reply(200, page)]).await;
    let pager = server.client().flows().paginate().pager();
    let list = tokio::time::timeout(Duration::from_secs(60), pager.try_collect());
    let error = list
        .await
        .expect("it ends")
        .expect_err("all pages are the same");
    assert!(
        error.to_string().contains("ignores the position"),
        "{error}"
    );
}
