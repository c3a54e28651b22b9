//! Lists of any length: nothing is left out, and nothing is read that nobody wants.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prefect_sdk::types::*;
use prefect_sdk::{Automation, Client, LocalServer, actions, event};
use serde_json::json;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::support::{Scripted, Step, flow, live, reply, unique};

/// A server for what other tests would find in their way.
async fn own_server() -> Client {
    static SERVER: OnceCell<LocalServer> = OnceCell::const_new();
    let server = SERVER.get_or_init(|| async { LocalServer::start().await.expect("a server") });
    server.await.client().expect("a client")
}

/// More than two pages.
const MANY: usize = 450;

fn assert_all(names: impl IntoIterator<Item = String>) {
    let names: Vec<_> = names
        .into_iter()
        .filter(|name| name.starts_with("many-"))
        .collect();
    let different: BTreeSet<_> = names.iter().collect();
    assert_eq!((names.len(), different.len()), (MANY, MANY));
}

fn name(number: usize) -> String {
    format!("many-{number:03}")
}

/// Prefect's own client stops at 200.
#[tokio::test]
async fn all_of_450_flows_are_listed() {
    let client = own_server().await;
    for number in 0..MANY {
        client
            .flows()
            .create(&FlowCreate::new(name(number)))
            .await
            .expect("created");
    }
    let flows = client.flows().list().await.expect("listed");
    assert_all(flows.into_iter().map(|flow| flow.name));
    assert_eq!(
        client
            .flows()
            .count()
            .name_like("many-")
            .await
            .expect("counted"),
        450
    );

    let mut sizes = Vec::new();
    let mut pages = client
        .flows()
        .list()
        .name_like("many-")
        .pager()
        .into_pages();
    while let Some(page) = pages.next().await {
        sizes.push(page.expect("a page").len());
    }
    assert_eq!(sizes, [100, 100, 100, 100, 50]);

    let mut by_number = client
        .flows()
        .paginate()
        .name_like("many-")
        .limit(100)
        .pager();
    let mut found = 0;
    while let Some(flow) = by_number.next().await {
        assert!(flow.expect("a flow").name.starts_with("many-"));
        found += 1;
    }
    assert_eq!(found, MANY);
}

#[tokio::test]
async fn all_of_450_limits_are_listed() {
    let client = own_server().await;
    for number in 0..MANY {
        client
            .concurrency_limits()
            .create(&name(number), 1)
            .await
            .expect("created");
    }
    let tags = client.concurrency_limits().list().await.expect("listed");
    assert_all(tags.into_iter().map(|limit| limit.tag));
    let all = client
        .global_concurrency_limits()
        .list()
        .await
        .expect("listed");
    let names = all
        .iter()
        .filter_map(|limit| limit.name.strip_prefix("tag:"));
    assert_all(names.map(str::to_owned));
}

#[tokio::test]
async fn all_of_450_automations_are_listed_and_the_201st_is_found_by_name() {
    let client = own_server().await;
    for number in 0..MANY {
        let automation = Automation::named(name(number))
            .when(event("never"))
            .then(actions::do_nothing())
            .build()
            .expect("an automation");
        client
            .automations()
            .create(&automation)
            .await
            .expect("created");
    }
    let automations = client.automations().list().sort(AutomationSort::NameAsc);
    let names: Vec<_> = automations
        .await
        .expect("listed")
        .into_iter()
        .map(|found| found.name)
        .collect();
    let number_201 = client
        .automations()
        .get_by_name(&names[200])
        .await
        .expect("found");
    assert_eq!(number_201.name, names[200]);
    assert_all(names);
    let nobody = client
        .automations()
        .get_by_name("nobody")
        .await
        .expect_err("none");
    assert!(nobody.is_not_found());
}

#[tokio::test]
async fn all_of_450_work_pools_are_listed() {
    let client = own_server().await;
    for number in 0..MANY {
        let pool = WorkPoolCreate::new(name(number)).type_("process");
        client.work_pools().create(&pool).await.expect("created");
    }
    let pools = client.work_pools().list().await.expect("listed");
    assert_all(pools.into_iter().map(|pool| pool.name));
}

/// Prefect's own client asks for 100 events at a time, which every server refuses.
#[tokio::test]
async fn events_are_read_page_by_page_as_the_server_links_them() {
    let client = live().await;
    let kind = unique("listing");
    let resource: Resource =
        serde_json::from_value(json!({ "prefect.resource.id": kind })).expect("a resource");
    let event = |_| {
        Event::new(
            chrono::Utc::now(),
            kind.as_str(),
            resource.clone(),
            Uuid::new_v4(),
        )
    };
    client
        .events()
        .create((0..120).map(event).collect())
        .await
        .expect("recorded");
    let mut ids = BTreeSet::new();
    for _ in 0..100 {
        let events = client
            .events()
            .list()
            .name(kind.as_str())
            .await
            .expect("listed");
        let count = events.len();
        ids = events.into_iter().map(|event| event.id).collect();
        assert_eq!(ids.len(), count, "each once");
        if count == 120 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(ids.len(), 120);
}

/// A server may be set to fewer items at a time than are asked for.
#[tokio::test]
async fn a_server_that_allows_fewer_items_is_asked_for_those() {
    let server = LocalServer::builder().env("PREFECT_SERVER_API_DEFAULT_LIMIT", "7");
    let server = server.start().await.expect("a server");
    let client = server.client().expect("a client");
    for number in 0..20 {
        client
            .flows()
            .create(&FlowCreate::new(name(number)))
            .await
            .expect("created");
    }
    for page_size in [3, 7, 8, 100] {
        let flows = client
            .flows()
            .list()
            .page_size(page_size)
            .await
            .expect("listed");
        assert_eq!(flows.len(), 20, "pages of {page_size}");
    }
    let pager = client.flows().list().pager();
    assert_eq!(
        pager.try_collect_at_most(10).await.expect("listed").len(),
        10
    );
    server.stop().await.expect("it stops");
}

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
    for _ in 0..100 {
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
    assert_eq!(server.requests().len(), 2);
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

/// A reply that came while nobody polled is not counted as late.
#[tokio::test]
async fn who_takes_long_over_a_page_gets_the_next_one_all_the_same() {
    let server = Scripted::start([
        flows(0..1),
        flows(1..2),
        flows(1..2),
        flows(2..2),
        flows(2..2),
    ])
    .await;
    let failures = Arc::new(AtomicUsize::new(0));
    let seen = failures.clone();
    let client = server
        .builder()
        .timeout(Duration::from_millis(200))
        .observer(move |attempt| {
            seen.fetch_add(usize::from(attempt.error().is_some()), Ordering::Relaxed);
        })
        .build()
        .expect("a client");
    let mut pages = client.flows().list().pager().into_pages();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        names.extend(page.expect("a page").into_iter().map(|flow| flow.name));
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert_eq!(names, [name(0), name(1)]);
    assert_eq!(failures.load(Ordering::Relaxed), 0);
}

/// What the API's own clients and the UI cannot find: a name is what it is, or is refused.
#[tokio::test]
async fn names_with_special_characters_work_or_are_refused() {
    let client = live().await;
    let prefix = unique("name");
    for special in ["#", "?", "é", "空", " ", "\\", ":", "+", "'", "\"", "|"] {
        let name = format!("{prefix}{special}x");
        let made = client
            .flows()
            .create(&FlowCreate::new(name.as_str()))
            .await
            .expect(special);
        let found = client.flows().get_by_name(&name).await.expect(special);
        assert_eq!((found.id, found.name), (made.id, name.clone()), "{special}");
        let pool = WorkPoolCreate::new(name.as_str()).type_("process");
        client.work_pools().create(&pool).await.expect(special);
        let queue = WorkQueueCreate::new(name.as_str());
        let queues = client.work_pools().queues(&name);
        queues.create(&queue).await.expect(special);
        assert_eq!(queues.get(&name).await.expect(special).name, name);
        client.work_pools().delete(&name).await.expect(special);
        assert!(
            client
                .work_pools()
                .get_opt(&name)
                .await
                .expect(special)
                .is_none()
        );
    }
    // These are the server's rules for flows and pools; its refusal names the character.
    for banned in ["/", "%", "&", "<", ">"] {
        let name = format!("{prefix}{banned}x");
        let refused = client.flows().create(&FlowCreate::new(name.as_str())).await;
        assert!(refused.expect_err(banned).is_validation(), "{banned}");
    }
    let refused = client
        .flows()
        .get_by_name("a/b")
        .await
        .expect_err("no route");
    assert!(
        refused.is_invalid_request() && refused.message().contains('/'),
        "{refused}"
    );
}

/// The order of requests is that of the calls: `Query` sends nothing by itself.
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
async fn the_words_of_a_query_become_the_filter_that_they_read_as() {
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
        .since(since)
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

/// What is inserted while a list is read, in an order in which it comes last, does no harm.
#[tokio::test]
async fn additions_at_the_end_of_the_order_neither_repeat_nor_hide_an_item() {
    let client = live().await;
    let prefix = unique("stable");
    let create = async |number: usize| {
        let flow = FlowCreate::new(format!("{prefix}-{number:03}"));
        client.flows().create(&flow).await.expect("created");
    };
    for number in 0..30 {
        create(number).await;
    }
    let names = Mutex::new(Vec::new());
    let query = client
        .flows()
        .list()
        .name_like(prefix.as_str())
        .sort(FlowSort::NameAsc)
        .page_size(5);
    let mut pager = query.pager();
    let mut next = 30;
    while let Some(flow) = pager.next().await {
        names
            .lock()
            .expect("names")
            .push(flow.expect("a flow").name);
        if next < 40 {
            create(next).await;
            next += 1;
        }
    }
    let names = names.into_inner().expect("names");
    let expected: Vec<_> = (0..40)
        .map(|number| format!("{prefix}-{number:03}"))
        .collect();
    assert_eq!(names, expected);
}
