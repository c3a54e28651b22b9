//! The clock of a kit: what takes an hour takes no time.

use std::time::Duration;

use chrono::TimeDelta;
use prefect_sdk::flow::{BoxError, Ending, Flow, Run};
use prefect_sdk::testing::{TestServer, op};
use prefect_sdk::types::{
    ConcurrencyLimitV2Create, DeploymentCreate, FlowCreate, StateCreate, StateType,
};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_paused_clock_stands_still() {
    let kit = TestServer::builder().paused().start();
    let begin = kit.now();
    kit.client().health().await.expect("healthy");
    assert_eq!(kit.now(), begin);
    kit.advance(HOUR).await;
    assert_eq!(kit.now() - begin, TimeDelta::hours(1));
}

#[tokio::test]
async fn a_lease_is_renewed_for_an_hour_and_ends_when_nobody_renews_it() {
    let kit = TestServer::start();
    let client = kit.client();
    let limit = ConcurrencyLimitV2Create::new("printer", 1);
    client
        .global_concurrency_limits()
        .create(&limit)
        .await
        .expect("a limit");
    let slot = client
        .concurrency("printer")
        .acquire()
        .await
        .expect("a slot");
    kit.advance(HOUR).await;
    assert!(!slot.is_lost());
    assert!(kit.requests().count(op::renew_concurrency_lease) > 20);
    let slots = async || {
        let limit = client.global_concurrency_limits().get("printer").await;
        limit.expect("a limit").active_slots
    };
    assert_eq!(slots().await, 1);
    // The process is gone.
    let _gone = kit.on(op::renew_concurrency_lease).break_connection();
    kit.advance(HOUR).await;
    assert!(slot.is_lost());
    assert_eq!(slots().await, 0);
}

#[tokio::test]
async fn a_scheduled_run_becomes_late_and_begins_when_it_is_due() {
    let kit = TestServer::builder().paused().start();
    let client = kit.client();
    let flow = client
        .flows()
        .create(&FlowCreate::new("etl"))
        .await
        .expect("a flow");
    let nightly = DeploymentCreate::new("nightly", flow.id);
    let nightly = client
        .deployments()
        .create(&nightly)
        .await
        .expect("a deployment");
    let at = kit.now() + TimeDelta::hours(1);
    let run = client
        .deployments()
        .run(nightly.id)
        .scheduled(at)
        .send()
        .await
        .expect("a run");
    let early = tokio::spawn({
        let (client, id) = (client.clone(), run.id());
        async move { client.flow_runs().propose(id, StateCreate::running()).await }
    });
    kit.advance(HOUR - Duration::from_secs(5)).await;
    assert_eq!(kit.states(run.id()), ["Scheduled"]);
    kit.advance(Duration::from_secs(5)).await;
    assert!(
        early
            .await
            .expect("no panic")
            .expect("an answer")
            .is_accepted()
    );
    assert_eq!(kit.states(run.id()), ["Scheduled", "Running"]);
    let run = client
        .deployments()
        .run(nightly.id)
        .send()
        .await
        .expect("a run");
    kit.advance(Duration::from_secs(20)).await;
    assert_eq!(kit.states(run.id()), ["Scheduled", "Late"]);
}

#[tokio::test]
async fn a_flow_that_takes_a_day_times_out_and_beats_until_then() {
    let kit = TestServer::start();
    let flow = Flow::new("endless", |_: Run, ()| {
        std::future::pending::<Result<(), BoxError>>()
    });
    let flow = flow.timeout(24 * HOUR).heartbeat(Duration::from_secs(600));
    let client = kit.client();
    let outcome = kit.skip_waits(client.attempt(&flow).into_future()).await;
    let outcome = outcome.expect("a run");
    assert!(matches!(outcome.ending(), Ending::Failed), "{outcome:?}");
    assert_eq!(
        kit.states(outcome.run_id()),
        ["Pending", "Running", "TimedOut"]
    );
    let events = kit.events();
    let beats = events
        .iter()
        .filter(|event| event.event == "prefect.flow-run.heartbeat")
        .count();
    assert!((140..=146).contains(&beats), "{beats}");
}

#[tokio::test]
async fn a_run_that_is_being_cancelled_is_cancelled_by_the_server_after_five_minutes() {
    let kit = TestServer::start();
    let client = kit.client();
    let flow = client
        .flows()
        .create(&FlowCreate::new("etl"))
        .await
        .expect("a flow");
    let run = prefect_sdk::types::FlowRunCreate::new(flow.id);
    let run = client.flow_runs().create(&run).await.expect("a run");
    kit.set_state(run.id, StateCreate::running());
    kit.cancel(run.id);
    kit.advance(Duration::from_secs(299)).await;
    assert_eq!(kit.flow_run(run.id).state_type, StateType::Cancelling);
    kit.advance(Duration::from_secs(2)).await;
    assert_eq!(
        kit.states(run.id),
        ["Pending", "Running", "Cancelling", "Cancelled"]
    );
}

#[tokio::test]
async fn waiting_for_a_run_takes_no_time() {
    let kit = TestServer::start();
    let client = kit.client();
    let flow = client
        .flows()
        .create(&FlowCreate::new("etl"))
        .await
        .expect("a flow");
    let run = prefect_sdk::types::FlowRunCreate::new(flow.id);
    let run = client.flow_runs().create(&run).await.expect("a run");
    let handle = client.flow_runs().handle(run.id);
    let (waited, ()) = tokio::join!(handle.wait(), async {
        kit.until(|kit| (!kit.requests().of(op::read_flow_runs).is_empty()).then_some(()))
            .await;
        kit.set_state(run.id, StateCreate::completed());
    });
    assert_eq!(waited.expect("ended").state_type, StateType::Completed);
}
