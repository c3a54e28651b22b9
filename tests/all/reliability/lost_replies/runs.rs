//! Flow runs and their states, when a reply is lost.

use prefect_sdk::types::*;
use uuid::Uuid;

use super::{flow, flow_run, losing, open, repeated, runs_of, states_of};
use crate::support::{live, unique};

#[tokio::test]
async fn a_lost_reply_does_not_make_a_second_flow_run() {
    let (client, proxy) = losing("POST", "/flow_runs/").await;
    let flow = flow().await;
    let run = client
        .raw()
        .create_flow_run(&FlowRunCreate::new(flow))
        .await;
    let run = run.expect("repeated with the same key").into_inner();
    repeated(&proxy, "POST", "/flow_runs/");
    assert_eq!(runs_of(flow).await, 1);
    let read = client.raw().read_flow_run(&run.id).await.expect("read");
    assert_eq!(read.flow_id, flow);
}

#[tokio::test]
async fn parameters_are_as_they_were_when_a_key_is_added() {
    let client = live().await;
    let parameters = r#"{"big": 1180591620717411303424, "text": "\u00e9\"{"}"#;
    let run = FlowRunCreate::new(flow().await)
        .parameters(serde_json::from_str::<Json>(parameters).expect("JSON"));
    let run = client.raw().create_flow_run(&run).await.expect("created");
    let got = run.into_inner().parameters.expect("sent back");
    assert!(got.to_string().contains("1180591620717411303424"), "{got}");
}

#[tokio::test]
async fn runs_from_a_deployment_are_not_doubled_either() {
    let server = live().await;
    let flow = flow().await;
    let deployment = DeploymentCreate::new(unique("lost"), flow);
    let deployment = server.raw().create_deployment(&deployment).await;
    let id = deployment.expect("created").into_inner().id;

    let (client, proxy) = losing("POST", "/create_flow_run").await;
    let body = DeploymentFlowRunCreate::new();
    let run = client
        .raw()
        .create_flow_run_from_deployment(&id, &body)
        .await;
    run.expect("repeated");
    repeated(&proxy, "POST", "/create_flow_run");
    assert_eq!(runs_of(flow).await, 1);

    let (client, proxy) = losing("POST", "/bulk").await;
    let runs = vec![DeploymentFlowRunCreate::new(); 10];
    let created = client
        .raw()
        .bulk_create_flow_runs_from_deployment(&id, &runs)
        .await;
    let results = created
        .expect("repeated")
        .into_inner()
        .results
        .expect("results");
    assert_eq!(results.len(), 10);
    repeated(&proxy, "POST", "/bulk");
    // A loaded server reports a locked database for single runs: such a run may be there, when the
    // first request made it and only the second could not look it up.
    let ids = results.iter().filter_map(|result| *result.flow_run_id);
    let ids: std::collections::BTreeSet<_> = ids.collect();
    let reported = 1 + i64::try_from(ids.len()).expect("few");
    let made = runs_of(flow).await;
    assert!((reported..=11).contains(&made), "{made}: {results:?}");
}

#[tokio::test]
async fn the_same_idempotency_key_of_the_callers_is_the_same_run() {
    let client = live().await;
    let deployment = DeploymentCreate::new(unique("key"), flow().await);
    let deployment = client.raw().create_deployment(&deployment).await;
    let id = deployment.expect("created").into_inner().id;
    let run = async |key: &str| {
        let body = DeploymentFlowRunCreate::new().idempotency_key(key.to_owned());
        let run = client
            .raw()
            .create_flow_run_from_deployment(&id, &body)
            .await;
        run.expect("created").into_inner().id
    };
    assert_eq!(run("a").await, run("a").await);
    assert_ne!(run("a").await, run("b").await);
}

#[tokio::test]
async fn a_state_is_set_once_and_reported_as_accepted() {
    let run = flow_run().await;
    let (client, proxy) = losing("POST", "/set_state").await;
    let state = SetFlowRunStateRequest::new(StateCreate::new(StateType::Running));
    let result = client.raw().set_flow_run_state(&run, &state).await;
    let result = result.expect("it was made").into_inner();
    let delivered = proxy.delivered();
    let looked = delivered.last().expect("a request").target().to_owned();
    assert!(
        looked.contains("/flow_run_states/?flow_run_id="),
        "{looked}"
    );
    assert_eq!(result.status, SetStateStatus::Accept, "{result:?}");
    assert_eq!(
        result.state.as_ref().expect("the state").type_,
        StateType::Running
    );
    assert_eq!(states_of(run).await, ["PENDING", "RUNNING"]);
}

#[tokio::test]
async fn a_rejection_of_the_servers_is_still_one() {
    let run = flow_run().await;
    let (client, _) = losing("POST", "/nothing").await;
    let set = async |state| {
        let state = SetFlowRunStateRequest::new(StateCreate::new(state));
        let result = client.raw().set_flow_run_state(&run, &state).await;
        result.expect("answered").into_inner().status
    };
    assert_eq!(set(StateType::Running).await, SetStateStatus::Accept);
    // A run that is RUNNING cannot become PENDING.
    assert_ne!(set(StateType::Pending).await, SetStateStatus::Accept);
}

/// A forced transition is made whatever its id, and the policy of task runs ignores the id.
#[tokio::test]
async fn states_that_would_be_set_twice_are_not_repeated() {
    let run = flow_run().await;
    let (client, _) = losing("POST", "/set_state").await;
    let forced = SetFlowRunStateRequest::new(StateCreate::new(StateType::Running)).force(true);
    let error = client.raw().set_flow_run_state(&run, &forced).await;
    open(&error.expect_err("not repeated"));
    assert_eq!(states_of(run).await, ["PENDING", "RUNNING"]);

    let task = TaskRunCreate::new("task", "0").flow_run_id(run);
    let task = client.raw().create_task_run(&task).await.expect("created");
    let task = task.into_inner().id;
    let (client, _) = losing("POST", "/set_state").await;
    let state = SetTaskRunStateRequest::new(StateCreate::new(StateType::Running));
    let error = client.raw().set_task_run_state(&task, &state).await;
    open(&error.expect_err("not repeated"));
}

/// The server's own rule has answered the failure by scheduling a retry; the repetition must not end that.
#[tokio::test]
async fn a_state_is_not_proposed_again_when_the_run_has_moved_on() {
    let server = live().await;
    let policy = FlowRunPolicy::new().retries(1).retry_delay(60);
    let run = FlowRunCreate::new(flow().await).empirical_policy(policy);
    let run = server
        .raw()
        .create_flow_run(&run)
        .await
        .expect("created")
        .into_inner()
        .id;
    let set = |state| SetFlowRunStateRequest::new(StateCreate::new(state));
    let running = server
        .raw()
        .set_flow_run_state(&run, &set(StateType::Running))
        .await;
    assert_eq!(running.expect("answered").status, SetStateStatus::Accept);

    let (client, _) = losing("POST", "/set_state").await;
    let failed = client
        .raw()
        .set_flow_run_state(&run, &set(StateType::Failed))
        .await;
    let error = failed.expect_err("nobody knows");
    assert!(error.may_have_happened(), "{error:?}");
    assert_eq!(
        states_of(run).await,
        ["PENDING", "RUNNING", "SCHEDULED"],
        "the server retries the run"
    );
}

/// The server treats an empty key as no key.
#[tokio::test]
async fn an_empty_idempotency_key_is_replaced() {
    let (client, _) = losing("POST", "/flow_runs/").await;
    let flow = flow().await;
    let run = FlowRunCreate::new(flow).idempotency_key(String::new());
    client.raw().create_flow_run(&run).await.expect("repeated");
    assert_eq!(runs_of(flow).await, 1);
}

/// This is why forced transitions are not repeated: the server makes the same transition again.
#[tokio::test]
async fn the_server_makes_a_forced_transition_twice() {
    let client = live().await;
    let run = flow_run().await;
    let details = StateDetails::new().transition_id(Uuid::new_v4());
    let state = StateCreate::new(StateType::Running).state_details(details);
    for force in [false, false, true] {
        let state = SetFlowRunStateRequest::new(state.clone()).force(force);
        client
            .raw()
            .set_flow_run_state(&run, &state)
            .await
            .expect("answered");
    }
    assert_eq!(states_of(run).await, ["PENDING", "RUNNING", "RUNNING"]);
}
