//! Bulk operations never affect everything by accident.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use prefect_sdk::types::*;
use prefect_sdk::{Client, Error};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Scripted, Step, a_flow, a_run, live, unique};

async fn runs(client: &Client, count: usize, tag: &str) -> Vec<Uuid> {
    let flow = a_flow(client).await;
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(a_run(client, flow, |run| run.tags([tag])).await);
    }
    ids
}

/// Servers treat some of these as "everything", refuse others, and match unintended objects with the rest.
#[tokio::test]
async fn a_filter_that_says_nothing_is_refused_before_anything_is_sent() {
    let server = Scripted::start([Step::Drop]).await;
    let client = server.client();
    let misspelt: FlowRunFilter =
        serde_json::from_value(json!({ "sate": { "type": { "any_": ["FAILED"] } } }))
            .expect("kept");
    let half: FlowRunFilter = serde_json::from_value(
        json!({ "state": { "tpye": { "any_": ["FAILED"] } }, "tags": { "all_": ["a"] } }),
    )
    .expect("kept");
    let empty_list = FlowRunFilter::new().tags(FlowRunFilterTags::new().all_(Vec::<String>::new()));
    let beside = FlowRunFilter::new()
        .operator(Operator::Or)
        .id(FlowRunFilterId::new().any_(vec![Uuid::nil()]))
        .tags(FlowRunFilterTags::new().operator(Operator::And));
    let null = FlowRunFilter::new().state(None);
    let null_beside = FlowRunFilter::new()
        .operator(Operator::Or)
        .state(FlowRunFilterState::new().type_(None))
        .name(FlowRunFilterName::new().any_(vec!["a".to_owned()]));
    let both = FlowRunFilterStateType::new()
        .any_(vec![StateType::Completed])
        .not_any_(vec![StateType::Failed]);
    let both = FlowRunFilter::new().state(FlowRunFilterState::new().type_(both));
    let operator = FlowRunFilter::new().operator(Operator::And);
    for filter in [
        misspelt,
        half,
        empty_list,
        beside,
        null,
        null_beside,
        both,
        operator,
        FlowRunFilter::new(),
    ] {
        let shown = format!("{filter:?}");
        let delete = || client.flow_runs().delete_many().flow_runs(filter.clone());
        assert_refused(&shown, delete().await);
        assert_refused(&shown, delete().dry_run().await);
        let cancelled = StateCreate::new(StateType::Cancelled);
        let set = client
            .flow_runs()
            .set_state_many(cancelled)
            .flow_runs(filter.clone());
        assert_refused(&shown, set.await);
    }
    assert_refused("no filter", client.flow_runs().delete_many().await);
    assert_refused("no filter", client.flows().delete_many().await);
    assert_refused("no filter", client.deployments().delete_many().await);
    assert_refused("both", client.flows().delete_many().tag("a").all().await);
    assert_refused("an empty name", client.flows().delete_many().name("").await);
    for wildcard in ["%", "_", "%_%"] {
        let like = client.flows().delete_many().name_like(wildcard);
        assert_refused("only wildcards", like.await);
    }
    let starts = WorkQueueFilterName::new().startswith_(vec!["%".to_owned()]);
    let starts = WorkQueueFilter::new().name(starts);
    let queues = client.flow_runs().delete_many().work_pool_queues(starts);
    assert_refused("only wildcards", queues.await);
    let alternatives = FlowRunFilter::new()
        .operator(Operator::Or)
        .name(FlowRunFilterName::new().any_(vec!["a".to_owned()]));
    let wider = client
        .flow_runs()
        .delete_many()
        .flow_runs(alternatives)
        .tag("b");
    assert_refused("one more alternative", wider.await);
    let ignored = DeploymentFilterConcurrencyLimit::new().ge_(100);
    let ignored = DeploymentFilter::new().concurrency_limit(ignored);
    let deployments = client.deployments();
    assert_refused(
        "ignored",
        deployments.delete_many().deployments(ignored).await,
    );
    let filter = FlowRunFilter::new().name(FlowRunFilterName::new().like_("x".to_owned()));
    let replaced = client.flow_runs().delete_many().tag("a").flow_runs(filter);
    assert_refused("a filter that replaces a method's", replaced.await);
    assert_refused(
        "an empty text",
        client.flows().delete_many().name_like("").await,
    );
    assert_eq!(server.requests().len(), 0);
}

fn assert_refused<T>(what: &str, result: Result<T, Error>) {
    match result {
        Ok(_) => panic!("{what}: not refused"),
        Err(error) => assert!(error.is_invalid_request(), "{what}: {error}"),
    }
}

#[tokio::test]
async fn more_than_the_server_takes_at_once_is_deleted_in_parts_with_progress() {
    let client = live().await;
    let (tag, kept) = (unique("delete"), unique("keep"));
    let doomed = runs(&client, 120, &tag).await;
    let others = runs(&client, 2, &kept).await;
    let delete = || client.flow_runs().delete_many().tag(tag.as_str());
    assert_eq!(delete().dry_run().await.expect("counted"), 120);
    assert_eq!(
        client
            .flow_runs()
            .count()
            .tag(tag.as_str())
            .await
            .expect("counted"),
        120
    );

    let seen = Mutex::new(Vec::new());
    let progress = |progress: prefect_sdk::query::Progress| {
        seen.lock()
            .expect("seen")
            .push((progress.done, progress.total));
    };
    let mut deleted = delete().on_progress(progress).await.expect("deleted");
    assert_eq!(
        *seen.lock().expect("seen"),
        [(0, 120), (50, 120), (100, 120), (120, 120)]
    );
    let mut doomed = doomed;
    deleted.sort();
    doomed.sort();
    assert_eq!(deleted, doomed);
    assert_eq!(delete().dry_run().await.expect("counted"), 0);
    for id in others {
        client.flow_runs().get(id).await.expect("still there");
    }
}

/// The runs still match the filter after their state is set: by the filter alone they would come
/// repeatedly.
#[tokio::test]
async fn a_state_is_proposed_for_each_run_once() {
    let client = live().await;
    let tag = unique("cancel");
    let ids = runs(&client, 60, &tag).await;
    let state = StateCreate::new(StateType::Cancelled).message("enough".to_owned());
    let outcomes = client
        .flow_runs()
        .set_state_many(state)
        .tag(tag.as_str())
        .await;
    let outcomes = outcomes.expect("set");
    assert_eq!(outcomes.len(), ids.len());
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.status == SetStateStatus::Accept)
    );
    let cancelled = client
        .flow_runs()
        .count()
        .tag(tag.as_str())
        .state(StateType::Cancelled);
    assert_eq!(cancelled.await.expect("counted"), 60);
}

/// Ids that are added to a filter of alternatives would make it wider.
#[tokio::test]
async fn alternatives_do_not_widen_what_is_deleted() {
    let client = live().await;
    let (one, two, other) = (unique("or"), unique("or"), unique("or"));
    let mut doomed = runs(&client, 2, &one).await;
    let named = runs(&client, 1, &two).await;
    runs(&client, 1, &other).await;
    doomed.extend(&named);
    let filter = FlowRunFilter::new()
        .operator(Operator::Or)
        .tags(FlowRunFilterTags::new().all_(vec![one.clone()]))
        .id(FlowRunFilterId::new().any_(named));
    let mut deleted = client
        .flow_runs()
        .delete_many()
        .flow_runs(filter)
        .await
        .expect("deleted");
    deleted.sort();
    doomed.sort();
    assert_eq!(deleted, doomed);
    assert_eq!(
        client
            .flow_runs()
            .count()
            .tag(other.as_str())
            .await
            .expect("counted"),
        1
    );
}

#[tokio::test]
async fn deployments_and_flows_are_deleted_by_what_they_match() {
    let client = live().await;
    let tag = unique("many");
    let flow = FlowCreate::new(unique("flow")).tags([tag.as_str()]);
    let flow = client.flows().create(&flow).await.expect("a flow").id;
    for _ in 0..3 {
        let deployment = DeploymentCreate::new(unique("deployment"), flow).tags([tag.as_str()]);
        client
            .deployments()
            .create(&deployment)
            .await
            .expect("a deployment");
    }
    let deleted = client
        .deployments()
        .delete_many()
        .tag(tag.as_str())
        .await
        .expect("deleted");
    assert_eq!(deleted.len(), 3);
    assert_eq!(
        client
            .flows()
            .delete_many()
            .tag(tag.as_str())
            .await
            .expect("deleted"),
        [flow]
    );
    assert!(
        client
            .flows()
            .get_opt(flow)
            .await
            .expect("answers")
            .is_none()
    );
}

#[tokio::test]
async fn everything_is_deleted_when_everything_is_meant() {
    let server = prefect_sdk::LocalServer::start().await.expect("a server");
    let client = server.client().expect("a client");
    runs(&client, 3, "any").await;
    assert_eq!(
        client
            .flow_runs()
            .delete_many()
            .all()
            .dry_run()
            .await
            .expect("counted"),
        3
    );
    assert_eq!(
        client
            .flow_runs()
            .delete_many()
            .all()
            .await
            .expect("deleted")
            .len(),
        3
    );
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn runs_are_deleted_by_what_their_flow_or_deployment_is_called() {
    let client = live().await;
    let (one, two) = (unique("flow"), unique("flow"));
    for name in [&one, &two] {
        let flow = client
            .flows()
            .create(&FlowCreate::new(name.as_str()))
            .await
            .expect("a flow")
            .id;
        for _ in 0..2 {
            a_run(&client, flow, |run| run).await;
        }
    }
    let of_one = || client.flow_runs().delete_many().flow_name(one.as_str());
    assert_eq!(of_one().dry_run().await.expect("counted"), 2);
    assert_eq!(of_one().await.expect("deleted").len(), 2);
    let left = client.flow_runs().count().flow_name(two.as_str()).await;
    assert_eq!(left.expect("counted"), 2);
    let filter = FlowRunFilter::new().name(FlowRunFilterName::new().like_("-".to_owned()));
    let in_order = client
        .flow_runs()
        .delete_many()
        .flow_runs(filter)
        .flow_name(two.as_str());
    assert_eq!(in_order.await.expect("deleted").len(), 2);
}

#[tokio::test]
async fn exceptions_are_neither_counted_nor_deleted() {
    let client = live().await;
    let (tag, keep) = (unique("clean"), unique("keep"));
    let doomed = runs(&client, 3, &tag).await;
    let flow = a_flow(&client).await;
    let tagged = a_run(&client, flow, |run| run.tags([&tag, &keep])).await;
    let named = a_run(&client, flow, |run| run.tags([&tag]).name("precious")).await;
    let delete = || {
        let all = client.flow_runs().delete_many().tag(tag.as_str());
        all.except_tag(keep.as_str())
            .except(|run| run.name.as_deref() == Some("precious"))
    };
    assert_eq!(delete().dry_run().await.expect("counted"), 3);
    let mut deleted = delete().await.expect("deleted");
    deleted.sort();
    assert_eq!(
        deleted,
        BTreeSet::from_iter(doomed).into_iter().collect::<Vec<_>>()
    );
    let left = client.flow_runs().list().tag(tag.as_str()).await;
    let left: BTreeSet<_> = left.expect("runs").into_iter().map(|run| run.id).collect();
    assert_eq!(left, BTreeSet::from([tagged, named]));

    // An exception is no condition.
    let all = client.flow_runs().delete_many().except(|_| true).await;
    assert_refused("no condition", all);
}

#[tokio::test]
async fn runs_are_deleted_by_their_age() {
    let client = live().await;
    let tag = unique("age");
    let (ended, _unended) = (
        runs(&client, 1, &tag).await[0],
        runs(&client, 1, &tag).await,
    );
    let state = SetFlowRunStateRequest::new(StateCreate::completed()).force(true);
    let set = client.flow_runs().set_state(ended, &state).await;
    set.expect("ended");
    let older_than = |age| {
        let all = client.flow_runs().delete_many().tag(tag.as_str());
        all.older_than(Duration::from_secs(age))
    };
    assert_eq!(older_than(3600).dry_run().await.expect("counted"), 0);
    let earlier = older_than(u64::MAX).dry_run().await;
    assert_refused("before the year 1", earlier);
    // The run has ended by the server's clock, which is this computer's.
    assert_eq!(older_than(0).await.expect("deleted"), [ended]);
}
