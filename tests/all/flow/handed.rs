//! Runs that are handed over, in each of the states that they may be in.

use prefect_sdk::flow::{BoxError, Ending, Run};
use prefect_sdk::testing::TestServer;
use prefect_sdk::types::{FlowRunCreate, FlowRunPolicy, StateCreate, StateDetails, StateType};
use prefect_sdk::{Client, Flow};
use serde_json::json;
use uuid::Uuid;

use super::{a_deployment_of, a_flow_named, a_run_of, states};
use crate::support::{live, unique};

/// A flow that counts, and a run of it in these states.
async fn handed(client: &Client, states: &[StateCreate]) -> (Flow<(), i64>, Uuid) {
    let name = unique("flow");
    let flow = Flow::new(&name, |run: Run, _: ()| async move {
        Ok::<_, BoxError>(run.attempt())
    });
    let id = a_flow_named(client, &name).await;
    let run = FlowRunCreate::new(id)
        .parameters(json!({}))
        .state(states[0].clone());
    let run = client.flow_runs().create(&run).await.expect("a run").id;
    for state in &states[1..] {
        let outcome = client
            .flow_runs()
            .propose(run, state.clone())
            .await
            .expect("proposed");
        assert!(outcome.is_accepted(), "{outcome:?}");
    }
    (flow, run)
}

fn state(type_: StateType) -> StateCreate {
    StateCreate::new(type_)
}

#[tokio::test]
async fn a_run_goes_on_from_the_state_that_it_is_in() {
    let client = live().await;
    let pending = || state(StateType::Pending);
    for (before, ended, after) in [
        (vec![pending()], "Completed", vec!["Running", "Completed"]),
        (
            vec![pending().name("InfrastructurePending")],
            "Completed",
            vec!["Running", "Completed"],
        ),
        // Its pod was started again.
        (
            vec![pending(), state(StateType::Running)],
            "Completed",
            vec!["Running", "Completed"],
        ),
        (
            vec![pending(), state(StateType::Failed)],
            "Completed",
            vec!["Running", "Completed"],
        ),
        (
            vec![pending(), state(StateType::Crashed)],
            "Completed",
            vec!["Running", "Completed"],
        ),
        (
            vec![state(StateType::Scheduled)],
            "Completed",
            vec!["Pending", "Running", "Completed"],
        ),
        (
            vec![
                pending(),
                state(StateType::Running),
                state(StateType::Cancelling),
            ],
            "Cancelled",
            vec!["Cancelled"],
        ),
        (
            vec![
                pending(),
                state(StateType::Running),
                state(StateType::Cancelled),
            ],
            "Cancelled",
            vec![],
        ),
        (
            vec![
                pending(),
                state(StateType::Running),
                state(StateType::Completed),
            ],
            "Completed",
            vec![],
        ),
    ] {
        let (flow, id) = handed(&client, &before).await;
        let known = states(&client, id).await;
        let outcome = client.attempt(&flow).run_id(id).await.expect("attempted");
        assert_eq!(outcome.exit_code(), 0, "{before:?}");
        let mut all = known.clone();
        all.extend(after.iter().map(|name| (*name).to_owned()));
        assert_eq!(states(&client, id).await, all, "{before:?}");
        assert_eq!(all.last().map(String::as_str), Some(ended));
        let is_run = after.contains(&"Running");
        assert_eq!(outcome.value().is_some(), is_run, "{before:?}");
        if !is_run && ended == "Completed" {
            assert!(
                matches!(outcome.ending(), Ending::Superseded(_)),
                "{outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_run_that_is_due_later_is_waited_for() {
    // Its clock stands still while the run is created.
    let kit = TestServer::builder().paused().start();
    let client = kit.client();
    let due = kit.now() + chrono::TimeDelta::hours(1);
    let scheduled =
        state(StateType::Scheduled).state_details(StateDetails::new().scheduled_time(due));
    let (flow, id) = handed(&client, &[scheduled]).await;
    let attempt = client.attempt(&flow).run_id(id);
    let outcome = kit.skip_waits(attempt.into_future()).await;
    let outcome = outcome.expect("attempted");
    assert!(outcome.is_completed(), "{outcome:?}");
    let run = kit.flow_run(id);
    // The server rounds what is left to whole seconds, and so may let it start half a second before.
    let allowed = due - chrono::TimeDelta::milliseconds(500);
    assert!(
        run.start_time.is_some_and(|start| start >= allowed),
        "{run:?}"
    );
}

#[tokio::test]
async fn a_run_gets_what_it_lacks_and_keeps_what_it_was_created_with() {
    let client = live().await;
    let name = unique("flow");
    let id = a_flow_named(&client, &name).await;
    let flow = Flow::new(&name, |run: Run, _: ()| async move {
        Ok::<_, BoxError>(run.name().to_owned())
    });
    let flow = flow
        .retries(3)
        .retry_delay(std::time::Duration::from_secs(7))
        .version("v2")
        .run_name(|()| "named".to_owned());
    let policy = FlowRunPolicy::new()
        .retries(1)
        .pause_keys(vec!["k".to_owned()]);
    let run = FlowRunCreate::new(id)
        .parameters(json!({}))
        .empirical_policy(policy)
        .state(StateCreate::pending());
    let run = client.flow_runs().create(&run).await.expect("a run").id;
    let outcome = client.attempt(&flow).run_id(run).await.expect("attempted");
    assert_eq!(outcome.value().map(String::as_str), Some("named"));
    let run = client.flow_runs().get(run).await.expect("there");
    let policy = run.empirical_policy.expect("a policy");
    assert_eq!((*policy.retries, *policy.retry_delay), (Some(1), Some(7)));
    assert_eq!(policy.pause_keys.as_deref(), Some(&["k".to_owned()][..]));
    assert_eq!(
        (run.name.as_deref(), run.flow_version.as_deref()),
        (Some("named"), Some("v2"))
    );
}

#[tokio::test]
async fn the_lease_of_a_deployments_slot_is_kept_while_the_run_goes_on() {
    let client = live().await;
    let name = unique("flow");
    let deployment = a_deployment_of(&client, &name, |it| it.concurrency_limit(1)).await;
    let run = a_run_of(&client, deployment).await;
    let flow = Flow::new(&name, |run: Run, _: ()| async move {
        let state = run.handle().state().await?;
        let lease = *state
            .state_details
            .as_ref()
            .expect("details")
            .deployment_concurrency_lease_id;
        let lease = lease.expect("a lease");
        let body = prefect_sdk::types::RenewConcurrencyLeaseRequest::new();
        let mut body = body;
        body.lease_duration = Some(60.0.into());
        // The server knows it: it was not revoked when the run became RUNNING.
        run.client()
            .raw()
            .renew_concurrency_lease(&lease, &body)
            .await?;
        Ok::<_, BoxError>(())
    });
    let outcome = client.attempt(&flow).run_id(run).await.expect("attempted");
    assert!(outcome.is_completed(), "{outcome:?}");
    let limit = format!("deployment:{deployment}");
    let limits = client
        .global_concurrency_limits()
        .list()
        .await
        .expect("listed");
    let held: Vec<_> = limits
        .iter()
        .filter(|it| it.name == limit)
        .map(|it| it.active_slots)
        .collect();
    assert_eq!(held, [0]);
}
