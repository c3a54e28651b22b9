//! Cancelling, suspending and retrying runs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::Utc;
use prefect_sdk::types::*;
use prefect_sdk::{Client, flow_runs::ProposalOutcome};
use serde_json::json;
use uuid::Uuid;

use crate::support::{FaultProxy, a_deployment, a_flow, a_run, live, live_builder, unique};

/// Creates a run of a deployment, forces it into this state, and returns its id.
async fn a_run_in(client: &Client, deployment: Uuid, state: StateCreate) -> Uuid {
    let run = DeploymentFlowRunCreate::new();
    let run = client.deployments().create_flow_run(deployment, &run).await;
    let run = run.expect("a run").id;
    let forced = SetFlowRunStateRequest::new(state).force(true);
    let set = client.flow_runs().set_state(run, &forced).await;
    assert!(set.expect("set").outcome().is_accepted());
    run
}

const ENDS: [StateType; 4] = [
    StateType::Completed,
    StateType::Failed,
    StateType::Cancelled,
    StateType::Crashed,
];

fn suspended() -> StateCreate {
    StateCreate::new(StateType::Paused)
        .name("Suspended")
        .state_details(StateDetails::new().pause_reschedule(true))
}

async fn run(client: &Client, id: Uuid) -> FlowRunResponse {
    client.flow_runs().get(id).await.expect("there")
}

#[tokio::test]
async fn a_run_without_a_process_is_cancelled_at_once() {
    let client = live().await;
    let deployment = a_deployment(&client).await;
    let scheduled = || StateCreate::new(StateType::Scheduled);
    for state in [
        scheduled(),
        scheduled().name("AwaitingRetry"),
        scheduled().name("Resuming"),
        suspended(),
    ] {
        let id = a_run_in(&client, deployment, state.clone()).await;
        let cancelled = client.flow_runs().cancel(id).await.expect("cancelled");
        assert_eq!(cancelled.type_, StateType::Cancelled, "{state:?}");
        assert_eq!(*run(&client, id).await.state_id, Some(cancelled.id));
    }
}

#[tokio::test]
async fn a_run_with_a_process_is_cancelling_however_often_it_is_cancelled() {
    let client = live().await;
    let deployment = a_deployment(&client).await;
    let mut ids = Vec::new();
    for state in [StateType::Pending, StateType::Running, StateType::Paused] {
        ids.push(a_run_in(&client, deployment, StateCreate::new(state)).await);
    }
    let scheduled = StateCreate::new(StateType::Scheduled);
    let taken = a_run_in(&client, deployment, scheduled).await;
    let by_a_worker = FlowRunUpdate::new().infrastructure_pid("123");
    let updated = client.flow_runs().update(taken, &by_a_worker).await;
    updated.expect("updated");
    ids.push(taken);
    for id in ids {
        let first = client.flow_runs().cancel(id).await.expect("cancelled");
        assert_eq!(first.type_, StateType::Cancelling);
        let second = client.flow_runs().cancel(id).await.expect("it still is");
        assert_eq!((second.type_, second.id), (first.type_, first.id));
        assert_eq!(*run(&client, id).await.state_id, Some(first.id));
    }
}

#[tokio::test]
async fn a_run_that_has_ended_is_not_cancelled() {
    let client = live().await;
    let deployment = a_deployment(&client).await;
    for end in ENDS {
        let id = a_run_in(&client, deployment, StateCreate::new(end.clone())).await;
        let error = client.flow_runs().cancel(id).await.expect_err("too late");
        let reason = format!("terminal state {end}");
        assert!(
            error.is_conflict() && error.message().contains(&reason),
            "{error}"
        );
        assert_eq!(*run(&client, id).await.state_type, Some(end));
    }
    let unknown = client.flow_runs().cancel(Uuid::new_v4()).await;
    assert!(unknown.expect_err("unknown").is_not_found());
}

/// The state of a run that is CANCELLED at once does not have the id of the requested transition.
#[tokio::test]
async fn a_cancellation_whose_reply_is_lost_is_a_success() {
    let server = live().await;
    let deployment = a_deployment(&server).await;
    for (state, after) in [
        (StateType::Scheduled, StateType::Cancelled),
        (StateType::Running, StateType::Cancelling),
    ] {
        let id = a_run_in(&server, deployment, StateCreate::new(state)).await;
        let proxy = FaultProxy::losing_one_reply(server.api_url(), "POST", "/set_state").await;
        let client = proxy.builder().build().expect("a client");
        let cancelled = client.flow_runs().cancel(id).await.expect("cancelled");
        assert_eq!(cancelled.type_, after);
    }
}

#[tokio::test]
async fn many_runs_are_cancelled_and_each_outcome_is_reported() {
    let client = live().await;
    let (flow, tag) = (a_flow(&client).await, unique("cancel"));
    let mut ids = Vec::new();
    for state in [
        StateType::Scheduled,
        StateType::Running,
        StateType::Completed,
    ] {
        let state = StateCreate::new(state);
        ids.push(a_run(&client, flow, |run| run.tags([tag.as_str()]).state(state)).await);
    }
    let outcomes = client.flow_runs().cancel_many().tag(tag.as_str()).await;
    let outcomes = outcomes.expect("answered");
    let answer = |id: Uuid| {
        let mut outcomes = outcomes.iter();
        let outcome = outcomes.find(|outcome| outcome.flow_run_id == id);
        outcome.expect("reported").outcome()
    };
    assert_eq!(outcomes.len(), 3);
    assert!(matches!(answer(ids[0]), ProposalOutcome::Rejected { .. }));
    assert!(answer(ids[1]).is_accepted());
    assert!(matches!(answer(ids[2]), ProposalOutcome::Aborted { .. }));
    for (id, state) in ids.into_iter().zip([
        StateType::Cancelled,
        StateType::Cancelling,
        StateType::Completed,
    ]) {
        assert_eq!(*run(&client, id).await.state_type, Some(state));
    }
    let everything = client.flow_runs().cancel_many().await;
    assert!(everything.expect_err("no condition").is_invalid_request());
}

#[tokio::test]
async fn a_server_accepts_rejects_delays_and_aborts() {
    let client = live().await;
    let deployment = a_deployment(&client).await;
    let runs = client.flow_runs();
    let hour = Duration::from_secs(3600);
    let running = SetFlowRunStateRequest::new(StateCreate::new(StateType::Running));

    let pending = a_run_in(&client, deployment, StateCreate::new(StateType::Pending)).await;
    let answer = runs.pause(pending, hour).await.expect("answered").outcome();
    let ProposalOutcome::Rejected { state, .. } = &answer else {
        panic!("{answer:?}")
    };
    let state = state.as_ref().expect("the state that it is in");
    assert_eq!(state.type_, StateType::Pending);
    assert!(
        answer.reason().contains("not currently running"),
        "{answer:?}"
    );

    let answer = runs.set_state(pending, &running).await.expect("answered");
    let answer = answer.outcome();
    assert!(
        matches!(&answer, ProposalOutcome::Accepted(Some(state)) if state.type_ == StateType::Running)
    );
    assert_eq!(answer.reason(), "");

    let later = StateDetails::new().scheduled_time(Utc::now() + chrono::Duration::seconds(600));
    let later = StateCreate::new(StateType::Scheduled).state_details(later);
    let later = a_run_in(&client, deployment, later).await;
    let answer = runs.set_state(later, &running).await.expect("answered");
    let ProposalOutcome::Wait { delay, reason } = answer.outcome() else {
        panic!("{answer:?}")
    };
    assert!((500..=600).contains(&delay.as_secs()), "{delay:?}");
    assert!(reason.contains("in the future"), "{reason}");

    let ended = a_run_in(&client, deployment, StateCreate::new(StateType::Completed)).await;
    let answer = runs.pause(ended, hour).await.expect("answered").outcome();
    assert!(
        matches!(&answer, ProposalOutcome::Aborted { .. }),
        "{answer:?}"
    );
    assert!(answer.reason().contains("terminal state"), "{answer:?}");
}

/// Like the engine of a run, a proposal waits as long as the server asks it to.
#[tokio::test]
async fn a_proposal_goes_on_until_it_is_decided() {
    let client = live().await;
    let deployment = a_deployment(&client).await;
    let runs = client.flow_runs();
    let at = Utc::now() + chrono::Duration::seconds(3);
    let soon = StateCreate::new(StateType::Scheduled)
        .state_details(StateDetails::new().scheduled_time(at));
    let id = a_run_in(&client, deployment, soon).await;
    let running = || StateCreate::new(StateType::Running);
    let decided = runs.propose(id, running()).await.expect("decided");
    let ProposalOutcome::Accepted(Some(state)) = decided else {
        panic!("{decided:?}")
    };
    assert_eq!(state.type_, StateType::Running);
    assert!(Utc::now() >= at, "not before its time");

    let ended = a_run_in(&client, deployment, StateCreate::new(StateType::Completed)).await;
    let paused = StateCreate::new(StateType::Paused);
    let decided = runs.propose(ended, paused).await.expect("decided");
    assert!(
        matches!(&decided, ProposalOutcome::Aborted { reason } if !reason.is_empty()),
        "{decided:?}"
    );
    // The server puts the run in another state than the proposed one.
    let later = StateCreate::new(StateType::Scheduled);
    let later = a_run_in(&client, deployment, later).await;
    let cancelling = StateCreate::new(StateType::Cancelling);
    let decided = runs.propose(later, cancelling).await.expect("decided");
    let ProposalOutcome::Rejected {
        state: Some(state), ..
    } = decided
    else {
        panic!("{decided:?}")
    };
    assert_eq!(state.type_, StateType::Cancelled);
    assert!(
        runs.propose(Uuid::new_v4(), running())
            .await
            .expect_err("missing")
            .is_not_found()
    );
}

#[tokio::test]
async fn a_running_run_is_suspended_and_resumes_as_often_as_one_likes() {
    let client = live().await;
    let deployment = a_deployment(&client).await;
    let runs = client.flow_runs();
    let running = || StateCreate::new(StateType::Running);
    let id = a_run_in(&client, deployment, running()).await;
    for at_most in [None, Some(Duration::from_secs(600))] {
        let answer = runs.suspend(id, at_most).await.expect("answered").outcome();
        let ProposalOutcome::Accepted(Some(state)) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(state.type_, StateType::Paused);
        assert_eq!(state.name.as_deref(), Some("Suspended"));
        let details = state.state_details.expect("details");
        assert_eq!(details.pause_reschedule, Some(true));
        let left = details.pause_timeout.map(|until| until - Utc::now());
        assert_eq!(left.is_some(), at_most.is_some());
        assert!(left.is_none_or(|left| (500..=600).contains(&left.num_seconds())));

        let resumed = runs.resume(id).await.expect("answered").outcome();
        assert!(resumed.is_accepted(), "{resumed:?}");
        assert_eq!(
            *run(&client, id).await.state_type,
            Some(StateType::Scheduled)
        );
        let forced = SetFlowRunStateRequest::new(running()).force(true);
        runs.set_state(id, &forced).await.expect("it runs again");
    }

    let pending = a_run_in(&client, deployment, StateCreate::new(StateType::Pending)).await;
    let answer = runs
        .suspend(pending, None)
        .await
        .expect("answered")
        .outcome();
    assert!(
        matches!(&answer, ProposalOutcome::Rejected { .. }),
        "{answer:?}"
    );
    let flow = a_flow(&client).await;
    let alone = a_run(&client, flow, |run| run.state(running())).await;
    let answer = runs.suspend(alone, None).await.expect("answered").outcome();
    assert!(
        matches!(&answer, ProposalOutcome::Aborted { .. }),
        "{answer:?}"
    );
    let too_long = runs.suspend(id, Some(Duration::MAX)).await;
    assert!(too_long.expect_err("too long").is_invalid_request());
}

#[tokio::test]
async fn a_run_that_has_ended_is_scheduled_again_unless_its_result_is_kept() {
    let client = live().await;
    let deployment = a_deployment(&client).await;
    for end in ENDS {
        let id = a_run_in(&client, deployment, StateCreate::new(end)).await;
        let answer = client.flow_runs().retry(id).await.expect("answered");
        assert!(answer.outcome().is_accepted(), "{answer:?}");
        let again = run(&client, id).await;
        assert_eq!(*again.state_type, Some(StateType::Scheduled));
        let due = again.next_scheduled_start_time.expect("a time") - Utc::now();
        assert!(due.num_seconds().abs() < 60, "{due}");
    }
    let kept = json!({ "type": "reference" });
    let completed = StateCreate::new(StateType::Completed).data(kept);
    let id = a_run_in(&client, deployment, completed).await;
    let answer = client.flow_runs().retry(id).await.expect("answered");
    let answer = answer.outcome();
    assert!(
        matches!(&answer, ProposalOutcome::Rejected { .. }),
        "{answer:?}"
    );
    assert!(answer.reason().contains("already COMPLETED"), "{answer:?}");
    assert_eq!(
        *run(&client, id).await.state_type,
        Some(StateType::Completed)
    );
}

#[tokio::test]
async fn nothing_is_proposed_for_a_run_that_cannot_run_again() {
    let server = live().await;
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sent);
    let client = live_builder()
        .await
        .observer(move |attempt| seen.lock().expect("seen").push(attempt.operation()))
        .build()
        .expect("a client");
    let deployment = a_deployment(&server).await;
    for state in [
        StateType::Scheduled,
        StateType::Pending,
        StateType::Running,
        StateType::Paused,
        StateType::Cancelling,
    ] {
        // The run starts from RUNNING: even by force a scheduled one would be CANCELLED, not CANCELLING.
        let id = a_run_in(&server, deployment, StateCreate::new(StateType::Running)).await;
        let forced = SetFlowRunStateRequest::new(StateCreate::new(state)).force(true);
        let set = server.flow_runs().set_state(id, &forced).await;
        set.expect("set");
        let error = client.flow_runs().retry(id).await.expect_err("not yet");
        assert!(
            error.is_conflict() && error.message().contains("has not ended"),
            "{error}"
        );
    }
    let failed = StateCreate::new(StateType::Failed);
    let alone = a_run(&server, a_flow(&server).await, |run| run.state(failed)).await;
    let error = client.flow_runs().retry(alone).await.expect_err("alone");
    assert!(
        error.is_conflict() && error.message().contains("nobody would run it"),
        "{error}"
    );
    let unknown = client.flow_runs().retry(Uuid::new_v4()).await;
    assert!(unknown.expect_err("unknown").is_not_found());
    assert!(!sent.lock().expect("seen").contains(&"set_flow_run_state"));
}
