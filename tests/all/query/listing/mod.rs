//! Lists of any length: nothing is left out, and nothing is read in excess.

mod pages;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use prefect_sdk::types::*;
use prefect_sdk::{
    Client, LocalServer,
    automations::{Automation, actions, event},
};
use serde_json::json;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::support::{in_time, live, unique};

/// A server for objects that would get in the way of other tests.
async fn own_server() -> Client {
    static SERVER: OnceCell<LocalServer> = OnceCell::const_new();
    let server = SERVER.get_or_init(|| async { LocalServer::start().await.expect("a server") });
    server.await.client().expect("a client")
}

/// The number of objects that are created: more than two pages.
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
        .page_size(100)
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
        .create((0..120).map(event))
        .await
        .expect("recorded");
    // They are stored after the reply, and may have to wait for what others write.
    let stored = async {
        loop {
            let events = client.events().list().name(kind.as_str());
            let events = events.await.expect("listed");
            let count = events.len();
            let ids: BTreeSet<_> = events.into_iter().map(|event| event.id).collect();
            assert_eq!(ids.len(), count, "each once");
            if count >= 120 {
                return ids;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let ids = in_time("what is stored", stored).await;
    assert_eq!(ids.len(), 120);
}

/// A server may be configured to return fewer items at a time than are requested.
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
    assert_eq!(
        client
            .flows()
            .list()
            .at_most(10)
            .await
            .expect("listed")
            .len(),
        10
    );
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn no_page_size_makes_a_list_empty_or_endless() {
    let client = live().await;
    client
        .flows()
        .create(&FlowCreate::new(unique("size")))
        .await
        .expect("created");
    assert!(
        client
            .flows()
            .list()
            .page_size(0)
            .first()
            .await
            .expect("one")
            .is_some()
    );
    let events = client.events().list().page_size(0).at_most(3);
    let events = tokio::time::timeout(Duration::from_secs(60), events).await;
    events.expect("an end").expect("listed");
}

/// Prefect's own clients and the UI cannot find such names. Here a name works as it is, or is refused.
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

/// An item that is inserted while a list is read does no harm if it comes last in the order.
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
