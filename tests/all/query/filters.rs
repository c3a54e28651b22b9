//! How a real server treats filters: why bulk operations refuse some, and queries lack some methods.

use chrono::{Duration, Utc};
use prefect_sdk::types::*;
use prefect_sdk::{Client, LocalServer};
use serde_json::json;

use crate::support::{a_deployment, a_flow, a_run, live, unique};

async fn count(client: &Client, filter: FlowRunFilter) -> i64 {
    let count = client.flow_runs().count().flow_runs(filter).await;
    count.expect("counted")
}

#[tokio::test]
async fn a_server_matches_everything_by_what_bulk_work_refuses() {
    // 3.9.1 has mended the first of them.
    for (version, drops_both) in [("3.8.8", true), (env!("PREFECT_VERSION"), false)] {
        matches_everything(version, drops_both).await;
    }
}

async fn matches_everything(version: &str, drops_both: bool) {
    let server = LocalServer::builder().version(version).start().await;
    let server = server.expect("a server");
    let client = server.client().expect("a client");
    let flow = a_flow(&client).await;
    for state in [StateType::Completed, StateType::Failed, StateType::Running] {
        a_run(&client, flow, |run| run.state(StateCreate::new(state))).await;
    }
    let types = FlowRunFilterStateType::new();
    let completed = types.clone().any_(vec![StateType::Completed]);
    let of = |types| FlowRunFilter::new().state(FlowRunFilterState::new().type_(types));
    assert_eq!(
        count(&client, of(completed.clone())).await,
        1,
        "this is a condition"
    );
    let both = completed.not_any_(vec![StateType::Failed]);
    assert_eq!(
        count(&client, of(both)).await,
        if drops_both { 3 } else { 1 },
        "two conditions that are dropped together"
    );

    let nobody = FlowRunFilterName::new().any_(vec!["nobody".to_owned()]);
    let null = FlowRunFilterState::new().type_(None);
    let null = FlowRunFilter::new()
        .operator(Operator::Or)
        .state(null)
        .name(nobody);
    assert_eq!(count(&client, null).await, 3, "an alternative that is null");
    let wildcard = FlowRunFilter::new().name(FlowRunFilterName::new().like_("_".to_owned()));
    assert_eq!(count(&client, wildcard).await, 3, "a wildcard");

    a_deployment(&client).await;
    let limit = DeploymentFilterConcurrencyLimit::new().ge_(100);
    let ignored = DeploymentFilter::new().concurrency_limit(limit);
    let found = client.deployments().count().deployments(ignored).await;
    assert_eq!(found.expect("counted"), 1, "a condition that is ignored");
    server.stop().await.expect("it stops");
}

/// There is no `started_since`, because it would match runs that have not begun.
#[tokio::test]
async fn a_run_that_has_not_begun_has_a_start_time_to_a_filter() {
    let client = live().await;
    let flow = a_flow(&client).await;
    let (soon, later) = (
        Utc::now() + Duration::days(1),
        Utc::now() + Duration::days(2),
    );
    let state = StateDetails::new().scheduled_time(later);
    let state = StateCreate::new(StateType::Scheduled).state_details(state);
    let run = a_run(&client, flow, |run| run.state(state)).await;
    let started = FlowRunFilterStartTime::new().after_(soon);
    let started = FlowRunFilter::new()
        .id(FlowRunFilterId::new().any_(vec![run]))
        .start_time(started);
    assert_eq!(count(&client, started).await, 1);
}

#[tokio::test]
async fn a_deployment_that_is_created_again_without_schedules_has_none() {
    let client = live().await;
    let schedule = DeploymentScheduleCreate::new(CronSchedule::new("0 6 * * *"));
    let deployment = DeploymentCreate::new(crate::support::unique("again"), a_flow(&client).await)
        .parameters(json!({ "kept": true }));
    let with = deployment.clone().schedules([schedule]);
    let made = client.deployments().create(&with).await.expect("created");
    assert_eq!(made.schedules.map(|schedules| schedules.len()), Some(1));
    let again = client
        .deployments()
        .create(&deployment)
        .await
        .expect("changed");
    assert_eq!(again.id, made.id);
    assert_eq!(again.schedules.map(|schedules| schedules.len()), Some(0));
}

#[tokio::test]
async fn several_values_are_added_at_once_and_of_none_nothing_matches() {
    let client = live().await;
    let flow = client
        .flows()
        .create(&FlowCreate::new(unique("words")))
        .await;
    let flow = flow.expect("created").id;
    let tagged = |tag: &str| FlowRunCreate::new(flow).tags([tag.to_owned(), "both".to_owned()]);
    let mut runs = Vec::new();
    for tag in ["one", "two"] {
        let run = client.raw().create_flow_run(&tagged(tag)).await;
        runs.push(run.expect("created").id);
    }
    let of_flow = || client.flow_runs().count().flow_id(flow);
    assert_eq!(of_flow().ids(runs.clone()).await.expect("counted"), 2);
    assert_eq!(of_flow().tags(["one", "both"]).await.expect("counted"), 1);
    assert_eq!(
        of_flow().any_tags(["one", "two"]).await.expect("counted"),
        2
    );
    let none: [uuid::Uuid; 0] = [];
    assert_eq!(of_flow().ids(none).await.expect("counted"), 0);
    let none: [StateType; 0] = [];
    assert_eq!(of_flow().states(none).await.expect("counted"), 0);
    let none: [String; 0] = [];
    assert_eq!(of_flow().names(none.clone()).await.expect("counted"), 0);
    // All of no tags are present everywhere.
    assert_eq!(of_flow().tags(none).await.expect("counted"), 2);

    // What would match everything is no condition.
    let none: [uuid::Uuid; 0] = [];
    let error = client.flow_runs().delete_many().ids(none).await;
    assert!(error.expect_err("no condition").is_invalid_request());
}

#[tokio::test]
async fn runs_are_counted_by_state() {
    let client = live().await;
    let (flow, tag) = (a_flow(&client).await, unique("states"));
    for state in [
        StateCreate::completed(),
        StateCreate::completed(),
        StateCreate::running(),
    ] {
        a_run(&client, flow, |run| run.tags([&tag]).state(state)).await;
    }
    let count = || client.flow_runs().count().tag(tag.as_str());
    let counts = count().by_state().await.expect("counts");
    assert_eq!(counts.len(), StateType::KNOWN.len());
    assert_eq!(counts[&StateType::Completed], 2);
    assert_eq!(counts[&StateType::Running], 1);
    assert_eq!(counts.values().sum::<i64>(), 3);

    let some = count().states([StateType::Running, StateType::Failed]);
    let some = some.by_state().await.expect("counts");
    assert_eq!(
        some,
        [(StateType::Failed, 0), (StateType::Running, 1)].into()
    );
    let none = count().states(Vec::<StateType>::new()).by_state().await;
    assert!(none.expect("no counts").is_empty());

    let of = |filter| client.flow_runs().count().flow_runs(filter).by_state();
    let state = FlowRunFilterState::new().operator(Operator::Or);
    for either in [
        FlowRunFilter::new().operator(Operator::Or),
        FlowRunFilter::new().state(state),
    ] {
        let refused = of(either).await.expect_err("alternatives");
        assert!(refused.is_invalid_request());
    }
    let others = FlowRunFilterStateType::new().not_any_(StateType::KNOWN[1..].to_vec());
    let others = of(FlowRunFilter::new().state(FlowRunFilterState::new().type_(others))).await;
    let others: Vec<_> = others.expect("counts").into_keys().collect();
    assert_eq!(others, StateType::KNOWN[..1]);
    let everywhere = client.flow_runs().count_by_state().await.expect("counts");
    assert!(everywhere[&StateType::Completed] >= 2);
}

#[tokio::test]
async fn lateness_is_asked_for_as_counts_are() {
    let client = live().await;
    let (flow, tag) = (a_flow(&client).await, unique("late"));
    let lateness = || client.flow_runs().lateness().tag(tag.as_str());
    assert_eq!(lateness().await.expect("an answer"), None);
    let details = StateDetails::new().scheduled_time(Utc::now() - Duration::hours(1));
    let scheduled = StateCreate::new(StateType::Scheduled).state_details(details);
    a_run(&client, flow, |run| run.tags([&tag]).state(scheduled)).await;
    let late = lateness().await.expect("an answer").expect("a run is late");
    assert!((3600.0..7200.0).contains(&late.as_f64()), "{late:?}");
}

#[tokio::test]
async fn limit_is_at_most() {
    let client = live().await;
    let (flow, tag) = (a_flow(&client).await, unique("limit"));
    for _ in 0..3 {
        a_run(&client, flow, |run| run.tags([&tag])).await;
    }
    let list = client.flow_runs().list().tag(tag.as_str());
    assert_eq!(list.limit(2).await.expect("runs").len(), 2);
    let pages = client.flow_runs().paginate().tag(tag.as_str()).page_size(1);
    assert_eq!(pages.clone().limit(2).await.expect("runs").len(), 2);
    assert_eq!(pages.await.expect("a page").limit, 1);
}
