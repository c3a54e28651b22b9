//! Tag-based concurrency limits on a real server.

use prefect_sdk::LocalServer;
use prefect_sdk::types::{
    ConcurrencyLimitCreate, ConcurrencyLimitV2Create, ReadConcurrencyLimitsRequest,
};
use uuid::Uuid;
use wiremock::ResponseTemplate;

use crate::support::{answering, live, unique};

#[tokio::test]
async fn the_first_create_is_201_the_second_200_and_both_succeed() {
    let client = live().await;
    let tag = unique("twice");
    let first = client
        .raw()
        .create_concurrency_limit(&ConcurrencyLimitCreate::new(&tag, 3))
        .await;
    assert_eq!(first.expect("created").status(), 201);
    let second = client
        .raw()
        .create_concurrency_limit(&ConcurrencyLimitCreate::new(&tag, 5))
        .await;
    assert_eq!(second.as_ref().expect("changed").status(), 200);
    assert_eq!(second.expect("changed").concurrency_limit, 5);
    let third = client
        .concurrency_limits()
        .create(&tag, 7)
        .await
        .expect("changed again");
    assert_eq!((third.tag, third.concurrency_limit), (tag, 7));
}

#[tokio::test]
async fn a_tag_with_a_hash_never_touches_the_tag_before_the_hash() {
    let client = live().await;
    let limits = client.concurrency_limits();
    let prod = unique("prod");
    let old = format!("{prod}#old");
    limits.create(&prod, 1).await.expect("created");
    limits.create(&old, 2).await.expect("created");
    assert_eq!(
        limits
            .get_by_tag(&old)
            .await
            .expect("is there")
            .concurrency_limit,
        2
    );
    limits.reset_and_free(&old).await.expect("reset");
    limits.delete_by_tag(&old).await.expect("deleted");
    assert!(
        limits
            .get_by_tag_opt(&old)
            .await
            .expect("answers")
            .is_none()
    );
    assert_eq!(
        limits
            .get_by_tag(&prod)
            .await
            .expect("is still there")
            .concurrency_limit,
        1
    );
}

#[tokio::test]
async fn awkward_tags_are_found_again() {
    let client = live().await;
    let limits = client.concurrency_limits();
    for odd in [
        "é空",
        "a b",
        "x?y=z",
        "x;y",
        r"x\y",
        "x+y",
        "x%20y".replace('%', "$").as_str(),
        "…",
        "x:y@z",
    ] {
        let tag = format!("{}{odd}", unique("odd"));
        let made = limits
            .create(&tag, 1)
            .await
            .unwrap_or_else(|error| panic!("{odd}: {error}"));
        let read = limits
            .get_by_tag(&tag)
            .await
            .unwrap_or_else(|error| panic!("{odd}: {error}"));
        assert_eq!((made.id, made.tag), (read.id, tag.clone()));
        limits
            .reset_and_free(&tag)
            .await
            .unwrap_or_else(|error| panic!("{odd}: {error}"));
        limits
            .delete_by_tag(&tag)
            .await
            .unwrap_or_else(|error| panic!("{odd}: {error}"));
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found_or_none() {
    let client = live().await;
    let limits = client.concurrency_limits();
    let (tag, id) = (unique("missing"), Uuid::new_v4());
    assert!(limits.get(id).await.expect_err("no such id").is_not_found());
    assert!(limits.get_opt(id).await.expect("answers").is_none());
    assert!(
        limits
            .get_by_tag(&tag)
            .await
            .expect_err("no such tag")
            .is_not_found()
    );
    assert!(
        limits
            .get_by_tag_opt(&tag)
            .await
            .expect("answers")
            .is_none()
    );
    assert!(
        limits
            .reset(&tag)
            .await
            .expect_err("no such tag")
            .is_not_found()
    );
    assert!(
        limits
            .reset_and_free(&tag)
            .await
            .expect_err("no such tag")
            .is_not_found()
    );
    assert!(
        limits
            .delete(id)
            .await
            .expect_err("no such id")
            .is_not_found()
    );
    let error = limits.delete_by_tag(&tag).await.expect_err("no such tag");
    assert_eq!(error.operation(), Some("delete_concurrency_limit_by_tag"));
    assert_eq!(error.message(), "Concurrency limit not found");
}

#[tokio::test]
async fn a_slot_can_be_taken_refused_and_given_back() {
    let client = live().await;
    let limits = client.concurrency_limits();
    let tag = unique("slot");
    limits.create(&tag, 1).await.expect("created");
    let (holder, waiter) = (Uuid::new_v4(), Uuid::new_v4());

    let unlimited = unique("unlimited");
    let taken = limits
        .increment([&tag, &unlimited], holder)
        .await
        .expect("free");
    assert_eq!(
        taken.len(),
        1,
        "a tag without a limit is not among those taken"
    );
    assert_eq!(
        limits
            .get_by_tag(&tag)
            .await
            .expect("is there")
            .active_slots,
        Some(vec![holder])
    );

    let full = limits.increment([&tag], waiter).await.expect_err("full");
    assert!(full.is_locked() && !full.is_permanently_locked(), "{full}");
    assert!(full.retry_after().expect("says when").as_secs_f64() > 0.0);
    assert!(full.message().contains(&tag), "{full}");

    let released = limits.decrement([&tag], holder).await.expect("held");
    assert_eq!(released[0].name, format!("tag:{tag}"));
    limits.increment([&tag], waiter).await.expect("free again");
}

#[tokio::test]
async fn a_limit_of_zero_refuses_for_good() {
    let client = live().await;
    let tag = unique("zero");
    client
        .concurrency_limits()
        .create(&tag, 0)
        .await
        .expect("created");
    let error = client
        .concurrency_limits()
        .increment([&tag], Uuid::new_v4())
        .await
        .expect_err("0");
    assert!(error.is_permanently_locked(), "{error}");
    assert_eq!(error.retry_after(), None);
}

#[tokio::test]
async fn reset_forgets_the_holders_but_only_reset_and_free_lets_the_next_one_in() {
    let client = live().await;
    let limits = client.concurrency_limits();
    let tag = unique("reset");
    limits.create(&tag, 1).await.expect("created");
    limits
        .increment([&tag], Uuid::new_v4())
        .await
        .expect("free");

    limits.reset(&tag).await.expect("reset");
    assert_eq!(
        limits
            .get_by_tag(&tag)
            .await
            .expect("is there")
            .active_slots,
        Some(vec![])
    );
    assert!(
        limits
            .increment([&tag], Uuid::new_v4())
            .await
            .expect_err("still full")
            .is_locked()
    );

    limits.reset_and_free(&tag).await.expect("reset");
    limits
        .increment([&tag], Uuid::new_v4())
        .await
        .expect("free");
}

#[tokio::test]
async fn deleting_by_id_spares_a_global_limit() {
    let client = live().await;
    let limits = client.concurrency_limits();
    let tagged = limits.create(&unique("by-id"), 1).await.expect("created");
    limits.delete(tagged.id).await.expect("deleted");
    assert!(limits.get_opt(tagged.id).await.expect("answers").is_none());

    let name = unique("global");
    let global = ConcurrencyLimitV2Create::new(&name, 1);
    let global = client
        .raw()
        .create_concurrency_limit_v2(&global)
        .await
        .expect("created");
    assert!(
        limits
            .delete(global.id)
            .await
            .expect_err("not on a tag")
            .is_not_found()
    );
    client
        .raw()
        .read_concurrency_limit_v2(&name)
        .await
        .expect("still there");
}

#[tokio::test]
async fn the_list_is_complete_however_short_a_page_is() {
    let server = LocalServer::builder().env("PREFECT_API_DEFAULT_LIMIT", "5");
    let server = server.start().await.expect("a server with small pages");
    let client = server.client().expect("a client");
    // The rows are sorted by name: two pages of global limits come first and hide all tags from the filter.
    for name in (0..12)
        .map(|i| format!("a{i:02}"))
        .chain((0..3).map(|i| format!("z{i}")))
    {
        let global = ConcurrencyLimitV2Create::new(name, 1);
        client
            .raw()
            .create_concurrency_limit_v2(&global)
            .await
            .expect("created");
    }
    let limits = client.concurrency_limits();
    limits.create("t00", 1).await.expect("created");
    let page = client
        .raw()
        .read_concurrency_limits(&ReadConcurrencyLimitsRequest::new())
        .await;
    assert!(
        page.expect("a page").is_empty(),
        "the filter finds the tag: the SDK could rely on it alone"
    );
    let tags: Vec<String> = (0..12).map(|i| format!("t{i:02}")).collect();
    for tag in &tags {
        limits.create(tag, 1).await.expect("created");
    }
    let listed = limits
        .list()
        .await
        .expect("lists")
        .into_iter()
        .map(|limit| limit.tag);
    let listed: Vec<String> = listed.collect();
    assert_eq!(listed, tags);
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn bad_tags_and_limits_are_refused_before_anything_is_sent() {
    let (client, server) = answering(ResponseTemplate::new(500)).await;
    let limits = client.concurrency_limits();
    for tag in ["", ".", "..", "a/b", "a%b", "a&b", "a<b", "a>b", "a\nb"] {
        assert!(
            limits
                .create(tag, 1)
                .await
                .expect_err(tag)
                .is_invalid_request(),
            "{tag:?}"
        );
    }
    for limit in [-1, i64::from(i32::MAX) + 1, i64::MIN] {
        assert!(
            limits
                .create("tag", limit)
                .await
                .expect_err("bad")
                .is_invalid_request(),
            "{limit}"
        );
    }
    for tag in ["", ".", "..", "a/b"] {
        assert!(
            limits
                .get_by_tag(tag)
                .await
                .expect_err(tag)
                .is_invalid_request(),
            "{tag:?}"
        );
        assert!(
            limits
                .get_by_tag_opt(tag)
                .await
                .expect_err(tag)
                .is_invalid_request(),
            "{tag:?}"
        );
        assert!(
            limits.reset(tag).await.expect_err(tag).is_invalid_request(),
            "{tag:?}"
        );
        assert!(
            limits
                .reset_and_free(tag)
                .await
                .expect_err(tag)
                .is_invalid_request(),
            "{tag:?}"
        );
        assert!(
            limits
                .delete_by_tag(tag)
                .await
                .expect_err(tag)
                .is_invalid_request(),
            "{tag:?}"
        );
    }
    // No tags, no slots, no request.
    assert!(
        limits
            .increment(NO_TAGS, Uuid::new_v4())
            .await
            .expect("nothing to do")
            .is_empty()
    );
    assert!(
        limits
            .decrement(NO_TAGS, Uuid::new_v4())
            .await
            .expect("nothing to do")
            .is_empty()
    );
    assert!(
        server
            .received_requests()
            .await
            .expect("recorded")
            .is_empty()
    );
}

const NO_TAGS: [&str; 0] = [];
